//! An application's own statements in the sink's transaction: the trait, and a closure as one.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use ::sea_orm::{DatabaseTransaction, DbErr};

use crate::webhook::{Delivery, Outcome};
#[cfg(feature = "backfill")]
use crate::webhook::{Effect, User};

/// An application's own statements, which are committed with a delivery or not at all.
///
/// [`run`](Self::run) is called in the transaction of each delivery, except a repeated one, and again
/// when the transaction is repeated after a deadlock. It runs after a user's row was written, and
/// before a deleted user's row is removed, so that rows which refer to it can go first. It is also
/// called for events that the sink does not act on, with [`Outcome::Ignored`], and for stale ones, with
/// [`Outcome::Stale`]. An applied one has an [`Effect`](crate::webhook::Effect): whether the delivery
/// inserted the row, updated one or deleted the record. It is not called for one that the sink parks
/// because it lacks what its row needs.
///
/// The [module](crate::sea_orm#once-for-each-user) shows how to do something exactly once for each user,
/// with three of the methods.
///
/// ```
/// use sea_orm::sea_query::{Expr, ExprTrait, Query};
/// use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr};
/// use tower_clerk::sea_orm::InTransaction;
/// use tower_clerk::webhook::{Delivery, Event, Outcome};
///
/// /// Deletes a user's posts with the user.
/// struct DeletePosts;
///
/// impl InTransaction for DeletePosts {
///     async fn run(
///         &self,
///         tx: &DatabaseTransaction,
///         delivery: &Delivery,
///         outcome: Outcome,
///     ) -> Result<(), DbErr> {
///         if let (Event::UserDeleted(user), Outcome::Applied(_)) = (delivery.event(), outcome)
///             && let Some(id) = &user.id
///         {
///             let of_user = Expr::col("user_id").eq(id.as_str());
///             let delete = Query::delete().from_table("posts").and_where(of_user).to_owned();
///             tx.execute(&delete).await?;
///         }
///         Ok(())
///     }
/// }
/// ```
///
/// [`in_transaction_fn_with_state`] makes one from a closure.
pub trait InTransaction: Send + Sync + 'static {
    /// Runs the statements, on `tx` alone: another connection would wait for the locks that this
    /// transaction holds.
    ///
    /// # Errors
    ///
    /// An error rolls everything back, and the delivery is sent again. Its text is logged.
    ///
    /// Return every error of a statement: PostgreSQL keeps nothing of a transaction in which one failed,
    /// and MySQL ends it after a deadlock. The sink notices before it commits, and refuses the delivery
    /// for now; but what ran on MySQL after the end was committed statement by statement and stays. A
    /// statement that may fail belongs into a savepoint: `tx.begin()`, which sea-orm's
    /// `TransactionTrait` adds, and its commit or rollback.
    fn run(
        &self,
        tx: &DatabaseTransaction,
        delivery: &Delivery,
        outcome: Outcome,
    ) -> impl Future<Output = Result<(), DbErr>> + Send;

    /// Runs statements for a user to whom [`ensure_user`](super::SeaOrmSink::ensure_user), or a
    /// membership of an event or a backfill, gave a row, of which only the id is known, after it was
    /// written. Does nothing by default.
    ///
    /// # Errors
    ///
    /// An error rolls everything back: `ensure_user` returns it, a delivery is sent again, and a
    /// backfill ends.
    fn ensured(
        &self,
        tx: &DatabaseTransaction,
        user_id: &str,
    ) -> impl Future<Output = Result<(), DbErr>> + Send {
        let _ = (tx, user_id);
        std::future::ready(Ok(()))
    }

    /// Runs statements for users whom a backfill added or updated, after their rows were written, with
    /// [`Effect::Inserted`](crate::webhook::Effect::Inserted) for those who had no row. It is not called for
    /// organizations and memberships. Does nothing by default.
    ///
    /// # Errors
    ///
    /// An error rolls the whole page back.
    #[cfg(feature = "backfill")]
    fn backfilled(
        &self,
        tx: &DatabaseTransaction,
        users: &[(&User, Effect)],
    ) -> impl Future<Output = Result<(), DbErr>> + Send {
        let _ = (tx, users);
        std::future::ready(Ok(()))
    }

    /// Runs statements for a user whom a reconciliation found to be deleted at Clerk, before the row
    /// is removed. Does nothing by default.
    ///
    /// # Errors
    ///
    /// An error rolls the removal back.
    #[cfg(feature = "backfill")]
    fn removed(
        &self,
        tx: &DatabaseTransaction,
        user_id: &str,
    ) -> impl Future<Output = Result<(), DbErr>> + Send {
        let _ = (tx, user_id);
        std::future::ready(Ok(()))
    }
}

