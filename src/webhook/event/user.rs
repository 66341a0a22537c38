//! A user as Clerk describes one, and one who is gone.

use super::contact::{EmailAddress, ExternalAccount, PhoneNumber, Web3Wallet};
use super::json::Json;
use super::object::object;
use crate::ids::UserId;

object! {
    /// A user, from `user.created` or `user.updated`.
    ///
    /// Everything that Clerk may leave out is optional; what is of another type than Clerk says is
    /// `None`. The `Debug` form shows the id alone. Times are milliseconds since 1970.
    User shows [id]
    completed by find_primary_email
    reads |raw, object, times| {
        /// Clerk's user id, `user_…`.
        id: UserId = object.id("id", UserId::parse)?,
        /// When the user was created; never later than the delivery's tolerance allows.
        created_at: i64 = object.created_at(times),
        /// Which state of the user this is: at least 1, and never later than the delivery's
        /// tolerance allows. The newest state is the one with the largest number.
        updated_at: i64 = object.updated_at(times),
        /// The primary e-mail address: the one that `primary_email_address_id` names, never
        /// another.
        email: Option<String> = None,
        /// The whole object as it came, for what is not read here.
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
        /// Where the user's picture is.
        image_url: Option<String>,
        /// Whether the user chose that picture.
        has_image: Option<bool>,
        /// The language, for example `en-GB`.
        locale: Option<String>,
        /// Which of `email_addresses` is the primary one.
        primary_email_address_id: Option<String>,
        /// Which of `phone_numbers` is the primary one.
        primary_phone_number_id: Option<String>,
        /// Which of `web3_wallets` is the primary one.
        primary_web3_wallet_id: Option<String>,
        /// All e-mail addresses, verified or not.
        email_addresses: Vec<EmailAddress>,
        /// All phone numbers, verified or not.
        phone_numbers: Vec<PhoneNumber>,
        /// All wallets.
        web3_wallets: Vec<Web3Wallet>,
        /// Accounts at other providers.
        external_accounts: Vec<ExternalAccount>,
        /// What everybody may read and only the Backend API may write.
        public_metadata: Option<Json>,
        /// What only the Backend API may read and write.
        private_metadata: Option<Json>,
        /// What the user may write.
        unsafe_metadata: Option<Json>,
        /// Whether the user may not sign in any more.
        banned: Option<bool>,
        /// Whether the user may not sign in for a while.
        locked: Option<bool>,
        /// Whether a directory took the user's access away.
        deprovisioned: Option<bool>,
        /// Whether the user has a password.
        password_enabled: Option<bool>,
        /// Whether the user has a second factor.
        two_factor_enabled: Option<bool>,
        /// Whether that is an authenticator app.
        totp_enabled: Option<bool>,
        /// Whether the user has backup codes.
        backup_code_enabled: Option<bool>,
        /// When the user first set up a second factor.
        mfa_enabled_at: Option<i64>,
        /// When the user gave up the last second factor.
        mfa_disabled_at: Option<i64>,
        /// When the user last signed in.
        last_sign_in_at: Option<i64>,
        /// When the user was last seen.
        last_active_at: Option<i64>,
        /// When the user accepted the terms.
        legal_accepted_at: Option<i64>,
        /// Whether the user may delete the account.
        delete_self_enabled: Option<bool>,
        /// Whether the user may create organizations.
        create_organization_enabled: Option<bool>,
        /// How many organizations the user may create.
        create_organizations_limit: Option<i64>,
    }
}

object! {
    /// A user who is gone, from `user.deleted`.
    DeletedUser shows [id]
    reads |_, object, _| {
        /// Clerk's user id. Clerk's own types make it optional: without it, nobody is meant, and
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
    user.email = user.email_addresses.iter().find(named).and_then(|it| it.email_address.clone());
}
