//! Two instances of Clerk behind one layer, customers in one and staff in the other, and handlers
//! that tell them apart.
//!
//! It needs no account: without `CUSTOMERS_PUBLISHABLE_KEY` and `STAFF_PUBLISHABLE_KEY` it stands
//! in for both instances and prints tokens.
//!
//! ```sh
//! cargo run --example two_instances
//! ```
#![allow(clippy::print_stdout, reason = "a program prints for its user")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::routing::get;
use tokio::net::TcpListener;
use tower_clerk::axum::SessionRejection;
use tower_clerk::session::{ClerkAuthLayer, PemKey, Session, Verifier};
use tower_clerk::test_util::Issuer;
use tower_clerk::{ConfigError, PublishableKey};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let listener = TcpListener::bind("127.0.0.1:3001").await?;
    let addr = listener.local_addr()?;
    let keys = (std::env::var("CUSTOMERS_PUBLISHABLE_KEY"), std::env::var("STAFF_PUBLISHABLE_KEY"));
    let (customers, staff) = if let (Ok(customers), Ok(staff)) = keys {
        println!("{}", instructions(addr, TOKEN_OF_YOURS, TOKEN_OF_YOURS));
        (Instance::of_key(&customers)?, Instance::of_key(&staff)?)
    } else {
        let customers = Issuer::new("https://clerk.example.com", "ins_customers");
        let staff = Issuer::new("https://clerk.staff.example.com", "ins_staff");
        let token = |issuer: &Issuer| {
            issuer.token("user_1").expires_after(Duration::from_secs(3600)).mint()
        };
        println!("{}", instructions(addr, &token(&customers), &token(&staff)));
        (Instance::stand_in(&customers)?, Instance::stand_in(&staff)?)
    };
    axum::serve(listener, app(customers, staff)?).await?;
    Ok(())
}

/// An instance of Clerk: the `iss` of its tokens, and their verifier.
pub(crate) struct Instance {
    issuer: String,
    verifier: Verifier,
}

impl Instance {
    fn of_key(text: &str) -> Result<Self, ConfigError> {
        let key = PublishableKey::parse(text)?;
        Ok(Self { issuer: key.issuer(), verifier: Verifier::for_instance(&key)?.build()? })
    }

    /// Returns an instance whose tokens are signed by `issuer`.
    pub(crate) fn stand_in(issuer: &Issuer) -> Result<Self, ConfigError> {
        let verifier = Verifier::builder(issuer.iss(), PemKey::parse(&issuer.pem())?).build()?;
        Ok(Self { issuer: issuer.iss().to_owned(), verifier })
    }
}

/// Returns the whole service. Each token is verified with the keys of the instance that its `iss`
/// names, and with no others.
pub(crate) fn app(customers: Instance, staff: Instance) -> Result<Router, ConfigError> {
    let verifier = Verifier::any_of([customers.verifier, staff.verifier])?;
    Ok(Router::new()
        .route("/orders", get(orders))
        .route("/refunds", get(refunds))
        .route_layer(ClerkAuthLayer::new(verifier))
        .with_state(StaffIssuer(staff.issuer.into())))
}

async fn orders(caller: Caller) -> String {
    match caller {
        Caller::Customer(session) => format!("The orders of {}.\n", session.user_id()),
        Caller::Staff(session) => format!("All orders, for {} of the staff.\n", session.user_id()),
    }
}

async fn refunds(caller: Caller) -> Result<String, StatusCode> {
    let Caller::Staff(session) = caller else { return Err(StatusCode::FORBIDDEN) };
    Ok(format!("All refunds, for {} of the staff.\n", session.user_id()))
}

/// The user who sent a request.
///
/// The same user id in both instances is two people: a row that belongs to a user needs the
/// instance beside the id.
enum Caller {
    Customer(Session),
    Staff(Session),
}

#[derive(Clone)]
struct StaffIssuer(Arc<str>);

impl FromRequestParts<StaffIssuer> for Caller {
    type Rejection = SessionRejection;

    async fn from_request_parts(
        parts: &mut Parts,
        staff: &StaffIssuer,
    ) -> Result<Self, SessionRejection> {
        let session = Session::from_request_parts(parts, staff).await?;
        let is_staff = session.claims().issuer() == &*staff.0;
        Ok(if is_staff { Self::Staff(session) } else { Self::Customer(session) })
    }
}

/// Returns the commands that try the server, each below the status that it gets.
pub(crate) fn instructions(addr: SocketAddr, customers: &str, staff: &str) -> String {
    format!(
        "In another terminal:

  CUSTOMER='{customers}'
  STAFF='{staff}'

200, and the orders of one user:
  curl -i -H \"Authorization: Bearer $CUSTOMER\" http://{addr}/orders

200, and all orders:
  curl -i -H \"Authorization: Bearer $STAFF\" http://{addr}/orders

403 for a customer:
  curl -i -H \"Authorization: Bearer $CUSTOMER\" http://{addr}/refunds

200 for staff:
  curl -i -H \"Authorization: Bearer $STAFF\" http://{addr}/refunds
"
    )
}

const TOKEN_OF_YOURS: &str = "<what `await Clerk.session.getToken()` returns in that front end>";
