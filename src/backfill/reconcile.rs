//! The search for differences, and the removal of what no longer exists at Clerk. A list alone never
//! decides a removal.

use std::collections::HashSet;

use super::api::Requests;
use super::error::{BackfillError, BackfillErrorKind};
use super::progress::{Drift, Phase, Progress, RecordsRemoved, Removed, Sample};
use super::records::{RecordKind, UserPage};
use super::run::{Backfill, length, of_example, warn_short, warn_unreadable};
use super::target::{Differences, Removal, Run, Target};
use super::walk::Walk;
use crate::ids::{Id, InstanceId, OrganizationId};
use crate::trace::event;
use crate::webhook::SinkError;

impl<T: Target> Backfill<T> {
    /// Returns how Clerk and the target differ. Changes nothing and stores nothing.
    ///
    /// It requests all users from Clerk, one page at a time, and then looks up the target's ids at
    /// Clerk, a hundred in one request. Organizations and the members of each follow if the target
    /// keeps them. Changes that webhooks make meanwhile may count as differences.
    ///
    /// # Errors
    ///
    /// See [`BackfillErrorKind`].
    pub async fn dry_run(&self) -> Result<Drift, BackfillError> {
        let mut requests = self.requests();
        let instance_id = self.instance(&mut requests).await?;
        let runs = self.runs(instance_id.as_ref()).await?;
        let total = requests.count().await?;
        let mut progress = Progress::of(Phase::Listing, 0, total);
        let mut drift = Drift {
            instance_id: instance_id.map(String::from),
            users: 0,
            unreadable: 0,
            listed: 0,
            total,
            missing: Sample::default(),
            outdated: Sample::default(),
            deleted: Sample::default(),
            gone: None,
            organizations: None,
            memberships: None,
        };
        let mut walk = Walk::from(&Run::new(Run::UNKNOWN_INSTANCE), self.page_size, total);
        while let Some(page) = walk.next(&mut requests, self.latest()).await? {
            let users = UserPage::new(&page.records).with_time(page.listed_at);
            let compare = || self.target.compare(users);
            let Differences { missing, outdated, deleted } = self.pauses.target(compare).await?;
            drift.missing.add(missing);
            drift.outdated.add(outdated);
            drift.deleted.add(deleted);
            drift.unreadable += warn_unreadable(page.unreadable);
            drift.users += length(&page.records);
            progress.users = drift.users;
            progress.total = progress.total.or(page.total);
            if page.listed > 0 {
                self.tell(&progress);
            }
        }
        (drift.listed, drift.total) = walk.listed();
        warn_short(drift.listed, drift.total);
        let knows_gone = drift.instance_id.is_some() && runs.other.is_none();
        let mut gone_users = HashSet::new();
        if knows_gone {
            let mut gone = Sample::default();
            let mut search = Search::of(RecordKind::User);
            while let Some(ids) = search.next(self, &mut requests).await? {
                gone_users.extend(ids.iter().cloned());
                gone.add(ids);
            }
            drift.gone = Some(gone);
        }
        let gone_users = knows_gone.then_some(&gone_users);
        if let Some(mut both) = self.organizations().compare(&mut requests, gone_users).await? {
            if let Some(gone) = &mut both.organizations.gone {
                let mut search = Search::of(RecordKind::Organization);
                while let Some(ids) = search.next(self, &mut requests).await? {
                    gone.add(ids);
                }
            }
            drift.organizations = Some(both.organizations);
            drift.memberships = Some(both.memberships);
        }
        Ok(drift)
    }

