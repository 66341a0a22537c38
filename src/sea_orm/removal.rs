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

/// Returns whether a deletion that was recorded before may not have removed its rows: a hook can end the
/// transaction after the tombstone, so that this is kept and nothing of what follows.
pub(super) async fn is_unfinished(
    tx: &Transaction<'_>,
    change: Option<Change<'_>>,
) -> Result<bool, DbErr> {
    if tx.store.hooks.is_empty() {
        return Ok(false);
    }
    let (kind, id) = match (change, &tx.tables().organizations) {
        (Some(Change::UserGone(id)), _) => (&tx.tables().users, id.id()),
        (Some(Change::OrganizationGone(id)), Some(kinds)) => (&kinds.organizations, id.id()),
        (Some(Change::MembershipGone(id)), Some(kinds)) => (&kinds.memberships, id.id()),
        (Some(Change::OrganizationGone(_) | Change::MembershipGone(_)), None)
        | (Some(Change::User(..) | Change::Organization(..) | Change::Membership(..)), _)
        | (None, _) => return Ok(false),
    };
    // Not if the record was revived since.
    Ok(!tx.lock(kind, id).await?)
}

impl Transaction<'_> {
    /// Deletes what was parked of the user, the user's memberships, and the user's row, or marks it as
    /// deleted, as the `Schema` says. The user's version must have its tombstone. Returns whether a
    /// constraint keeps a row.
    pub(super) async fn remove_user(&self, id: &Id) -> Result<bool, DbErr> {
        let letters = &self.tables().dead_letters;
        let of_user = statements::delete_letters(letters, DeadLetters::UserId, id.as_str());
        self.execute(&of_user).await?;
        let Tables { users: Kind { rows, .. }, user_columns, organizations, .. } = self.tables();
        let memberships = organizations.as_ref().map(|kinds| {
            Removing::memberships(kinds, organization_membership::Column::UserId.into_iden())
        });
        let user = Removing::records(rows, Row::nullable_of_users(user_columns));
        match &user_columns.deleted_at {
            None => self.remove_rows(memberships.into_iter().chain([user]), id).await,
            Some(deleted_at) => {
                let holds = self.remove_rows(memberships, id).await?;
                let mark = statements::mark_deleted(rows, deleted_at, id, self.store.now());
                self.execute(&mark).await?;
                Ok(holds)
            }
        }
    }

    /// Deletes an organization's memberships and its row, whose version must have its tombstone. Returns
    /// whether a constraint keeps a row.
    pub(super) async fn remove_organization(
        &self,
        kinds: &OrganizationTables,
        id: &Id,
    ) -> Result<bool, DbErr> {
        let column = organization_membership::Column::OrganizationId.into_iden();
        let rows = &kinds.organizations.rows;
        let organization = Removing::records(rows, Row::nullable_of_organizations());
        self.remove_rows([Removing::memberships(kinds, column), organization], id).await
    }

    /// Deletes a membership's row, whose version must have its tombstone. Returns whether a constraint
    /// keeps it.
    pub(super) async fn remove_membership(
        &self,
        kinds: &OrganizationTables,
        id: &Id,
    ) -> Result<bool, DbErr> {
        let key = kinds.memberships.rows.key.clone();
        self.remove_rows([Removing::memberships(kinds, key)], id).await
    }

    /// Deletes rows, in this order. If a constraint keeps one of them, deletes those that none keeps, and
    /// empties the others of what may be absent, so that a deletion is never refused for ever. Returns
    /// whether there is one that is kept.
    async fn remove_rows<'t>(
        &self,
        removing: impl IntoIterator<Item = Removing<'t>>,
        id: &Id,
    ) -> Result<bool, DbErr> {
        let removing: Vec<_> = removing.into_iter().collect();
        let delete =
            |it: &Removing<'_>| statements::delete_where(it.table, &it.column, id.as_str());
        // All before the constraints are checked: rows may refer to each other, or to what a hook has
        // deleted.
        let deletes: Vec<_> = removing.iter().map(delete).collect();
        if self.under_savepoint(&deletes).await?.is_ok() {
            return Ok(false);
        }
        let mut holds = false;
        for it in &removing {
            holds |= self.remove_free_rows(it, id).await?;
        }
        Ok(holds)
    }

    async fn remove_free_rows(&self, removing: &Removing<'_>, id: &Id) -> Result<bool, DbErr> {
        let Removing { table, column, nullable } = removing;
        let mut holds = false;
        for row in self.tx.query_all(&statements::select_ids(table, column, id)).await? {
            let row: String = row.try_get_by_index(0)?;
            let delete = statements::delete_where(table, &table.key, &row);
            let Err(_kept) = self.under_savepoint(&[delete]).await? else { continue };
            holds = true;
            // One column after another: an own column may be required after all.
            for column in nullable {
                let empty = statements::empty(table, &row, column);
                let _required = self.under_savepoint(&[empty]).await?;
            }
            count!("clerk_rows_held_total",);
            event!(
                warn,
                table = %table.table.name,
                constraint = failure::constraint(&_kept),
                "a deleted record's row was emptied and kept, because a foreign key refers to it, or another \
                 constraint keeps it; delete what refers to it in a hook, or give the key an ON DELETE",
            );
        }
        Ok(holds)
    }

    /// Executes statements under a savepoint, with all constraints checked after them and not only at the
    /// commit. After an error the transaction is as before; that of a constraint is returned inside.
    async fn under_savepoint(
        &self,
        statements: &[impl StatementBuilder],
    ) -> Result<Result<(), DbErr>, DbErr> {
        let savepoint = self.tx.begin().await?;
        let executed = async {
            for statement in statements {
                savepoint.execute(statement).await?;
            }
            match self.store.dialect {
                Dialect::Postgres => {
                    savepoint.execute_unprepared("SET CONSTRAINTS ALL IMMEDIATE").await.map(drop)
                }
                Dialect::MySql | Dialect::Sqlite => Ok(()),
            }
        };
        match executed.await {
            Ok(()) => savepoint.commit().await.map(Ok),
            Err(error) => {
                savepoint.rollback().await?;
                if failure::is_of_constraint(&error) { Ok(Err(error)) } else { Err(error) }
            }
        }
    }
}

/// Rows that are to be deleted: those that have a certain id in a column.
struct Removing<'t> {
    table: &'t Rows,
    column: DynIden,
    /// The columns that are emptied in a row that cannot be deleted.
    nullable: Vec<DynIden>,
}

impl<'t> Removing<'t> {
    /// Returns the one row of a record.
    fn records(table: &'t Rows, nullable: Vec<DynIden>) -> Self {
        Self { table, column: table.key.clone(), nullable }
    }

    /// Returns the memberships that have the id in this column.
    fn memberships(kinds: &'t OrganizationTables, column: DynIden) -> Self {
        Self { table: &kinds.memberships.rows, column, nullable: Row::nullable_of_memberships() }
    }
}
