//! `examples/two_instances.rs`.

#[expect(dead_code, reason = "tests start it without its `main`")]
#[path = "../../../examples/two_instances.rs"]
mod example;

use tower_clerk::test_util::Issuer;

use super::{curl, follow, serve};
use example::Instance;

#[tokio::test]
async fn a_handler_knows_customers_from_staff_also_when_their_user_ids_are_the_same() {
    let customers = Issuer::new("https://clerk.example.com", "ins_1");
    let staff = Issuer::new("https://clerk.staff.example.com", "ins_2");
    let instance = |issuer| Instance::stand_in(issuer).unwrap();
    let addr = serve(example::app(instance(&customers), instance(&staff)).unwrap()).await;
    let (customer, colleague) = (customers.token("user_1").mint(), staff.token("user_1").mint());
    let bodies = follow(&example::instructions(addr, &customer, &colleague)).await;
    assert_eq!(
        bodies,
        [
            "The orders of user_1.\n",
            "All orders, for user_1 of the staff.\n",
            "",
            "All refunds, for user_1 of the staff.\n",
        ]
    );
}

#[tokio::test]
async fn a_token_is_judged_by_the_instance_that_it_names_and_by_no_other_key() {
    let customers = Issuer::new("https://clerk.example.com", "ins_1");
    let staff = Issuer::new("https://clerk.staff.example.com", "ins_2");
    let instance = |issuer| Instance::stand_in(issuer).unwrap();
    let addr = serve(example::app(instance(&customers), instance(&staff)).unwrap()).await;
    let ask = async |token: String| {
        let header = format!("authorization: Bearer {token}");
        curl(&["-H".to_owned(), header, format!("http://{addr}/refunds")]).await
    };
    assert_eq!(ask(staff.token("user_1").mint()).await.0, 200);
    let refused = (401, r#"{"detail":"Invalid token"}"#.to_owned());
    // A customer's key that claims to be the staff's issuer, and an issuer that nobody named.
    assert_eq!(ask(customers.token("user_1").claim("iss", staff.iss()).mint()).await, refused);
    let stranger = Issuer::new("https://clerk.other.example", "ins_2");
    assert_eq!(ask(stranger.token("user_1").mint()).await, refused);
}
