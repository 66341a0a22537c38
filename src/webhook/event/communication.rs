//! E-mails and text messages. They carry one-time codes, so `Debug` shows nothing of their content.

use super::json::Json;
use super::object::object;

object! {
    /// An e-mail, from `email.created`.
    ///
    /// It may carry a one-time code, which opens an account: never log it. The `Debug` form shows
    /// neither content nor recipient.
    Email shows [id, slug, status]
    members {
        /// Clerk's id, `ema_…`.
        id: Option<String>,
        /// The template's slug, for example `verification_code`.
        slug: Option<String>,
        /// The local part (before the `@`) of the sender's address.
        from_email_name: Option<String>,
        /// The local part (before the `@`) of the reply address.
        reply_to_email_name: Option<String>,
        /// The recipient's address.
        to_email_address: Option<String>,
        /// Clerk's id of the recipient's address.
        email_address_id: Option<String>,
        /// The recipient's user id.
        user_id: Option<String>,
        /// The subject. It may contain the code.
        subject: Option<String>,
        /// The body as HTML. It may contain the code.
        body: Option<String>,
        /// The body as text. It may contain the code.
        body_plain: Option<String>,
        /// The status, for example `queued`.
        status: Option<String>,
        /// The template's variables, including the code.
        data: Option<Json>,
        /// Whether Clerk delivers it. If not, the application must.
        delivered_by_clerk: Option<bool>,
    }
}

object! {
    /// A text message, from `sms.created`.
    ///
    /// It may carry a one-time code, which opens an account: never log it. The `Debug` form shows
    /// neither content nor recipient.
    Sms shows [id, slug, status]
    members {
        /// Clerk's id, `sms_…`.
        id: Option<String>,
        /// The template's slug, for example `verification_code`.
        slug: Option<String>,
        /// The sender's number.
        from_phone_number: Option<String>,
        /// The recipient's number.
        to_phone_number: Option<String>,
        /// Clerk's id of the recipient's number.
        phone_number_id: Option<String>,
        /// The recipient's user id.
        user_id: Option<String>,
        /// The text. It may contain the code.
        message: Option<String>,
        /// The status, for example `queued`.
        status: Option<String>,
        /// The template's variables, including the code.
        data: Option<Json>,
        /// Whether Clerk delivers it. If not, the application must.
        delivered_by_clerk: Option<bool>,
    }
}