    /// Removes the users from the target who no longer exist at Clerk and whose deletion no webhook
    /// reported: for ever, as `user.deleted` would. If the target keeps organizations, it does the same
    /// for organizations and memberships.
    ///
    /// The target must have been filled completely from this instance, and must have users of no
    /// other instance; see [`Target::runs`].
    ///
    /// First, the method looks up the target's ids at Clerk, a hundred in one request. If Clerk's
    /// lists omit more than `most` of them, no user is removed. Then the method requests each
    /// omitted user alone, and keeps those whom Clerk still has. If any answer is neither the user
    /// nor Clerk's own error for an unknown user, no user is removed. Rows whose id Clerk cannot
    /// have given stay, and so do users who were created within the last hour. A user whose row other rows
    /// hold is removed as `user.deleted` does it, and listed ([`Removed::held`]).
    ///
    /// All of this holds for organizations too, and `most` counts all kinds together. A membership is
    /// omitted if Clerk's complete list of the organization's members lacks it, and it is removed if a list
    /// for this user alone lacks it too. What goes with a user or an organization is not counted. A list of
    /// members that is shorter than its own count removes no member.
    ///
    /// # Errors
    ///
    /// See [`BackfillErrorKind`]. If the target fails during the removal, the users before the
    /// failure are removed, and the next call removes the others.
    pub async fn remove_gone(&self, most: u32) -> Result<Removed, BackfillError> {
        let outcome = self.remove(most).await;
        match &outcome {
            Ok(_removed) => event!(
                info,
                removed = _removed.removed,
                kept = _removed.kept,
                gone_already = _removed.gone_already,
                held = _removed.held.count,
                "users who no longer exist at Clerk were removed"
            ),
            Err(_error) => event!(
                warn,
                kind = ?_error.kind(),
                "removing users who no longer exist at Clerk failed: {_error}"
            ),
        }
        outcome
    }

    async fn remove(&self, most: u32) -> Result<Removed, BackfillError> {
        let mut requests = self.requests();
        let instance_id = self.instance(&mut requests).await?;
        let Some(instance_id) = instance_id else {
            return Err(BackfillError::new(
                BackfillErrorKind::InstanceUnknown,
                "no user was removed: the Backend API does not tell which instance the secret key \
                 belongs to (it answered `GET /v1/instance` with 404), so the target's users may \
                 be of another one, and would all seem deleted; set the API URL of Clerk's own \
                 Backend API",
            ));
        };
        self.check_filled_from(&instance_id).await?;

        let Candidates { all, incomplete } = self.candidates(&mut requests, most).await?;
        let tell = |phase, kind, done, of| {
            self.tell(&Progress::of(phase, done, Some(of)).about(kind));
        };
        let seem_gone = length(&all);
        let mut removed = Counts::default();
        removed.memberships.incomplete = incomplete;
        let mut gone = Vec::new();
        for (candidate, number) in all.into_iter().zip(1..) {
            let kind = candidate.kind;
            if candidate.is_gone(&mut requests).await? {
                gone.push(candidate);
            } else {
                removed.of(kind).kept += 1;
            }
            tell(Phase::Confirming, kind, number, seem_gone);
        }
        let are_gone = length(&gone);
        for (Candidate { kind, id, .. }, number) in gone.into_iter().zip(1..) {
            let removal = self.pauses.target(|| self.target.remove_record(kind, &id)).await?;
            let of_kind = removed.of(kind);
            match removal {
                Removal::Already => of_kind.gone_already += 1,
                Removal::Removed => of_kind.removed += 1,
                Removal::Held => {
                    of_kind.removed += 1;
                    of_kind.held.add([id]);
                }
            }
            tell(Phase::Removing, kind, number, are_gone);
        }
        Ok(removed.into())
    }

    async fn check_filled_from(&self, instance_id: &InstanceId) -> Result<(), BackfillError> {
        let runs = self.find_runs(Some(instance_id)).await?;
        if let Some(other) = runs.other {
            return Err(BackfillError::new(
                BackfillErrorKind::OtherInstance,
                format!(
                    "no user was removed: the secret key is of the instance {instance_id}, but the \
                     target has users of {other}, who would all seem deleted; set the key of the \
                     instance that this target belongs to{}",
                    of_example(&other)
                ),
            ));
        }
        match runs.own {
            Some(run) if self.is_filled(&run) => Ok(()),
            own => Err(BackfillError::new(
                BackfillErrorKind::NotFilled,
                format!(
                    "no user was removed: the target was {} filled from the instance \
                     {instance_id}, so its users may be of another one; finish a run first",
                    if own.is_some_and(|run| run.last_user_id.is_some()) {
                        "not yet completely"
                    } else {
                        "never"
                    }
                ),
            )),
        }
    }

