//! A user, and a deleted one.

use super::contact::{EmailAddress, ExternalAccount, PhoneNumber, VerificationStatus, Web3Wallet};
use super::json::Json;
use super::object::object;
use crate::ids::UserId;

object! {
    /// A user, from `user.created` or `user.updated`.
    ///
    /// Every member that Clerk may omit is optional; a member of an unexpected type is `None`. The
    /// `Debug` form shows only the id.
    User shows [id]
    completed by find_primary_email
    reads |raw, object, times| {
        /// Clerk's user id, `user_…`.
        id: UserId = object.id("id", UserId::parse)?,
        /// The time of creation, in milliseconds since 1970; never later than the delivery's
        /// tolerance allows.
        created_at: i64 = object.created_at(times),
        /// The time of this state of the user, in milliseconds since 1970: at least 1, and never
        /// later than the delivery's tolerance allows. The state with the largest time is the
        /// newest.
        updated_at: i64 = object.updated_at(times),
        /// The primary e-mail address: the one that `primary_email_address_id` identifies, never
        /// another. It may be unverified.
        email: Option<String> = None,
        /// Whether that address was verified; `None` without one, or without a status of its
        /// verification.
        email_verified: Option<bool> = None,
        /// The whole object, unchanged, for members that have no field here.
        data: Json = Json::new(raw),
    }
    members {
        /// The application's own id for the user.
        external_id: Option<String>,
        /// The first name.
        first_name: Option<String>,
        /// The last name.
        last_name: Option<String>,
        /// The user name.
        username: Option<String>,
        /// The URL of the user's picture.
        image_url: Option<String>,
        /// Whether the user chose this picture.
        has_image: Option<bool>,
        /// The language, for example `en-GB`.
        locale: Option<String>,
        /// The id of the primary one of `email_addresses`.
        primary_email_address_id: Option<String>,
        /// The id of the primary one of `phone_numbers`.
        primary_phone_number_id: Option<String>,
        /// The id of the primary one of `web3_wallets`.
        primary_web3_wallet_id: Option<String>,
        /// All e-mail addresses, verified or not.
        email_addresses: Vec<EmailAddress>,
        /// All phone numbers, verified or not.
        phone_numbers: Vec<PhoneNumber>,
        /// All Web3 wallets.
        web3_wallets: Vec<Web3Wallet>,
        /// The accounts at other providers.
        external_accounts: Vec<ExternalAccount>,
        /// The public metadata: readable by every client, writable only by the Backend API.
        public_metadata: Option<Json>,
        /// The private metadata: readable and writable only by the Backend API.
        private_metadata: Option<Json>,
        /// The unsafe metadata: writable by the user.
        unsafe_metadata: Option<Json>,
        /// Whether the user is banned from signing in.
        banned: Option<bool>,
        /// Whether the user is locked out for a while.
        locked: Option<bool>,
        /// Whether a directory revoked the user's access.
        deprovisioned: Option<bool>,
        /// Whether the user has a password.
        password_enabled: Option<bool>,
        /// Whether the user has a second factor.
        two_factor_enabled: Option<bool>,
        /// Whether the user has an authenticator app (TOTP) as a second factor.
        totp_enabled: Option<bool>,
        /// Whether the user has backup codes.
        backup_code_enabled: Option<bool>,
        /// The time at which the user first set up a second factor, in milliseconds since 1970.
        mfa_enabled_at: Option<i64>,
        /// The time at which the user removed the last second factor, in milliseconds since 1970.
        mfa_disabled_at: Option<i64>,
        /// The time of the last sign-in, in milliseconds since 1970.
        last_sign_in_at: Option<i64>,
        /// The time of the last activity, in milliseconds since 1970.
        last_active_at: Option<i64>,
        /// The time at which the user accepted the terms, in milliseconds since 1970.
        legal_accepted_at: Option<i64>,
        /// Whether the user may delete the account.
        delete_self_enabled: Option<bool>,
        /// Whether the user may create organizations.
        create_organization_enabled: Option<bool>,
        /// The number of organizations that the user may create.
        create_organizations_limit: Option<i64>,
    }
}

object! {
    /// A deleted user, from `user.deleted`.
    DeletedUser shows [id]
    reads |_, object, _| {
        /// Clerk's user id. It is optional in Clerk's own types: without it, no user is meant, and
        /// nothing may be deleted.
        id: Option<UserId> = object.optional_id("id", UserId::parse)?,
    }
    members {
        /// The application's own id for the user.
        external_id: Option<String>,
    }
}

fn find_primary_email(user: &mut User) {
    let Some(primary) = &user.primary_email_address_id else { return };
    let named = |address: &&EmailAddress| address.id.as_ref() == Some(primary);
    let Some(address) = user.email_addresses.iter().find(named) else { return };
    user.email.clone_from(&address.email_address);
    let status = address.verification.as_ref().and_then(|it| it.status.as_ref());
    let status = status.filter(|_| user.email.is_some());
    user.email_verified = status.map(|status| *status == VerificationStatus::Verified);
}
