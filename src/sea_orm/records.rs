//! Pages of organizations and memberships that a backfill lists: what is written of them, and how they
//! differ from the rows. By the rules of deliveries, with locks in the order of a membership's event.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::SystemTime;

use ::sea_orm::{DbErr, Value};

use super::batch::{self, Known};
use super::dialect::Dialect;
use super::reads::Reads;
use super::row::Row;
use super::statements;
use super::tables::{Kind, OrganizationTables};
use super::transaction::{Started, Store, Transaction};
use crate::backfill::{Differences, Member, RecordKind, RecordPage, Records};
use crate::ids::{MembershipId, OrganizationId, UserId};
use crate::sync::Version;
use crate::webhook::Outcome;
use crate::webhook::event::{Organization, OrganizationMembership};

/// The result of writing a page.
#[derive(Debug, Default)]
pub(super) struct WrittenPage {
    /// The number of records that were written.
    pub(super) written: u64,
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
            let written = write_states(tx, &kinds.organizations, states).await?;
            Ok(WrittenPage { written, ensured: Vec::new() })
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
    let written = write_states(tx, &kinds.memberships, states).await?;
    Ok(WrittenPage { written, ensured })
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
    let known = lock(tx, kind, &ids).await?;
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

/// Writes the states that are to be written, given in the order of their ids, and returns how many.
async fn write_states(
    tx: &Transaction<'_>,
    kind: &Kind,
    states: Vec<(Row, Version)>,
) -> Result<u64, DbErr> {
    let ids: Vec<&str> = states.iter().map(|(row, _)| row.id.as_str()).collect();
    if ids.is_empty() {
        return Ok(0);
    }
    let known = lock(tx, kind, &ids).await?;
    let stored = stored(&tx.tx, kind, &states).await?;
    let mut newer = states;
    newer.retain(|(row, version)| {
        let id = row.id.as_str();
        matches!(
            judge(row, *version, known.get(id), stored.get(id)),
            Judgement::Missing | Judgement::Outdated
        )
    });
    let versions: Vec<_> = newer.iter().map(|(row, version)| (row.id.as_str(), *version)).collect();
    if versions.is_empty() {
        return Ok(0);
    }
    tx.execute(&statements::set_locked_versions(&kind.versions, &versions)).await?;
    let written = u64::try_from(versions.len()).unwrap_or(u64::MAX);
    batch::write_rows(tx, &kind.rows, newer.into_iter().map(|(row, _)| row).collect()).await?;
    Ok(written)
}

/// Locks the versions of records, given in the order of their ids, and returns them. Unknown records get one
/// that is older than every state.
async fn lock(
    tx: &Transaction<'_>,
    kind: &Kind,
    ids: &[&str],
) -> Result<HashMap<String, Known>, DbErr> {
    tx.execute(&statements::start_versions(&kind.versions, ids)).await?;
    batch::known(&tx.tx, &statements::lock_versions(&kind.versions, ids)).await
}

/// What a listed state is to a stored one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Judgement {
    /// The record is deleted.
    Deleted,
    /// The record has no row.
    Missing,
    /// The stored state is older, or another one of the same time.
    Outdated,
    /// The stored state is the same or a newer one.
    Same,
}

/// Judges a listed state. At the same `updated_at`, one that was listed after the stored state counts if a
/// text of the row differs.
fn judge(
    row: &Row,
    version: Version,
    known: Option<&Known>,
    stored: Option<&Vec<Option<String>>>,
) -> Judgement {
    match (known, stored) {
        (Some(known), _) if known.deleted => Judgement::Deleted,
        (None, _) | (_, None) => Judgement::Missing,
        (Some(known), _) if known.version > version => Judgement::Same,
        (Some(known), _) if known.version.updated_at < version.updated_at => Judgement::Outdated,
        (Some(_), Some(stored)) => match texts(row).eq(stored.iter().map(Option::as_deref)) {
            true => Judgement::Same,
            false => Judgement::Outdated,
        },
    }
}

