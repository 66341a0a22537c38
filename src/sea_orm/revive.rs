//! Taking a user's deletion back, for operators.

use ::sea_orm::DbErr;

use super::sink::SeaOrmSink;
use super::statements;
use super::transaction::{Store, run_to_completion};
use crate::ids::UserId;

impl SeaOrmSink {
    /// Takes a user's deletion back, so that the next event or backfill writes the user again. Returns
    /// false, and changes nothing, if the user is not deleted here.
    ///
    /// It is for operators, after a user was removed by mistake. What went with the user, such as
    /// memberships and what hooks removed, does not come back. A user whom Clerk does not have is
    /// removed again by the next `Backfill::remove_gone`.
    ///
    /// # Errors
    ///
    /// Returns the database's error.
    pub async fn revive(&self, user_id: &str) -> Result<bool, DbErr> {
        let Ok(id) = UserId::parse(user_id) else { return Ok(false) };
        let store = self.store.clone();
        run_to_completion(async move { store.retrying(|| revive_once(&store, &id)).await }).await
    }
}

async fn revive_once(store: &Store, id: &UserId) -> Result<bool, DbErr> {
    let tx = store.begin().await?;
    let users = &tx.tables().users;
    // First the version, whose lock orders this against deliveries.
    if tx.execute(&statements::remove_tombstone(&users.versions, id.id())).await? == 0 {
        return Ok(false);
    }
    if let Some(deleted_at) = &tx.tables().user_columns.deleted_at {
        tx.execute(&statements::unmark_deleted(&users.rows, deleted_at, id.id())).await?;
    }
    tx.commit().await?;
    Ok(true)
}