/// Makes an [`InTransaction`] from a state and a closure, or an `async fn`, that is given a clone of
/// it with each delivery. The delivery is passed by value, which copies nothing.
///
/// It runs for deliveries alone. Where `ensure_user`, a backfill or a reconciliation has to do something
/// too, for example to delete rows that refer to a user, implement [`InTransaction`] with its other
/// methods.
///
/// ```
/// use std::sync::Arc;
///
/// use sea_orm::sea_query::Query;
/// use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr};
/// use tower_clerk::sea_orm::{SeaOrmSink, in_transaction_fn_with_state};
/// use tower_clerk::webhook::{Delivery, Outcome};
///
/// /// Writes down what was received, in a table whose name is the state.
/// async fn write_down(
///     table: Arc<str>,
///     tx: &DatabaseTransaction,
///     delivery: Delivery,
///     outcome: Outcome,
/// ) -> Result<(), DbErr> {
///     let line = format!("{} {outcome:?}", delivery.event().kind());
///     let mut insert = Query::insert();
///     insert.into_table(table.to_string()).columns(["line"]).values_panic([line.into()]);
///     tx.execute(&insert).await.map(drop)
/// }
///
/// fn sink(sink: SeaOrmSink, table: Arc<str>) -> SeaOrmSink {
///     sink.with_hook(in_transaction_fn_with_state(table, write_down))
/// }
/// ```
///
/// A closure has to be `async`, and to name the types of its parameters, because its future borrows the
/// transaction:
///
/// ```
/// # use sea_orm::{DatabaseTransaction, DbErr};
/// # use tower_clerk::sea_orm::{SeaOrmSink, in_transaction_fn_with_state};
/// # use tower_clerk::webhook::{Delivery, Outcome};
/// # fn sink(sink: SeaOrmSink) -> SeaOrmSink {
/// sink.with_hook(in_transaction_fn_with_state(
///     "UPDATE counters SET deliveries = deliveries + 1",
///     async |sql: &'static str, tx: &DatabaseTransaction, _: Delivery, _: Outcome| {
///         use sea_orm::ConnectionTrait as _;
///         tx.execute_unprepared(sql).await.map(drop)
///     },
/// ))
/// # }
/// ```
pub fn in_transaction_fn_with_state<S, F>(state: S, run: F) -> InTransactionFn<S, F>
where
    S: Clone + Send + Sync + 'static,
    F: for<'a> TransactionFn<'a, S>,
{
    InTransactionFn { state, run }
}

impl<H: InTransaction> InTransaction for Arc<H> {
    fn run(
        &self,
        tx: &DatabaseTransaction,
        delivery: &Delivery,
        outcome: Outcome,
    ) -> impl Future<Output = Result<(), DbErr>> + Send {
        H::run(self, tx, delivery, outcome)
    }

    fn ensured(
        &self,
        tx: &DatabaseTransaction,
        user_id: &str,
    ) -> impl Future<Output = Result<(), DbErr>> + Send {
        H::ensured(self, tx, user_id)
    }

    #[cfg(feature = "backfill")]
    fn backfilled(
        &self,
        tx: &DatabaseTransaction,
        users: &[(&User, Effect)],
    ) -> impl Future<Output = Result<(), DbErr>> + Send {
        H::backfilled(self, tx, users)
    }

