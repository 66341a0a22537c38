//! How a user can be reached and recognised: addresses, numbers, wallets, accounts elsewhere.

use super::object::{object, open_enum};

object! {
    /// An e-mail address of a user. Times are milliseconds since 1970.
    EmailAddress shows [id]
    members {
        /// Clerk's id, `idn_…`.
        id: Option<String>,
        /// The address.
        email_address: Option<String>,
        /// Whether a sign-up that is not finished holds it.
        reserved: Option<bool>,
        /// Whether it belongs to the user, and how that is known.
        verification: Option<Verification>,
        /// When it was added.
        created_at: Option<i64>,
        /// When it last changed.
        updated_at: Option<i64>,
    }
}

object! {
    /// A phone number of a user. Times are milliseconds since 1970.
    PhoneNumber shows [id]
    members {
        /// Clerk's id, `idn_…`.
        id: Option<String>,
        /// The number, as E.164 writes it.
        phone_number: Option<String>,
        /// Whether a sign-up that is not finished holds it.
        reserved: Option<bool>,
        /// Whether it may serve as a second factor.
        reserved_for_second_factor: Option<bool>,
        /// Whether it is the second factor that is asked for first.
        default_second_factor: Option<bool>,
        /// Whether it belongs to the user, and how that is known.
        verification: Option<Verification>,
        /// When it was added.
        created_at: Option<i64>,
        /// When it last changed.
        updated_at: Option<i64>,
    }
}

object! {
    /// A wallet of a user. Times are milliseconds since 1970.
    Web3Wallet shows [id]
    members {
        /// Clerk's id, `idn_…`.
        id: Option<String>,
        /// The wallet's address.
        web3_wallet: Option<String>,
        /// Whether it belongs to the user, and how that is known.
        verification: Option<Verification>,
        /// When it was added.
        created_at: Option<i64>,
        /// When it last changed.
        updated_at: Option<i64>,
    }
}

object! {
    /// An account of a user at another provider.
    ExternalAccount shows [id, provider]
    members {
        /// Clerk's id.
        id: Option<String>,
        /// Which provider, for example `oauth_google`.
        provider: Option<String>,
        /// The user's id there.
        provider_user_id: Option<String>,
        /// The user's e-mail address there.
        email_address: Option<String>,
        /// The user's name there.
        username: Option<String>,
        /// What the user allowed, separated by spaces.
        approved_scopes: Option<String>,
        /// Whether it belongs to the user, and how that is known.
        verification: Option<Verification>,
    }
}

object! {
    /// Whether something belongs to somebody, and how that is known.
    Verification shows [status, strategy]
    members {
        /// How far it got.
        status: Option<VerificationStatus>,
        /// How it is done, for example `email_code`.
        strategy: Option<String>,
        /// How often it was tried.
        attempts: Option<i64>,
        /// When it has to be done by: milliseconds since 1970.
        expire_at: Option<i64>,
    }
}

open_enum! {
    /// How far a verification got.
    VerificationStatus {
        Expired = "expired",
        Failed = "failed",
        Transferable = "transferable",
        Unverified = "unverified",
        Verified = "verified",
    }
}
