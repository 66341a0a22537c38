//! A domain of an organization.

use super::contact::Verification;
use super::json::Json;
use super::object::{object, open_enum};

object! {
    /// A domain whose people may join, from `organizationDomain.created` or `.updated`. Times are
    /// milliseconds since 1970.
    OrganizationDomain shows [id, organization_id]
    members {
        /// Clerk's id, `orgdmn_…`.
        id: Option<String>,
        /// The organization.
        organization_id: Option<String>,
        /// The domain, for example `example.com`.
        name: Option<String>,
        /// How its people join.
        enrollment_mode: Option<EnrollmentMode>,
        /// The address by which the domain was verified.
        affiliation_email_address: Option<String>,
        /// Whether the domain is the organization's.
        verification: Option<Verification>,
        /// Whether somebody of the domain belongs to the organization.
        affiliation_verification: Option<Verification>,
        /// Whether the domain's name service says so.
        ownership_verification: Option<Verification>,
        /// How many invitations are open.
        total_pending_invitations: Option<i64>,
        /// How many suggestions are open.
        total_pending_suggestions: Option<i64>,
        /// What others may know of the organization.
        public_organization_data: Option<Json>,
        /// When it was added.
        created_at: Option<i64>,
        /// When it last changed.
        updated_at: Option<i64>,
    }
}

open_enum! {
    /// How the people of a domain join its organization.
    EnrollmentMode {
        AutomaticInvitation = "automatic_invitation",
        AutomaticSuggestion = "automatic_suggestion",
        EnterpriseSso = "enterprise_sso",
        ManualInvitation = "manual_invitation",
    }
}