    #[cfg(feature = "backfill")]
    fn removed(
        &self,
        tx: &DatabaseTransaction,
        user_id: &str,
    ) -> impl Future<Output = Result<(), DbErr>> + Send {
        H::removed(self, tx, user_id)
    }
}

/// The [`InTransaction`] of [`in_transaction_fn_with_state`].
#[derive(Clone, Copy)]
pub struct InTransactionFn<S, F> {
    state: S,
    run: F,
}

impl<S, F> InTransaction for InTransactionFn<S, F>
where
    S: Clone + Send + Sync + 'static,
    F: for<'a> TransactionFn<'a, S>,
{
    fn run(
        &self,
        tx: &DatabaseTransaction,
        delivery: &Delivery,
        outcome: Outcome,
    ) -> impl Future<Output = Result<(), DbErr>> + Send {
        self.run.call(self.state.clone(), tx, delivery.clone(), outcome)
    }
}

impl<S, F> fmt::Debug for InTransactionFn<S, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InTransactionFn").finish_non_exhaustive()
    }
}

/// A closure or an `async fn` that takes a state, a transaction, a delivery and its outcome.
/// Implemented for all of them; there is nothing else to implement it for.
pub trait TransactionFn<'a, S>: Send + Sync + 'static {
    /// The future that it returns.
    type Future: Future<Output = Result<(), DbErr>> + Send + 'a;

    /// Calls it.
    fn call(
        &self,
        state: S,
        tx: &'a DatabaseTransaction,
        delivery: Delivery,
        outcome: Outcome,
    ) -> Self::Future;
}

impl<'a, S, F, R> TransactionFn<'a, S> for F
where
    F: Fn(S, &'a DatabaseTransaction, Delivery, Outcome) -> R + Send + Sync + 'static,
    R: Future<Output = Result<(), DbErr>> + Send + 'a,
{
    type Future = R;

    fn call(
        &self,
        state: S,
        tx: &'a DatabaseTransaction,
        delivery: Delivery,
        outcome: Outcome,
    ) -> R {
        self(state, tx, delivery, outcome)
    }
}

/// An [`InTransaction`] whose futures are boxed, so that several types fit into one list.
pub(super) trait Hook: Send + Sync {
    fn run<'a>(
        &'a self,
        tx: &'a DatabaseTransaction,
        delivery: &'a Delivery,
        outcome: Outcome,
    ) -> BoxFuture<'a>;

    fn ensured<'a>(&'a self, tx: &'a DatabaseTransaction, user_id: &'a str) -> BoxFuture<'a>;

    #[cfg(feature = "backfill")]
    fn backfilled<'a>(
        &'a self,
        tx: &'a DatabaseTransaction,
        users: &'a [(&'a User, Effect)],
    ) -> BoxFuture<'a>;

    #[cfg(feature = "backfill")]
    fn removed<'a>(&'a self, tx: &'a DatabaseTransaction, user_id: &'a str) -> BoxFuture<'a>;
}

impl<H: InTransaction> Hook for H {
    fn run<'a>(
        &'a self,
        tx: &'a DatabaseTransaction,
        delivery: &'a Delivery,
        outcome: Outcome,
    ) -> BoxFuture<'a> {
        Box::pin(InTransaction::run(self, tx, delivery, outcome))
    }

    fn ensured<'a>(&'a self, tx: &'a DatabaseTransaction, user_id: &'a str) -> BoxFuture<'a> {
        Box::pin(InTransaction::ensured(self, tx, user_id))
    }

    #[cfg(feature = "backfill")]
    fn backfilled<'a>(
        &'a self,
        tx: &'a DatabaseTransaction,
        users: &'a [(&'a User, Effect)],
    ) -> BoxFuture<'a> {
        Box::pin(InTransaction::backfilled(self, tx, users))
    }

    #[cfg(feature = "backfill")]
    fn removed<'a>(&'a self, tx: &'a DatabaseTransaction, user_id: &'a str) -> BoxFuture<'a> {
        Box::pin(InTransaction::removed(self, tx, user_id))
    }
}

type BoxFuture<'a> = Pin<Box<dyn Future<Output = Result<(), DbErr>> + Send + 'a>>;
