//! How a delivery is applied: one transaction, from the event to the rows.

use ::sea_orm::{ConnectionTrait as _, DatabaseTransaction, DbErr};

use super::entity::organization_membership;
use super::row::Row;
use super::schema::Deletion;
use super::sink::SeaOrmSink;
use super::statements::Recording;
use super::tables::{Kind, OrganizationTables};
use super::version::Version;
use super::{failure, retry, statements, steps, transaction};
use crate::ids::{Id, InstanceId};
use crate::webhook::event::{
    DeletedOrganization, DeletedUser, Json, Organization, OrganizationMembership,
};
use crate::webhook::{Delivery, Event, Outcome, Sink, SinkError, User};

impl Sink for SeaOrmSink {
    async fn apply(&self, delivery: &Delivery) -> Result<Outcome, SinkError> {
        if !self.has_hooks() && !self.is_acted_on(delivery.event()) {
            return Ok(Outcome::Ignored);
        }
        let applied = if !self.has_hooks() {
            let (sink, delivery) = (self.clone(), delivery.clone());
            transaction::run_to_completion(async move { sink.apply_with_retries(&delivery).await })
                .await
        } else {
            // An application's statements may never end: dropping the caller must cancel them.
            self.apply_with_retries(delivery).await
        };
        applied.map_err(failure::sink_error)
    }
}

impl SeaOrmSink {
    async fn apply_with_retries(&self, delivery: &Delivery) -> Result<Outcome, DbErr> {
        retry::on_conflict(&*self.clock, || self.apply_once(delivery)).await
    }

    async fn apply_once(&self, delivery: &Delivery) -> Result<Outcome, DbErr> {
        let tx = transaction::begin(self.db()).await?;
        let outcome = self.apply_within(&tx, delivery).await?;
        let instance = self.unrecorded_instance(delivery);
        if let Some(id) = &instance {
            // Last, because a backfill's page also locks the users' versions first and the
            // instance's row last: in the same order the two cannot deadlock.
            tx.execute(&statements::start_run(&self.tables().backfills, id)).await?;
        }
        tx.commit().await?;
        if let Some(id) = instance {
            self.instances.add(id);
        }
        Ok(outcome)
    }

    /// Returns the instance whose users a delivery may have brought in, unless this process has
    /// recorded that instance already.
    fn unrecorded_instance(&self, delivery: &Delivery) -> Option<InstanceId> {
        self.instances.unrecorded(delivery).filter(|_| self.is_acted_on(delivery.event()))
    }

    /// Returns whether the sink itself acts on an event.
    fn is_acted_on(&self, event: &Event) -> bool {
        Change::of(event, self.tables().organizations.as_ref()).is_some()
    }

    /// Applies a delivery. After an error the caller drops the transaction, which rolls it back.
    async fn apply_within(
        &self,
        tx: &DatabaseTransaction,
        delivery: &Delivery,
    ) -> Result<Outcome, DbErr> {
        let tables = self.tables();
        let (table, id) = (&tables.deliveries, delivery.id());
        let recording = Recording { table, id, received_at: self.now() };
        let change = Change::of(delivery.event(), tables.organizations.as_ref());
        let outcome = match &change {
            Some(Change::User(user, cause)) => {
                let version = cause.version(user.updated_at, &user.data);
                let row = Row::of_user(user, self.schema().columns());
                steps::record_and_upsert(tx, &recording, &tables.users, &row, version).await?
            }
            Some(Change::Organization(kinds, organization, cause)) => {
                let version = cause.version(organization.updated_at, &organization.data);
                let row = Row::of_organization(organization);
                steps::record_and_upsert(tx, &recording, &kinds.organizations, &row, version)
                    .await?
            }
            _ if !steps::record_delivery(tx, &recording).await? => Outcome::Duplicate,
            Some(Change::Membership(kinds, membership, cause)) => {
                self.write_membership(tx, kinds, membership, *cause).await?
            }
            Some(Change::UserGone(id)) => tombstone(tx, &tables.users, id).await?,
            Some(Change::OrganizationGone(kinds, id)) => {
                tombstone(tx, &kinds.organizations, id).await?
            }
            Some(Change::MembershipGone(kinds, id)) => {
                tombstone(tx, &kinds.memberships, id).await?
            }
            None => Outcome::Ignored,
        };
        if outcome == Outcome::Duplicate {
            return Ok(outcome);
        }
        self.run_hooks(tx, delivery, outcome).await?;
        match change {
            Some(Change::UserGone(id)) => self.remove_user_within(tx, id).await?,
            Some(Change::OrganizationGone(kinds, id)) => {
                let column = organization_membership::Column::OrganizationId;
                let memberships = &kinds.memberships.rows;
                tx.execute(&statements::delete_where(memberships, column, id)).await?;
                tx.execute(&statements::delete_row(&kinds.organizations.rows, id)).await?;
            }
            Some(Change::MembershipGone(kinds, id)) => {
                tx.execute(&statements::delete_row(&kinds.memberships.rows, id)).await?;
            }
            Some(Change::User(..) | Change::Organization(..) | Change::Membership(..)) | None => {}
        }
        Ok(outcome)
    }

