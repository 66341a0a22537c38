//! A domain of an organization.

use super::contact::Verification;
use super::json::Json;
use super::object::{object, open_enum};

object! {
    /// A domain of an organization, from `organizationDomain.created` or `.updated`. Owners of its
    /// addresses may join the organization.
    OrganizationDomain shows [id, organization_id]
    members {
        /// Clerk's id, `orgdmn_…`.
        id: Option<String>,
        /// The organization's id.
        organization_id: Option<String>,
        /// The domain, for example `example.com`.
        name: Option<String>,
        /// The way in which owners of its addresses join.
        enrollment_mode: Option<EnrollmentMode>,
        /// The address with which the domain was verified.
        affiliation_email_address: Option<String>,
        /// The verification that the domain is the organization's.
        verification: Option<Verification>,
        /// The verification that a holder of an address at the domain is a member.
        affiliation_verification: Option<Verification>,
        /// The verification of ownership, by a record in the DNS.
        ownership_verification: Option<Verification>,
        /// The number of open invitations.
        total_pending_invitations: Option<i64>,
        /// The number of open suggestions.
        total_pending_suggestions: Option<i64>,
        /// The organization's data that others may see.
        public_organization_data: Option<Json>,
        /// The time of creation, in milliseconds since 1970.
        created_at: Option<i64>,
        /// The time of the last change, in milliseconds since 1970.
        updated_at: Option<i64>,
    }
}

open_enum! {
    /// A way in which owners of a domain's addresses join its organization.
    EnrollmentMode {
        AutomaticInvitation = "automatic_invitation",
        AutomaticSuggestion = "automatic_suggestion",
        EnterpriseSso = "enterprise_sso",
        ManualInvitation = "manual_invitation",
    }
}