/// Returns the texts of the rows that exist, by id, in the order of [`texts`].
async fn stored(
    db: &impl Reads,
    kind: &Kind,
    states: &[(Row, Version)],
) -> Result<HashMap<String, Vec<Option<String>>>, DbErr> {
    let Some((first, _)) = states.first() else { return Ok(HashMap::new()) };
    let names = first.columns.iter().filter(|(_, value)| matches!(value, Value::String(_)));
    let names: Vec<_> = names.map(|(name, _)| name.clone()).collect();
    let ids: Vec<&str> = states.iter().map(|(row, _)| row.id.as_str()).collect();
    let select = statements::select_columns(&kind.rows, &names, &ids);
    let rows = db.rows(&select).await?;
    let read = rows.iter().map(|row| {
        let texts = (1..=names.len()).map(|at| row.try_get_by_index(at));
        Ok((row.try_get_by_index(0)?, texts.collect::<Result<_, DbErr>>()?))
    });
    read.collect()
}

/// Returns the texts that a row would hold.
fn texts(row: &Row) -> impl Iterator<Item = Option<&str>> {
    row.columns.iter().filter_map(|(_, value)| match value {
        Value::String(text) => Some(text.as_deref()),
        _ => None,
    })
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
    sorted(organizations.iter().map(state).collect())
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
    sorted(memberships.map(state).collect())
}

fn sorted(mut states: Vec<(Row, Version)>) -> Vec<(Row, Version)> {
    states.sort_unstable_by(|(a, _), (b, _)| a.id.cmp(&b.id));
    states
}

/// Returns how a page differs from the rows.
pub(super) async fn compare(
    store: &Store,
    kinds: &OrganizationTables,
    page: RecordPage<'_>,
) -> Result<Differences, DbErr> {
    let (kind, states, deleted) = match page.records {
        Records::Organizations(organizations) => {
            let states = organization_states(organizations, page.listed_at, store.dialect);
            (&kinds.organizations, states, HashSet::new())
        }
        Records::Memberships(memberships) => {
            let states = membership_states(memberships.iter(), page.listed_at, store.dialect);
            (&kinds.memberships, states, orphans(store, kinds, memberships).await?)
        }
    };
    let mut differences = Differences::new();
    let ids: Vec<&str> = states.iter().map(|(row, _)| row.id.as_str()).collect();
    if ids.is_empty() {
        return Ok(differences);
    }
    let select = statements::select_versions(&kind.versions, &ids);
    let known = batch::known(store, &select).await?;
    let stored = stored(store, kind, &states).await?;
    for (row, version) in &states {
        let id = row.id.as_str();
        let differing = match judge(row, *version, known.get(id), stored.get(id)) {
            _ if deleted.contains(id) => &mut differences.deleted,
            Judgement::Deleted => &mut differences.deleted,
            Judgement::Missing => &mut differences.missing,
            Judgement::Outdated => &mut differences.outdated,
            Judgement::Same => continue,
        };
        differing.push(id.to_owned());
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

/// Returns the memberships of an organization, without those that are deleted and whose row a foreign key
/// holds.
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
    let mut gone = HashSet::new();
    for members in members.chunks(AT_ONCE) {
        let ids = members.iter().map(|member| member.id.as_str()).collect();
        gone.extend(deleted(store, &kinds.memberships, &ids).await?);
    }
    members.retain(|member| !gone.contains(&member.id));
    Ok(members)
}

/// Removes an organization with its memberships, or a membership, for ever. Returns false if it was removed
/// already. A user has hooks, and is removed elsewhere.
pub(super) async fn remove(
    store: &Store,
    kinds: &OrganizationTables,
    kind: RecordKind,
    id: &str,
) -> Result<bool, DbErr> {
    let tx = store.begin().await?;
    let outcome = match kind {
        RecordKind::Organization => {
            let Ok(id) = OrganizationId::parse(id) else { return Ok(false) };
            let outcome = tx.tombstone(&kinds.organizations, id.id()).await?;
            tx.remove_organization(kinds, id.id()).await?;
            outcome
        }
        RecordKind::Membership => {
            let Ok(id) = MembershipId::parse(id) else { return Ok(false) };
            let outcome = tx.tombstone(&kinds.memberships, id.id()).await?;
            tx.remove_membership(kinds, id.id()).await?;
            outcome
        }
        _ => return Ok(false),
    };
    tx.commit().await?;
    Ok(matches!(outcome, Outcome::Applied(_)))
}

/// The number of ids in one statement.
const AT_ONCE: usize = 500;
