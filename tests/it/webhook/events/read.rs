//! What is read out of whole samples.

use serde_json::{Value, json};
use tower_clerk::webhook::Event;
use tower_clerk::webhook::event::{
    ChargeType, EnrollmentMode, InvitationStatus, PaymentStatus, SessionStatus, SubscriptionStatus,
    VerificationStatus, WaitlistStatus,
};

use super::samples::{TYPES, arrives, is_unknown, sample};

macro_rules! read {
    ($kind:literal as $variant:ident) => {
        match arrives($kind, &sample(TYPES.iter().find(|(kind, _)| *kind == $kind).unwrap().1))
            .await
            .event()
        {
            Event::$variant(data) => data.clone(),
            other => panic!("{other:?}"),
        }
    };
}

#[tokio::test]
async fn every_type_is_read_and_its_debug_form_tells_nothing_private() {
    for (kind, name) in TYPES {
        let delivery = arrives(kind, &sample(name)).await;
        assert!(!is_unknown(delivery.event()), "{kind}");
        let shown = format!("{delivery:?}");
        assert!(!shown.contains("private") && !shown.contains("203.0.113"), "{shown}");
        assert_eq!(delivery.data().parse::<Value>().unwrap(), sample(name));
        assert_eq!(delivery.instance_id(), Some("ins_1"));
        let attributes: Value = delivery.attributes().unwrap().parse().unwrap();
        assert_eq!(attributes["http_request"]["client_ip"], "203.0.113.7");
    }
}

#[tokio::test]
async fn a_part_of_an_event_tells_nothing_private_either() {
    let user = read!("user.updated" as UserUpdated);
    let membership = read!("organizationMembership.created" as OrganizationMembershipCreated);
    let session = read!("session.created" as SessionCreated);
    let subscription = read!("subscription.active" as SubscriptionActive);
    let attempt = read!("paymentAttempt.created" as PaymentAttemptCreated);
    for shown in [
        format!("{:?}", user.data),
        format!("{:?}", user.public_metadata),
        format!("{:?}", user.email_addresses),
        format!("{:?}", user.phone_numbers),
        format!("{:?}", user.web3_wallets),
        format!("{:?}", user.external_accounts),
        format!("{:?}", membership.public_user_data),
        format!("{:?}", membership.organization),
        format!("{:?} {:?}", session.user, session.latest_activity),
        format!("{:?} {:?}", subscription.payer, subscription.items),
        format!("{:?} {:?}", attempt.payment_source, attempt.failed_reason),
    ] {
        assert!(!shown.contains("private") && shown.len() > 4, "{shown}");
    }
}

#[tokio::test]
async fn what_data_says_of_itself_does_not_choose_the_type() {
    let mut data = sample("waitlist_entry");
    for object in [json!("user"), json!("organization"), json!(null), json!(7)] {
        data["object"] = object;
        let delivery = arrives("waitlistEntry.created", &data).await;
        assert!(matches!(delivery.event(), Event::WaitlistEntryCreated(_)));
    }
}

#[tokio::test]
async fn an_unknown_text_of_a_known_set_is_kept() {
    let mut data = sample("session");
    data["status"] = json!("hibernating");
    let delivery = arrives("session.created", &data).await;
    let Event::SessionCreated(session) = delivery.event() else { panic!() };
    assert_eq!(session.status, Some(SessionStatus::Unknown("hibernating".into())));
    assert_eq!(session.status.as_ref().unwrap().as_str(), "hibernating");
}

#[tokio::test]
async fn users_and_their_sessions() {
    let user = read!("user.created" as UserCreated);
    assert_eq!(user.id, "user_2xKq8Lm");
    assert_eq!(user.email.as_deref(), Some("private-robin@example.org"));
    assert_eq!(user.external_id.as_deref(), Some("app-4711"));
    assert_eq!(user.locale.as_deref(), Some("sv-SE"));
    assert_eq!(user.create_organizations_limit, Some(5));
    assert_eq!((user.banned, user.two_factor_enabled), (Some(false), Some(true)));
    let verification = user.email_addresses[0].verification.as_ref().unwrap();
    assert_eq!(verification.status, Some(VerificationStatus::Unverified));
    assert_eq!((verification.attempts, verification.expire_at), (Some(2), Some(1_790_000_300_000)));
    assert_eq!(user.phone_numbers[0].phone_number.as_deref(), Some("+4670private"));
    assert_eq!(user.web3_wallets[0].web3_wallet.as_deref(), Some("0xprivate"));
    assert_eq!(user.external_accounts[0].provider.as_deref(), Some("oauth_google"));
    let metadata: Value = user.private_metadata.as_ref().unwrap().parse().unwrap();
    assert_eq!(metadata["private-plan"], 3);

    let deleted = read!("user.deleted" as UserDeleted);
    assert_eq!(deleted.id.as_deref(), Some("user_2xKq8Lm"));
    assert_eq!(deleted.external_id.as_deref(), Some("app-4711"));

    let session = read!("session.pending" as SessionPending);
    assert_eq!(session.status, Some(SessionStatus::Active));
    assert_eq!(session.last_active_organization_id.as_deref(), Some("org_5Tz"));
    assert_eq!(session.user.unwrap().first_name.as_deref(), Some("private-Robin"));
    assert!(session.actor.is_none());
}