    /// Returns whether a run has written everything that the target keeps.
    fn is_filled(&self, run: &Run) -> bool {
        let organizations = run.organizations.as_ref().is_some_and(|run| run.finished);
        run.finished && (organizations || !self.target.keeps_organizations())
    }

    /// Returns what the target has and Clerk's lists leave out: users, organizations, and memberships of
    /// none of these.
    async fn candidates(
        &self,
        requests: &mut Requests<'_>,
        most: u32,
    ) -> Result<Candidates, BackfillError> {
        let mut found = Candidates::default();
        let mut kinds = vec![RecordKind::User];
        if self.target.keeps_organizations() {
            kinds.push(RecordKind::Organization);
        }
        for kind in kinds {
            let mut search = Search::of(kind);
            while let Some(ids) = search.next(self, requests).await? {
                found.all.extend(ids.into_iter().map(|id| Candidate { kind, id, of: None }));
                found.check(most)?;
            }
        }
        if self.target.keeps_organizations() {
            self.candidates_in_organizations(requests, most, &mut found).await?;
        }
        Ok(found)
    }

    /// Adds the memberships that Clerk's lists of members leave out.
    async fn candidates_in_organizations(
        &self,
        requests: &mut Requests<'_>,
        most: u32,
        found: &mut Candidates,
    ) -> Result<(), BackfillError> {
        let ids_of = |kind| {
            let of_kind = found.all.iter().filter(move |it| it.kind == kind);
            of_kind.map(|it| it.id.clone()).collect::<HashSet<_>>()
        };
        let gone = ids_of(RecordKind::User);
        let gone_organizations = ids_of(RecordKind::Organization);
        let mut search = Search::of(RecordKind::Organization);
        while let Some(ids) = search.step(self).await? {
            for organization in ids.into_iter().filter(|id| !gone_organizations.contains(id)) {
                let Ok(organization_id) = OrganizationId::parse(organization) else { continue };
                match self.organizations().gone_members(requests, &organization_id, &gone).await? {
                    Some(members) => found.all.extend(members.into_iter().map(|member| {
                        let of = Some((organization_id.to_string(), member.user_id));
                        Candidate { kind: RecordKind::Membership, id: member.id, of }
                    })),
                    None => found.incomplete += 1,
                }
                found.check(most)?;
            }
            let progress = Progress::of(Phase::LookingForGone, search.records, None);
            self.tell(&progress.about(RecordKind::Membership));
        }
        Ok(())
    }
}

/// The records that Clerk's lists leave out.
#[derive(Default)]
struct Candidates {
    all: Vec<Candidate>,
    /// The number of organizations whose list of members says nothing about who left.
    incomplete: u64,
}

impl Candidates {
    fn check(&self, most: u32) -> Result<(), BackfillError> {
        let found = length(&self.all);
        if found <= u64::from(most) {
            return Ok(());
        }
        Err(BackfillError::new(
            BackfillErrorKind::TooManyGone,
            format!(
                "no user was removed, and nothing else: at least {found} of the target's users, \
                 organizations and memberships seem deleted at Clerk, and no more than {most} may be \
                 removed; list them with `dry_run`, and allow more if that is right"
            ),
        ))
    }
}

/// A record of the target that Clerk's lists leave out.
struct Candidate {
    kind: RecordKind,
    id: String,
    /// A membership's organization and user.
    of: Option<(String, String)>,
}

