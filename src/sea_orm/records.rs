//! Pages of organizations and memberships that a backfill lists: what is written of them, and how they
//! differ from the rows. By the rules of deliveries, with locks in the order of a membership's event.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::SystemTime;

use ::sea_orm::DbErr;

use super::batch::{self, Which};
use super::dialect::Dialect;
use super::reads::Reads as _;
use super::row::Row;
use super::statements;
use super::tables::{Kind, OrganizationTables};
use super::transaction::{Started, Store, Transaction};
use crate::backfill::{Differences, Member, RecordKind, RecordPage, Records, Removal};
use crate::ids::{MembershipId, OrganizationId, UserId};
use crate::sync::Version;
use crate::webhook::Outcome;
use crate::webhook::event::{Organization, OrganizationMembership};

/// The result of writing a page.
#[derive(Debug, Default)]
pub(super) struct WrittenPage {
    /// The number of records that were written.
    pub(super) written: usize,
    /// The users to whom memberships gave rows of an id alone.
    pub(super) ensured: Vec<UserId>,
}

/// Writes a page of organizations or memberships.
pub(super) async fn write(
    tx: &Transaction<'_>,
    kinds: &OrganizationTables,
    page: RecordPage<'_>,
) -> Result<WrittenPage, DbErr> {
    match page.records {
        Records::Organizations(organizations) => {
            let states = organization_states(organizations, page.listed_at, tx.store.dialect);
            let written = batch::write(tx, &kinds.organizations, states, Which::Newer).await?;
            Ok(WrittenPage { written: written.len(), ensured: Vec::new() })
        }
        Records::Memberships(memberships) => {
            write_memberships(tx, kinds, memberships, page.listed_at).await
        }
    }
}

/// Writes memberships. Locks their organizations, then their users, then themselves, each kind in the order
/// of the ids. One of a deleted organization or user is left out.
async fn write_memberships(
    tx: &Transaction<'_>,
    kinds: &OrganizationTables,
    memberships: &[OrganizationMembership],
    listed_at: Option<SystemTime>,
) -> Result<WrittenPage, DbErr> {
    let organizations: BTreeMap<&OrganizationId, &Organization> =
        memberships.iter().map(|it| (&it.organization_id, &it.organization)).collect();
    let mut gone = HashSet::new();
    for (id, organization) in organizations {
        let row = Row::of_organization(organization, tx.store.dialect);
        if tx.start(&kinds.organizations, &row).await? == Started::Deleted {
            gone.insert(id);
        }
    }
    let living = memberships.iter().filter(|it| !gone.contains(&it.organization_id));
    let living: Vec<_> = living.collect();
    let users: BTreeSet<&UserId> = living.iter().map(|it| &it.user_id).collect();
    let (gone, ensured) = start_users(tx, &users).await?;
    let living = living.into_iter().filter(|it| !gone.contains(&it.user_id));
    let states = membership_states(living, listed_at, tx.store.dialect);
    let written = batch::write(tx, &kinds.memberships, states, Which::Newer).await?;
    Ok(WrittenPage { written: written.len(), ensured })
}

/// Locks users and gives rows to those who have none. Returns those who are deleted, and those whose row is
/// new.
async fn start_users<'u>(
    tx: &Transaction<'_>,
    users: &BTreeSet<&'u UserId>,
) -> Result<(HashSet<&'u UserId>, Vec<UserId>), DbErr> {
    let (mut gone, mut ensured) = (HashSet::new(), Vec::new());
    let ids: Vec<&str> = users.iter().map(|id| id.as_str()).collect();
    if ids.is_empty() {
        return Ok((gone, ensured));
    }
    let kind = &tx.tables().users;
    let known = batch::lock(tx, kind, &ids).await?;
    let rows: HashSet<String> =
        batch::ids_of(&tx.tx, &statements::select_rows(&kind.rows, &ids)).await?;
    for id in users {
        if known.get(id.as_str()).is_some_and(|known| known.deleted) {
            gone.insert(*id);
        } else if !rows.contains(id.as_str()) {
            let row = tx.store.row_of_unknown_user(id);
            if tx.start(kind, &row).await? == Started::New {
                ensured.push((*id).clone());
            }
        }
    }
    Ok((gone, ensured))
}

fn organization_states(
    organizations: &[Organization],
    listed_at: Option<SystemTime>,
    dialect: Dialect,
) -> Vec<(Row, Version)> {
    let state = |it: &Organization| {
        let version = Version::updated(it.updated_at, listed_at, &it.data);
        (Row::of_organization(it, dialect), version)
    };
    batch::sorted(organizations.iter().map(state).collect())
}

fn membership_states<'m>(
    memberships: impl Iterator<Item = &'m OrganizationMembership>,
    listed_at: Option<SystemTime>,
    dialect: Dialect,
) -> Vec<(Row, Version)> {
    let state = |it: &OrganizationMembership| {
        let version = Version::updated(it.updated_at, listed_at, &it.data);
        (Row::of_membership(it, dialect), version)
    };
    batch::sorted(memberships.map(state).collect())
}