#[tokio::test]
async fn organizations_and_who_belongs_to_them() {
    let organization = read!("organization.updated" as OrganizationUpdated);
    assert_eq!(organization.id, "org_5Tz");
    assert_eq!(organization.max_allowed_memberships, Some(20));
    assert_eq!(organization.created_by.as_deref(), Some("user_2xKq8Lm"));
    // Later than the clock of these tests, so no later than its tolerance.
    assert_eq!(organization.updated_at, 1_649_367_853_000);

    let deleted = read!("organization.deleted" as OrganizationDeleted);
    assert_eq!(deleted.id.as_deref(), Some("org_5Tz"));

    let membership = read!("organizationMembership.deleted" as OrganizationMembershipDeleted);
    assert_eq!(membership.id.as_deref(), Some("orgmem_3Rf"));
    assert_eq!(membership.organization_id.as_deref(), Some("org_5Tz"));
    assert_eq!(membership.user_id.as_deref(), Some("user_2xKq8Lm"));
    assert_eq!(membership.role.as_deref(), Some("org:admin"));
    let membership = read!("organizationMembership.updated" as OrganizationMembershipUpdated);
    assert_eq!(membership.organization.name.as_deref(), Some("private-Lantern Works"));
    assert_eq!(membership.permissions[1], "org:invoices:create");

    let invitation = read!("organizationInvitation.accepted" as OrganizationInvitationAccepted);
    assert_eq!(invitation.status, Some(InvitationStatus::Pending));
    assert_eq!(invitation.user_id.as_deref(), Some("user_9Kim"));

    let domain = read!("organizationDomain.updated" as OrganizationDomainUpdated);
    assert_eq!(domain.enrollment_mode, Some(EnrollmentMode::AutomaticInvitation));
    assert_eq!(domain.total_pending_invitations, Some(2));

    let role = read!("role.created" as RoleCreated);
    assert_eq!(role.key.as_deref(), Some("org:bookkeeper"));
    assert_eq!(role.permissions[0].kind.as_deref(), Some("user"));
    let deleted = read!("role.deleted" as RoleDeleted);
    assert_eq!(deleted.id.as_deref(), Some("role_6Ws"));
    let permission = read!("permission.updated" as PermissionUpdated);
    assert_eq!(permission.key.as_deref(), Some("org:invoices:create"));
}

#[tokio::test]
async fn messages_waiting_lists_and_payments() {
    let email = read!("email.created" as EmailCreated);
    assert_eq!(email.slug.as_deref(), Some("verification_code"));
    assert_eq!(email.body_plain.as_deref(), Some("private-418295"));
    let sms = read!("sms.created" as SmsCreated);
    assert_eq!(sms.delivered_by_clerk, Some(false));
    assert_eq!(sms.message.as_deref(), Some("private-418295 is your code"));

    let entry = read!("waitlistEntry.updated" as WaitlistEntryUpdated);
    assert_eq!(entry.status, Some(WaitlistStatus::Invited));

    let subscription = read!("subscription.pastDue" as SubscriptionPastDue);
    assert_eq!(subscription.status, Some(SubscriptionStatus::PastDue));
    assert_eq!(subscription.items[0].plan_id.as_deref(), Some("cplan_1"));
    assert_eq!(subscription.payer.unwrap().user_id.as_deref(), Some("user_2xKq8Lm"));
    let item = read!("subscriptionItem.freeTrialEnding" as SubscriptionItemFreeTrialEnding);
    assert_eq!((item.is_free_trial, item.interval.as_deref()), (Some(true), Some("month")));
    let attempt = read!("paymentAttempt.updated" as PaymentAttemptUpdated);
    assert_eq!(attempt.status, Some(PaymentStatus::Failed));
    assert_eq!(attempt.charge_type, Some(ChargeType::Recurring));
    assert_eq!(attempt.subscription_items[0].status, Some(SubscriptionStatus::PastDue));
}
