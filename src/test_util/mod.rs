//! Tools for the tests of servers that mount this crate: an issuer, signed deliveries, a clock
//! that is set by hand. Nothing here opens a socket, and nothing in the crate names it.
//!
//! ```
//! use tower_clerk::test_util::Issuer;
//!
//! let issuer = Issuer::new("https://clerk.example.com", "ins_1");
//! let token = issuer.token("user_1").mint();
//! assert_eq!(token.split('.').count(), 3);
//! ```

mod clock;
#[cfg(feature = "webhook")]
mod delivery;
mod issuer;

pub use clock::ManualClock;
#[cfg(feature = "webhook")]
pub use delivery::{SignedDelivery, user_created, user_deleted, user_updated};
pub use issuer::{Issuer, TokenBuilder};