/// Returns how a page differs from the rows.
pub(super) async fn compare(
    store: &Store,
    kinds: &OrganizationTables,
    page: RecordPage<'_>,
) -> Result<Differences, DbErr> {
    let (kind, states, orphans) = match page.records {
        Records::Organizations(organizations) => {
            let states = organization_states(organizations, page.listed_at, store.dialect);
            (&kinds.organizations, states, HashSet::new())
        }
        Records::Memberships(memberships) => {
            let states = membership_states(memberships.iter(), page.listed_at, store.dialect);
            (&kinds.memberships, states, orphans(store, kinds, memberships).await?)
        }
    };
    let mut differences = batch::differences(store, kind, &states).await?;
    let Differences { missing, outdated, deleted } = &mut differences;
    for ids in [missing, outdated] {
        deleted.extend(ids.extract_if(.., |id| orphans.contains(id.as_str())));
    }
    Ok(differences)
}

/// Returns the ids of those memberships whose organization or user is deleted.
async fn orphans<'m>(
    store: &Store,
    kinds: &OrganizationTables,
    memberships: &'m [OrganizationMembership],
) -> Result<HashSet<&'m str>, DbErr> {
    let organizations: BTreeSet<&str> =
        memberships.iter().map(|it| it.organization_id.as_str()).collect();
    let users: BTreeSet<&str> = memberships.iter().map(|it| it.user_id.as_str()).collect();
    let organizations = deleted(store, &kinds.organizations, &organizations).await?;
    let users = deleted(store, &store.tables.users, &users).await?;
    let is_orphan = |it: &&OrganizationMembership| {
        organizations.contains(it.organization_id.as_str()) || users.contains(it.user_id.as_str())
    };
    Ok(memberships.iter().filter(is_orphan).map(|it| it.id.as_str()).collect())
}

async fn deleted(
    store: &Store,
    kind: &Kind,
    ids: &BTreeSet<&str>,
) -> Result<HashSet<String>, DbErr> {
    let ids: Vec<&str> = ids.iter().copied().collect();
    if ids.is_empty() {
        return Ok(HashSet::new());
    }
    let select = statements::select_versions(&kind.versions, &ids);
    let known = batch::known(store, &select).await?;
    Ok(known.into_iter().filter(|(_, known)| known.deleted).map(|(id, _)| id).collect())
}

/// Returns the memberships of an organization, without those whose row a constraint keeps although they or
/// their users are deleted.
pub(super) async fn members_of(
    store: &Store,
    kinds: &OrganizationTables,
    organization_id: &str,
) -> Result<Vec<Member>, DbErr> {
    let select = statements::select_members(&kinds.memberships.rows, organization_id);
    let mut members = Vec::new();
    for row in store.rows(&select).await? {
        let (id, user_id): (String, String) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
        members.push(Member::new(id, user_id));
    }
    let (mut gone, mut gone_users) = (HashSet::new(), HashSet::new());
    for members in members.chunks(AT_ONCE) {
        let ids = members.iter().map(|member| member.id.as_str()).collect();
        gone.extend(deleted(store, &kinds.memberships, &ids).await?);
        let ids = members.iter().map(|member| member.user_id.as_str()).collect();
        gone_users.extend(deleted(store, &store.tables.users, &ids).await?);
    }
    members.retain(|it| !gone.contains(&it.id) && !gone_users.contains(&it.user_id));
    Ok(members)
}

/// Removes an organization with its memberships, or a membership, for ever. A user has hooks, and is removed elsewhere.
pub(super) async fn remove(
    store: &Store,
    kinds: &OrganizationTables,
    kind: RecordKind,
    id: &str,
) -> Result<Removal, DbErr> {
    let tx = store.begin().await?;
    let (outcome, holds) = match kind {
        RecordKind::Organization => {
            let Ok(id) = OrganizationId::parse(id) else { return Ok(Removal::Already) };
            let outcome = tx.tombstone(&kinds.organizations, id.id()).await?;
            (outcome, tx.remove_organization(kinds, id.id()).await?)
        }
        RecordKind::Membership => {
            let Ok(id) = MembershipId::parse(id) else { return Ok(Removal::Already) };
            let outcome = tx.tombstone(&kinds.memberships, id.id()).await?;
            (outcome, tx.remove_membership(kinds, id.id()).await?)
        }
        _ => return Ok(Removal::Already),
    };
    tx.commit().await?;
    Ok(removal(outcome, holds))
}

/// Returns what became of a record by the outcome of its tombstone, and by whether a foreign key holds its
/// row.
pub(super) fn removal(tombstone: Outcome, holds: bool) -> Removal {
    match tombstone {
        Outcome::Applied(_) if holds => Removal::Held,
        Outcome::Applied(_) => Removal::Removed,
        _ => Removal::Already,
    }
}

/// The number of ids in one statement.
const AT_ONCE: usize = 500;
