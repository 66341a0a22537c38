//! E-mails and text messages. They carry one-time codes: nothing of their content is ever shown.

use super::json::Json;
use super::object::object;

object! {
    /// An e-mail, from `email.created`.
    ///
    /// It may carry a one-time code, which opens an account: never log it. The `Debug` form shows
    /// which e-mail it is, and nothing that it says or to whom.
    Email shows [id, slug, status]
    members {
        /// Clerk's id, `ema_…`.
        id: Option<String>,
        /// Which template, for example `verification_code`.
        slug: Option<String>,
        /// The part before the `@` that it comes from.
        from_email_name: Option<String>,
        /// The part before the `@` that an answer goes to.
        reply_to_email_name: Option<String>,
        /// Whom it goes to.
        to_email_address: Option<String>,
        /// Clerk's id of that address.
        email_address_id: Option<String>,
        /// The user it goes to.
        user_id: Option<String>,
        /// The subject. It may hold the code.
        subject: Option<String>,
        /// The body, HTML. It may hold the code.
        body: Option<String>,
        /// The body as text. It may hold the code.
        body_plain: Option<String>,
        /// What became of it, for example `queued`.
        status: Option<String>,
        /// What the template was filled with, the code included.
        data: Option<Json>,
        /// Whether Clerk delivers it; if not, the application has to.
        delivered_by_clerk: Option<bool>,
    }
}

object! {
    /// A text message, from `sms.created`.
    ///
    /// It may carry a one-time code, which opens an account: never log it. The `Debug` form shows
    /// which message it is, and nothing that it says or to whom.
    Sms shows [id, slug, status]
    members {
        /// Clerk's id, `sms_…`.
        id: Option<String>,
        /// Which template, for example `verification_code`.
        slug: Option<String>,
        /// The number that it comes from.
        from_phone_number: Option<String>,
        /// The number that it goes to.
        to_phone_number: Option<String>,
        /// Clerk's id of that number.
        phone_number_id: Option<String>,
        /// The user it goes to.
        user_id: Option<String>,
        /// The text. It may hold the code.
        message: Option<String>,
        /// What became of it, for example `queued`.
        status: Option<String>,
        /// What the template was filled with, the code included.
        data: Option<Json>,
        /// Whether Clerk delivers it; if not, the application has to.
        delivered_by_clerk: Option<bool>,
    }
}
