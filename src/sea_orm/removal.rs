//! The removal of rows after a deletion, whose tombstone is set and whose hooks have run.

use ::sea_orm::sea_query::{DynIden, IntoIden as _};
use ::sea_orm::{ConnectionTrait as _, DbErr, StatementBuilder, TransactionTrait as _};

use super::dialect::Dialect;
use super::entity::organization_membership;
use super::row::Row;
use super::tables::{DeadLetters, Kind, OrganizationTables, Rows, Tables};
use super::transaction::Transaction;
use super::{failure, statements};
use crate::ids::Id;
use crate::meter::count;
use crate::sync::Change;
use crate::trace::event;

/// Removes what a deletion leaves, now that its tombstone is set and the hooks have run.
pub(super) async fn remove(tx: &Transaction<'_>, change: Option<Change<'_>>) -> Result<(), DbErr> {
    match (change, &tx.tables().organizations) {
        (Some(Change::UserGone(id)), _) => tx.remove_user(id.id()).await.map(drop),
        (Some(Change::OrganizationGone(id)), Some(kinds)) => {
            tx.remove_organization(kinds, id.id()).await.map(drop)
        }
        (Some(Change::MembershipGone(id)), Some(kinds)) => {
            tx.remove_membership(kinds, id.id()).await.map(drop)
        }
        (Some(Change::OrganizationGone(_) | Change::MembershipGone(_)), None)
        | (Some(Change::User(..) | Change::Organization(..) | Change::Membership(..)), _)
        | (None, _) => Ok(()),
    }
}

impl Transaction<'_> {
    /// Deletes what was parked of the user and the user's memberships, then deletes the user's row or
    /// marks it as deleted, as the `Schema` says. The user's version must have its tombstone. Returns
    /// whether a foreign key holds a row.
    pub(super) async fn remove_user(&self, id: &Id) -> Result<bool, DbErr> {
        let mut holds = false;
        let letters = &self.tables().dead_letters;
        let of_user = statements::delete_letters(letters, DeadLetters::UserId, id.as_str());
        self.execute(&of_user).await?;
        if let Some(kinds) = &self.tables().organizations {
            let column = organization_membership::Column::UserId.into_iden();
            let nullable = Row::nullable_of_memberships();
            holds = self.remove_rows(&kinds.memberships.rows, &column, id, &nullable).await?;
        }
        let Tables { users: Kind { rows, .. }, user_columns, .. } = self.tables();
        match &user_columns.deleted_at {
            None => {
                let nullable = Row::nullable_of_users(user_columns);
                Ok(self.remove_rows(rows, &rows.key, id, &nullable).await? || holds)
            }
            Some(deleted_at) => {
                let mark = statements::mark_deleted(rows, deleted_at, id, self.store.now());
                self.execute(&mark).await?;
                Ok(holds)
            }
        }
    }

    /// Deletes an organization's memberships and its row, whose version must have its tombstone. Returns
    /// whether a foreign key holds a row.
    pub(super) async fn remove_organization(
        &self,
        kinds: &OrganizationTables,
        id: &Id,
    ) -> Result<bool, DbErr> {
        let column = organization_membership::Column::OrganizationId.into_iden();
        let nullable = Row::nullable_of_memberships();
        let holds = self.remove_rows(&kinds.memberships.rows, &column, id, &nullable).await?;
        let (rows, nullable) = (&kinds.organizations.rows, Row::nullable_of_organizations());
        Ok(self.remove_rows(rows, &rows.key, id, &nullable).await? || holds)
    }

    /// Deletes a membership's row, whose version must have its tombstone. Returns whether a foreign key
    /// holds it.
    pub(super) async fn remove_membership(
        &self,
        kinds: &OrganizationTables,
        id: &Id,
    ) -> Result<bool, DbErr> {
        let (rows, nullable) = (&kinds.memberships.rows, Row::nullable_of_memberships());
        self.remove_rows(rows, &rows.key, id, &nullable).await
    }

    /// Deletes the rows that have this id in a column. A row that a foreign key holds is emptied of what
    /// may be absent, so that a deletion is never refused for ever. Returns whether there is such a row.
    async fn remove_rows(
        &self,
        table: &Rows,
        column: &DynIden,
        id: &Id,
        nullable: &[DynIden],
    ) -> Result<bool, DbErr> {
        let delete = statements::delete_where(table, column, id.as_str());
        if self.under_savepoint(&delete, failure::is_foreign_key).await?.is_ok() {
            return Ok(false);
        }
        let mut holds = false;
        // One at a time, so that only those are kept that are held.
        for row in self.tx.query_all(&statements::select_ids(table, column, id)).await? {
            let row: String = row.try_get_by_index(0)?;
            let delete = statements::delete_where(table, &table.key, &row);
            let Err(_held) = self.under_savepoint(&delete, failure::is_foreign_key).await? else {
                continue;
            };
            holds = true;
            // One column after another: an own column may be required after all.
            for column in nullable {
                let empty = statements::empty(table, &row, column);
                let _required = self.under_savepoint(&empty, failure::is_not_null).await?;
            }
            count!("clerk_rows_held_total",);
            event!(
                warn,
                table = %table.table.name,
                constraint = failure::constraint(&_held),
                "a deleted record's row was emptied and kept, because a foreign key refers to it; delete \
                 what refers to it in a hook, or give the key an ON DELETE",
            );
        }
        Ok(holds)
    }

    /// Executes a statement under a savepoint, with all constraints checked now and not at the commit.
    /// After an error the transaction is as before; one that is `expected` is returned inside.
    async fn under_savepoint(
        &self,
        statement: &impl StatementBuilder,
        expected: fn(&DbErr) -> bool,
    ) -> Result<Result<(), DbErr>, DbErr> {
        let savepoint = self.tx.begin().await?;
        match self.store.dialect {
            Dialect::Postgres => {
                savepoint.execute_unprepared("SET CONSTRAINTS ALL IMMEDIATE").await?;
            }
            Dialect::MySql | Dialect::Sqlite => {}
        }
        match savepoint.execute(statement).await {
            Ok(_) => savepoint.commit().await.map(Ok),
            Err(error) => {
                savepoint.rollback().await?;
                if expected(&error) { Ok(Err(error)) } else { Err(error) }
            }
        }
    }
}
