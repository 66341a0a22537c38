//! An invitation to an organization.

use super::json::Json;
use super::object::{object, open_enum};

object! {
    /// An invitation, from an event of `organizationInvitation.…`.
    OrganizationInvitation shows [id, organization_id, status]
    members {
        /// Clerk's id, `orginv_…`.
        id: Option<String>,
        /// The organization's id.
        organization_id: Option<String>,
        /// The invited person's e-mail address.
        email_address: Option<String>,
        /// The role that the member will have, for example `org:member`.
        role: Option<String>,
        /// The role's display name.
        role_name: Option<String>,
        /// The inviting user's id.
        inviter_id: Option<String>,
        /// The inviting user's data that others may see.
        public_inviter_data: Option<Json>,
        /// The organization's data that others may see.
        public_organization_data: Option<Json>,
        /// The status.
        status: Option<InvitationStatus>,
        /// The id of the user who accepted it.
        user_id: Option<String>,
        /// The URL at which it is accepted.
        url: Option<String>,
        /// The public metadata that the membership will have.
        public_metadata: Option<Json>,
        /// The private metadata that the membership will have.
        private_metadata: Option<Json>,
        /// The time of expiry, in milliseconds since 1970.
        expires_at: Option<i64>,
        /// The time of creation, in milliseconds since 1970.
        created_at: Option<i64>,
        /// The time of the last change, in milliseconds since 1970.
        updated_at: Option<i64>,
    }
}

open_enum! {
    /// The status of an invitation.
    InvitationStatus {
        Accepted = "accepted",
        Expired = "expired",
        Pending = "pending",
        Revoked = "revoked",
    }
}
