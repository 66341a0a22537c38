//! Billing: subscriptions, their items, and payments.

use super::json::Json;
use super::object::{object, open_enum};

object! {
    /// A subscription, from an event of `subscription.…`.
    Subscription shows [id, status, payer_id]
    members {
        /// Clerk's id.
        id: Option<String>,
        /// The status.
        status: Option<SubscriptionStatus>,
        /// Clerk's id of the payer.
        payer_id: Option<String>,
        /// The payer: a user or an organization.
        payer: Option<Payer>,
        /// The id of the payment source.
        payment_source_id: Option<String>,
        /// The id of the latest payment.
        latest_payment_id: Option<String>,
        /// The items.
        items: Vec<SubscriptionItem>,
        /// The time of activation, in milliseconds since 1970.
        active_at: Option<i64>,
        /// The time of cancellation, in milliseconds since 1970.
        canceled_at: Option<i64>,
        /// The time at which it ended, in milliseconds since 1970.
        ended_at: Option<i64>,
        /// The time since which a payment is overdue, in milliseconds since 1970.
        past_due_at: Option<i64>,
        /// The time of creation, in milliseconds since 1970.
        created_at: Option<i64>,
        /// The time of the last change, in milliseconds since 1970.
        updated_at: Option<i64>,
    }
}

object! {
    /// A subscription to one plan, from an event of `subscriptionItem.…`.
    SubscriptionItem shows [id, status, plan_id]
    members {
        /// Clerk's id.
        id: Option<String>,
        /// The status.
        status: Option<SubscriptionStatus>,
        /// Whether it is a free trial.
        is_free_trial: Option<bool>,
        /// The id of the plan.
        plan_id: Option<String>,
        /// The plan.
        plan: Option<Json>,
        /// The payment interval, for example `month`; some of Clerk's types call it `plan_period`.
        interval: Option<String>,
        /// The payment interval under its other name; see `interval`.
        plan_period: Option<String>,
        /// The start of the paid period, in milliseconds since 1970.
        period_start: Option<i64>,
        /// The end of the paid period, in milliseconds since 1970.
        period_end: Option<i64>,
        /// The id of the subscription that it belongs to.
        subscription_id: Option<String>,
        /// The payer: a user or an organization.
        payer: Option<Payer>,
        /// The price of a period.
        amount: Option<Json>,
        /// The paid seats.
        seats: Option<Json>,
        /// The time of creation, in milliseconds since 1970.
        created_at: Option<i64>,
        /// The time of the last change, in milliseconds since 1970.
        updated_at: Option<i64>,
    }
}

object! {
    /// A payment attempt, from an event of `paymentAttempt.…`.
    PaymentAttempt shows [id, status, payment_id]
    members {
        /// Clerk's id.
        id: Option<String>,
        /// The id of the payment.
        payment_id: Option<String>,
        /// The id of the invoice.
        invoice_id: Option<String>,
        /// The id of the statement.
        statement_id: Option<String>,
        /// The payment provider's id of the attempt.
        gateway_external_id: Option<String>,
        /// The status.
        status: Option<PaymentStatus>,
        /// The reason of a failure: `code` and `decline_code`.
        failed_reason: Option<Json>,
        /// The type of charge: a first payment or a recurring one.
        charge_type: Option<ChargeType>,
        /// The payer: a user or an organization.
        payer: Option<Payer>,
        /// The payee.
        payee: Option<Json>,
        /// The payment source.
        payment_source: Option<Json>,
        /// The amounts.
        totals: Option<Json>,
        /// The subscription items that are paid for.
        subscription_items: Vec<SubscriptionItem>,
        /// The billing date, in milliseconds since 1970.
        billing_date: Option<i64>,
        /// The time of payment, in milliseconds since 1970.
        paid_at: Option<i64>,
        /// The time of the failure, in milliseconds since 1970.
        failed_at: Option<i64>,
        /// The time of creation, in milliseconds since 1970.
        created_at: Option<i64>,
        /// The time of the last change, in milliseconds since 1970.
        updated_at: Option<i64>,
    }
}

object! {
    /// A payer: a user or an organization.
    Payer shows [id, user_id, organization_id]
    members {
        /// Clerk's id of the payer.
        id: Option<String>,
        /// The user's id.
        user_id: Option<String>,
        /// The organization's id.
        organization_id: Option<String>,
        /// The user's e-mail address.
        email: Option<String>,
    }
}

open_enum! {
    /// The status of a subscription or of one of its items.
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
    /// The status of a payment attempt.
    PaymentStatus {
        Failed = "failed",
        Paid = "paid",
        Pending = "pending",
    }
}

open_enum! {
    /// The type of a charge: a first payment or a recurring one.
    ChargeType {
        Checkout = "checkout",
        Recurring = "recurring",
    }
}
