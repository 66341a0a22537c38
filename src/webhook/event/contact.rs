//! A user's e-mail addresses, phone numbers, wallets and external accounts.

use super::object::{object, open_enum};

object! {
    /// An e-mail address of a user.
    EmailAddress shows [id]
    members {
        /// Clerk's id, `idn_…`.
        id: Option<String>,
        /// The address.
        email_address: Option<String>,
        /// Whether an unfinished sign-up holds it.
        reserved: Option<bool>,
        /// The verification that it belongs to the user.
        verification: Option<Verification>,
        /// The time of creation, in milliseconds since 1970.
        created_at: Option<i64>,
        /// The time of the last change, in milliseconds since 1970.
        updated_at: Option<i64>,
    }
}

object! {
    /// A phone number of a user.
    PhoneNumber shows [id]
    members {
        /// Clerk's id, `idn_…`.
        id: Option<String>,
        /// The number in E.164 format.
        phone_number: Option<String>,
        /// Whether an unfinished sign-up holds it.
        reserved: Option<bool>,
        /// Whether it may be used as a second factor.
        reserved_for_second_factor: Option<bool>,
        /// Whether it is the default second factor.
        default_second_factor: Option<bool>,
        /// The verification that it belongs to the user.
        verification: Option<Verification>,
        /// The time of creation, in milliseconds since 1970.
        created_at: Option<i64>,
        /// The time of the last change, in milliseconds since 1970.
        updated_at: Option<i64>,
    }
}

object! {
    /// A Web3 wallet of a user.
    Web3Wallet shows [id]
    members {
        /// Clerk's id, `idn_…`.
        id: Option<String>,
        /// The wallet's address.
        web3_wallet: Option<String>,
        /// The verification that it belongs to the user.
        verification: Option<Verification>,
        /// The time of creation, in milliseconds since 1970.
        created_at: Option<i64>,
        /// The time of the last change, in milliseconds since 1970.
        updated_at: Option<i64>,
    }
}

object! {
    /// An account of a user at another provider.
    ExternalAccount shows [id, provider]
    members {
        /// Clerk's id.
        id: Option<String>,
        /// The provider, for example `oauth_google`.
        provider: Option<String>,
        /// The user's id at the provider.
        provider_user_id: Option<String>,
        /// The user's e-mail address at the provider.
        email_address: Option<String>,
        /// The user's name at the provider.
        username: Option<String>,
        /// The scopes that the user approved, separated by spaces.
        approved_scopes: Option<String>,
        /// The verification that it belongs to the user.
        verification: Option<Verification>,
    }
}

object! {
    /// A verification of who owns an address, a number, a wallet, an account or a domain.
    Verification shows [status, strategy]
    members {
        /// The status.
        status: Option<VerificationStatus>,
        /// The method, for example `email_code`.
        strategy: Option<String>,
        /// The number of attempts.
        attempts: Option<i64>,
        /// The deadline, in milliseconds since 1970.
        expire_at: Option<i64>,
    }
}

open_enum! {
    /// The status of a verification.
    VerificationStatus {
        Expired = "expired",
        Failed = "failed",
        Transferable = "transferable",
        Unverified = "unverified",
        Verified = "verified",
    }
}
