//! What is paid for: subscriptions, their items, and payments.

use super::json::Json;
use super::object::{object, open_enum};

object! {
    /// A subscription, from an event of `subscription.…`. Times are milliseconds since 1970.
    Subscription shows [id, status, payer_id]
    members {
        /// Clerk's id.
        id: Option<String>,
        /// How it stands.
        status: Option<SubscriptionStatus>,
        /// Who pays: Clerk's id of the payer.
        payer_id: Option<String>,
        /// Who pays: a user or an organization.
        payer: Option<Payer>,
        /// What it is paid with.
        payment_source_id: Option<String>,
        /// The last payment for it.
        latest_payment_id: Option<String>,
        /// What it consists of.
        items: Vec<SubscriptionItem>,
        /// When it became active.
        active_at: Option<i64>,
        /// When it was canceled.
        canceled_at: Option<i64>,
        /// When it ended.
        ended_at: Option<i64>,
        /// Since when a payment is overdue.
        past_due_at: Option<i64>,
        /// When it was made.
        created_at: Option<i64>,
        /// When it last changed.
        updated_at: Option<i64>,
    }
}

object! {
    /// A plan that is subscribed to, from an event of `subscriptionItem.…`. Times are milliseconds
    /// since 1970.
    SubscriptionItem shows [id, status, plan_id]
    members {
        /// Clerk's id.
        id: Option<String>,
        /// How it stands.
        status: Option<SubscriptionStatus>,
        /// Whether it is being tried for nothing.
        is_free_trial: Option<bool>,
        /// The plan's id.
        plan_id: Option<String>,
        /// The plan.
        plan: Option<Json>,
        /// How often it is paid, for example `month`; some of Clerk's types call it `plan_period`.
        interval: Option<String>,
        /// The same, by its other name.
        plan_period: Option<String>,
        /// When the period that is paid began.
        period_start: Option<i64>,
        /// When it ends.
        period_end: Option<i64>,
        /// The subscription that it is part of.
        subscription_id: Option<String>,
        /// Who pays: a user or an organization.
        payer: Option<Payer>,
        /// What a period costs.
        amount: Option<Json>,
        /// How many seats are paid for.
        seats: Option<Json>,
        /// When it was made.
        created_at: Option<i64>,
        /// When it last changed.
        updated_at: Option<i64>,
    }
}

object! {
    /// An attempt to be paid, from an event of `paymentAttempt.…`. Times are milliseconds since
    /// 1970.
    PaymentAttempt shows [id, status, payment_id]
    members {
        /// Clerk's id.
        id: Option<String>,
        /// The payment.
        payment_id: Option<String>,
        /// The invoice.
        invoice_id: Option<String>,
        /// The statement.
        statement_id: Option<String>,
        /// The payment provider's id.
        gateway_external_id: Option<String>,
        /// How it went.
        status: Option<PaymentStatus>,
        /// Why it failed: `code` and `decline_code`.
        failed_reason: Option<Json>,
        /// First payment, or one that comes again.
        charge_type: Option<ChargeType>,
        /// Who pays: a user or an organization.
        payer: Option<Payer>,
        /// Who is paid.
        payee: Option<Json>,
        /// What it is paid with.
        payment_source: Option<Json>,
        /// The amounts.
        totals: Option<Json>,
        /// What is paid for.
        subscription_items: Vec<SubscriptionItem>,
        /// The day that it is for.
        billing_date: Option<i64>,
        /// When it was paid.
        paid_at: Option<i64>,
        /// When it failed.
        failed_at: Option<i64>,
        /// When it was made.
        created_at: Option<i64>,
        /// When it last changed.
        updated_at: Option<i64>,
    }
}

object! {
    /// Who pays: a user or an organization.
    Payer shows [id, user_id, organization_id]
    members {
        /// Clerk's id of the payer.
        id: Option<String>,
        /// The user.
        user_id: Option<String>,
        /// The organization.
        organization_id: Option<String>,
        /// The user's e-mail address.
        email: Option<String>,
    }
}

open_enum! {
    /// How a subscription or one of its items stands.
    SubscriptionStatus {
        Abandoned = "abandoned",
        Active = "active",
        Canceled = "canceled",
        Ended = "ended",
        Expired = "expired",
        Incomplete = "incomplete",
        PastDue = "past_due",
        Upcoming = "upcoming",
    }
}

open_enum! {
    /// How an attempt to be paid went.
    PaymentStatus {
        Failed = "failed",
        Paid = "paid",
        Pending = "pending",
    }
}

open_enum! {
    /// First payment, or one that comes again.
    ChargeType {
        Checkout = "checkout",
        Recurring = "recurring",
    }
}