    async fn run_hooks(
        &self,
        tx: &DatabaseTransaction,
        delivery: &Delivery,
        outcome: Outcome,
    ) -> Result<(), DbErr> {
        for hook in self.hooks() {
            hook.run(tx, delivery, outcome).await?;
        }
        Ok(())
    }

    /// Deletes the user's memberships, then deletes the user's row or marks it as deleted, as the
    /// `Schema` says. The user's version must be locked and have its tombstone.
    pub(super) async fn remove_user_within(
        &self,
        tx: &DatabaseTransaction,
        id: &Id,
    ) -> Result<(), DbErr> {
        let tables = self.tables();
        if let Some(kinds) = &tables.organizations {
            let column = organization_membership::Column::UserId;
            let memberships = &kinds.memberships.rows;
            tx.execute(&statements::delete_where(memberships, column, id)).await?;
        }
        let users = &tables.users.rows;
        match self.schema().deletion() {
            Deletion::Delete => tx.execute(&statements::delete_row(users, id)).await?,
            Deletion::Mark => tx.execute(&statements::mark_deleted(users, id, self.now())).await?,
        };
        Ok(())
    }

    /// Writes a membership. Locks the organization, then the user, then the membership; no other
    /// code uses another order. A membership of a deleted organization or user is stale, however
    /// new it is.
    async fn write_membership(
        &self,
        tx: &DatabaseTransaction,
        kinds: &OrganizationTables,
        membership: &OrganizationMembership,
        cause: Cause,
    ) -> Result<Outcome, DbErr> {
        let organization = Row::of_organization(&membership.organization);
        let user = Row::of_unknown_user(&membership.user_id, self.now());
        if !steps::start(tx, &kinds.organizations, &organization).await?
            || !steps::start(tx, &self.tables().users, &user).await?
        {
            return Ok(Outcome::Stale);
        }
        let version = cause.version(membership.updated_at, &membership.data);
        steps::upsert(tx, &kinds.memberships, &Row::of_membership(membership), version).await
    }
}

/// A change that an event makes.
enum Change<'a> {
    Membership(&'a OrganizationTables, &'a OrganizationMembership, Cause),
    MembershipGone(&'a OrganizationTables, &'a Id),
    Organization(&'a OrganizationTables, &'a Organization, Cause),
    OrganizationGone(&'a OrganizationTables, &'a Id),
    User(&'a User, Cause),
    UserGone(&'a Id),
}

impl<'a> Change<'a> {
    /// Returns the change that an event makes: `None` if nothing of it is kept, and for a deletion
    /// without an id.
    fn of(event: &'a Event, kinds: Option<&'a OrganizationTables>) -> Option<Self> {
        Some(match event {
            Event::UserCreated(user) => Self::User(user, Cause::Created),
            Event::UserUpdated(user) => Self::User(user, Cause::Updated),
            Event::UserDeleted(DeletedUser { id, .. }) => Self::UserGone(id.as_ref()?.id()),
            Event::OrganizationCreated(it) => Self::Organization(kinds?, it, Cause::Created),
            Event::OrganizationUpdated(it) => Self::Organization(kinds?, it, Cause::Updated),
            Event::OrganizationDeleted(DeletedOrganization { id, .. }) => {
                Self::OrganizationGone(kinds?, id.as_ref()?.id())
            }
            Event::OrganizationMembershipCreated(it) => {
                Self::Membership(kinds?, it, Cause::Created)
            }
            Event::OrganizationMembershipUpdated(it) => {
                Self::Membership(kinds?, it, Cause::Updated)
            }
            Event::OrganizationMembershipDeleted(it) => Self::MembershipGone(kinds?, it.id.id()),
            _ => return None,
        })
    }
}

/// The kind of event that carries a state.
#[derive(Clone, Copy)]
enum Cause {
    Created,
    Updated,
}

impl Cause {
    fn version(self, updated_at: i64, data: &Json) -> Version {
        match self {
            Self::Created => Version::created(updated_at, data),
            Self::Updated => Version::updated(updated_at, data),
        }
    }
}

async fn tombstone(tx: &DatabaseTransaction, kind: &Kind, id: &Id) -> Result<Outcome, DbErr> {
    let is_new = steps::tombstone(tx, kind, id).await?;
    Ok(if is_new { Outcome::Applied } else { Outcome::Stale })
}