impl Candidate {
    /// Returns whether Clerk says about this record alone that it does not exist.
    async fn is_gone(&self, requests: &mut Requests<'_>) -> Result<bool, BackfillError> {
        match (self.kind, &self.of) {
            (RecordKind::User, _) => requests.is_gone(&self.id).await,
            (RecordKind::Organization, _) => requests.is_organization_gone(&self.id).await,
            (RecordKind::Membership, Some((organization, user))) => {
                requests.is_membership_gone(organization, user, &self.id).await
            }
            (RecordKind::Membership, None) => Ok(false),
        }
    }
}

/// The counts of removed and kept candidates, by kind.
#[derive(Default)]
struct Counts {
    users: RecordsRemoved,
    organizations: RecordsRemoved,
    memberships: RecordsRemoved,
}

impl Counts {
    fn of(&mut self, kind: RecordKind) -> &mut RecordsRemoved {
        match kind {
            RecordKind::User => &mut self.users,
            RecordKind::Organization => &mut self.organizations,
            RecordKind::Membership => &mut self.memberships,
        }
    }
}

impl From<Counts> for Removed {
    fn from(Counts { users, organizations, memberships }: Counts) -> Self {
        let RecordsRemoved { removed, kept, gone_already, held, .. } = users;
        Self { removed, kept, gone_already, held, organizations, memberships }
    }
}

/// A walk over the target's ids of a kind, in search of those that Clerk does not list.
struct Search {
    kind: RecordKind,
    after: Option<String>,
    /// The number of ids that were visited.
    records: u64,
}

impl Search {
    fn of(kind: RecordKind) -> Self {
        Self { kind, after: None, records: 0 }
    }

    /// Returns the next of the target's ids, without those that Clerk cannot have given: they would all seem
    /// gone, and Clerk reads a sign before an id, such as `-`, as "all but this one". Returns `None` after
    /// the last id.
    async fn step<T: Target>(
        &mut self,
        backfill: &Backfill<T>,
    ) -> Result<Option<Vec<String>>, BackfillError> {
        let after = self.after.take();
        let ask = || backfill.target.record_ids_after(self.kind, after.as_deref(), IDS_AT_ONCE);
        let mut ids = backfill.pauses.target(ask).await?;
        let Some(last) = ids.last() else { return Ok(None) };
        let is_in_order = after.as_ref().is_none_or(|after| ids.first() > Some(after))
            && ids.is_sorted_by(|a, b| a < b)
            && ids.len() <= MAX_IDS;
        if !is_in_order {
            return Err(SinkError::permanent(
                "`ids_after` returned too many ids, or ids out of order",
            )
            .into());
        }
        self.after = Some(last.clone());
        self.records += length(&ids);
        ids.retain(|id| Id::is(id));
        Ok(Some(ids))
    }

    /// Returns those of the next ids that Clerk does not list, without those of records that were created
    /// within the last hour, which its lists may not have yet; `None` after the last id.
    async fn next<T: Target>(
        &mut self,
        backfill: &Backfill<T>,
        requests: &mut Requests<'_>,
    ) -> Result<Option<Vec<String>>, BackfillError> {
        let Some(mut ids) = self.step(backfill).await? else { return Ok(None) };
        if !ids.is_empty() {
            let known = match self.kind {
                RecordKind::User => Some(requests.known(&ids).await?),
                RecordKind::Organization => requests.known_organizations(&ids).await?,
                RecordKind::Membership => None,
            };
            // An instance whose organizations are switched off may have them.
            ids.retain(|id| known.as_ref().is_some_and(|known| !known.contains(id)));
        }
        if !ids.is_empty() {
            let settled = backfill.settled();
            let ask = || backfill.target.records_created_after(self.kind, &ids, settled);
            let young = backfill.pauses.target(ask).await?;
            ids.retain(|id| !young.contains(id));
        }
        let progress = Progress::of(Phase::LookingForGone, self.records, None);
        backfill.tell(&progress.about(self.kind));
        Ok(Some(ids))
    }
}

/// The number of ids that Clerk accepts in one request.
const IDS_AT_ONCE: u32 = 100;
const MAX_IDS: usize = 100;
