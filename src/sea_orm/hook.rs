//! An application's own statements in the sink's transaction. The trait; no implementation.

use std::pin::Pin;

use ::sea_orm::{DatabaseTransaction, DbErr};

#[cfg(feature = "backfill")]
use crate::webhook::User;
use crate::webhook::{Delivery, Outcome};

/// A future on the heap.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Statements that stand or fall with a delivery.
///
/// [`run`](Self::run) is called once in the transaction of each delivery but a repeated one (again
/// when the transaction is, after a deadlock): after
/// a user's row was written, and before a deleted user's row is removed, so that rows which refer
/// to it can go first. Events that the sink does not act on reach it too, as
/// [`Outcome::Ignored`]; so do stale ones, as [`Outcome::Stale`].
///
/// ```
/// use sea_orm::sea_query::{Expr, ExprTrait, Query};
/// use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr};
/// use tower_clerk::sea_orm::{BoxFuture, InTransaction};
/// use tower_clerk::webhook::{Delivery, Event, Outcome};
///
/// /// A user's posts go with the user.
/// struct DeletePosts;
///
/// impl InTransaction for DeletePosts {
///     fn run<'a>(
///         &'a self,
///         tx: &'a DatabaseTransaction,
///         delivery: &'a Delivery,
///         outcome: Outcome,
///     ) -> BoxFuture<'a, Result<(), DbErr>> {
///         Box::pin(async move {
///             if let (Event::UserDeleted(user), Outcome::Applied) = (delivery.event(), outcome)
///                 && let Some(id) = &user.id
///             {
///                 let of_user = Expr::col("user_id").eq(id.as_str());
///                 let delete = Query::delete().from_table("posts").and_where(of_user).to_owned();
///                 tx.execute(&delete).await?;
///             }
///             Ok(())
///         })
///     }
/// }
/// ```
pub trait InTransaction: Send + Sync + 'static {
    /// Runs the statements, on `tx` and nothing else: another connection would wait for the
    /// locks that this transaction holds.
    ///
    /// # Errors
    ///
    /// An error rolls everything back, and the delivery comes again. Its text is logged.
    fn run<'a>(
        &'a self,
        tx: &'a DatabaseTransaction,
        delivery: &'a Delivery,
        outcome: Outcome,
    ) -> BoxFuture<'a, Result<(), DbErr>>;

    /// The same for users whom a backfill found new or in a newer state, after their rows were
    /// written. Does nothing unless it is implemented.
    ///
    /// # Errors
    ///
    /// An error rolls the whole page back.
    #[cfg(feature = "backfill")]
    fn backfilled<'a>(
        &'a self,
        tx: &'a DatabaseTransaction,
        users: &'a [&'a User],
    ) -> BoxFuture<'a, Result<(), DbErr>> {
        let _ = (tx, users);
        Box::pin(std::future::ready(Ok(())))
    }

    /// The same for a user whom a reconciliation found gone, before the row is removed. Does
    /// nothing unless it is implemented.
    ///
    /// # Errors
    ///
    /// An error rolls the removal back.
    #[cfg(feature = "backfill")]
    fn removed<'a>(
        &'a self,
        tx: &'a DatabaseTransaction,
        user_id: &'a str,
    ) -> BoxFuture<'a, Result<(), DbErr>> {
        let _ = (tx, user_id);
        Box::pin(std::future::ready(Ok(())))
    }
}
