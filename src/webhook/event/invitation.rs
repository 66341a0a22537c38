//! An invitation to an organization.

use super::json::Json;
use super::object::{object, open_enum};

object! {
    /// An invitation, from an event of `organizationInvitation.…`. Times are milliseconds since
    /// 1970.
    OrganizationInvitation shows [id, organization_id, status]
    members {
        /// Clerk's id, `orginv_…`.
        id: Option<String>,
        /// The organization.
        organization_id: Option<String>,
        /// Who is invited.
        email_address: Option<String>,
        /// The role that waits, for example `org:member`.
        role: Option<String>,
        /// The role's name for people.
        role_name: Option<String>,
        /// The user who invites.
        inviter_id: Option<String>,
        /// What others may know of that user.
        public_inviter_data: Option<Json>,
        /// What others may know of the organization.
        public_organization_data: Option<Json>,
        /// What became of it.
        status: Option<InvitationStatus>,
        /// The user who accepted it.
        user_id: Option<String>,
        /// Where it is accepted.
        url: Option<String>,
        /// What the membership's public metadata will be.
        public_metadata: Option<Json>,
        /// What the membership's private metadata will be.
        private_metadata: Option<Json>,
        /// When it ends.
        expires_at: Option<i64>,
        /// When it was made.
        created_at: Option<i64>,
        /// When it last changed.
        updated_at: Option<i64>,
    }
}

open_enum! {
    /// What became of an invitation.
    InvitationStatus {
        Accepted = "accepted",
        Expired = "expired",
        Pending = "pending",
        Revoked = "revoked",
    }
}
