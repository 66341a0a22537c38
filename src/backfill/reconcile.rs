//! The search for differences, and the removal of users who no longer exist at Clerk. A list alone
//! never decides a removal.

use super::api::Requests;
use super::error::{BackfillError, BackfillErrorKind};
use super::progress::{Drift, Phase, Progress, Removed, Sample};
use super::run::{Backfill, length, of_example, warn_short, warn_unreadable};
use super::target::{Differences, Run, Target};
use super::walk::Walk;
use crate::ids::{Id, InstanceId};
use crate::trace::event;
use crate::webhook::SinkError;

impl<T: Target> Backfill<T> {
    /// Returns how Clerk and the target differ. Changes nothing and stores nothing.
    ///
    /// It requests all users from Clerk, one page at a time, and then looks up the target's ids at
    /// Clerk, a hundred in one request. Changes that webhooks make meanwhile may count as
    /// differences.
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
        };
        let mut walk = Walk::from(&Run::new(Run::UNKNOWN_INSTANCE), self.page_size, total);
        while let Some(page) = walk.next(&mut requests, self.latest()).await? {
            let compare = || self.target.compare(&page.users);
            let Differences { missing, outdated, deleted } = self.pauses.target(compare).await?;
            drift.missing.add(missing);
            drift.outdated.add(outdated);
            drift.deleted.add(deleted);
            drift.unreadable += warn_unreadable(page.unreadable);
            drift.users += length(&page.users);
            progress.users = drift.users;
            progress.total = progress.total.or(page.total);
            if page.listed > 0 {
                self.tell(&progress);
            }
        }
        (drift.listed, drift.total) = walk.listed();
        warn_short(drift.listed, drift.total);
        if drift.instance_id.is_some() && runs.other.is_none() {
            let mut gone = Sample::default();
            let mut search = Search::default();
            while let Some(ids) = search.next(self, &mut requests).await? {
                gone.add(ids);
            }
            drift.gone = Some(gone);
        }
        Ok(drift)
    }

    /// Removes the users from the target who no longer exist at Clerk and whose deletion no webhook
    /// reported: for ever, as `user.deleted` would.
    ///
    /// The target must have been filled completely from this instance, and must have users of no
    /// other instance; see [`Target::runs`].
    ///
    /// First, the method looks up the target's ids at Clerk, a hundred in one request. If Clerk's
    /// lists omit more than `most` of them, no user is removed. Then the method requests each
    /// omitted user alone, and keeps those whom Clerk still has. If any answer is neither the user
    /// nor Clerk's own error for an unknown user, no user is removed. Rows whose id Clerk cannot
    /// have given stay, and so do users who were created within the last hour.
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

        let candidates = self.candidates(&mut requests, most).await?;
        let tell = |phase, done, of| self.tell(&Progress::of(phase, done, Some(of)));
        let seem_gone = length(&candidates);
        let mut removed = Removed::default();
        let mut gone = Vec::new();
        for (id, number) in candidates.into_iter().zip(1..) {
            if requests.is_gone(&id).await? {
                gone.push(id);
            } else {
                removed.kept += 1;
            }
            tell(Phase::Confirming, number, seem_gone);
        }
        let are_gone = length(&gone);
        for (id, number) in gone.into_iter().zip(1..) {
            if self.pauses.target(|| self.target.remove(&id)).await? {
                removed.removed += 1;
            } else {
                removed.gone_already += 1;
            }
            tell(Phase::Removing, number, are_gone);
        }
        Ok(removed)
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
            Some(run) if run.finished => Ok(()),
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

    /// Returns the target's users whom Clerk's lists by id leave out.
    async fn candidates(
        &self,
        requests: &mut Requests<'_>,
        most: u32,
    ) -> Result<Vec<String>, BackfillError> {
        let mut candidates = Vec::new();
        let mut search = Search::default();
        while let Some(ids) = search.next(self, requests).await? {
            candidates.extend(ids);
            let found = length(&candidates);
            if found > u64::from(most) {
                return Err(BackfillError::new(
                    BackfillErrorKind::TooManyGone,
                    format!(
                        "no user was removed: at least {found} of the target's users seem deleted \
                         at Clerk, and no more than {most} may be removed; list them with \
                         `dry_run`, and allow more if that is right"
                    ),
                ));
            }
        }
        Ok(candidates)
    }
}

/// A walk over the target's ids, in search of those that Clerk does not list.
#[derive(Default)]
struct Search {
    after: Option<String>,
    /// The number of ids that were visited.
    users: u64,
}

impl Search {
    /// Returns those of the next ids that Clerk does not list, without those of users who were created
    /// within the last hour, whom its lists may not have yet; `None` after the last id.
    async fn next<T: Target>(
        &mut self,
        backfill: &Backfill<T>,
        requests: &mut Requests<'_>,
    ) -> Result<Option<Vec<String>>, BackfillError> {
        let after = self.after.take();
        let ask = || backfill.target.ids_after(after.as_deref(), IDS_AT_ONCE);
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
        self.users += length(&ids);
        // Skips ids that Clerk cannot have given: they would all seem gone, and Clerk reads a sign
        // before an id, such as `-`, as "all but this user".
        ids.retain(|id| Id::is(id));
        if !ids.is_empty() {
            let known = requests.known(&ids).await?;
            ids.retain(|id| !known.contains(id));
        }
        if !ids.is_empty() {
            let ask = || backfill.target.created_after(&ids, backfill.settled());
            let young = backfill.pauses.target(ask).await?;
            ids.retain(|id| !young.contains(id));
        }
        backfill.tell(&Progress::of(Phase::LookingForGone, self.users, None));
        Ok(Some(ids))
    }
}

/// The number of ids that Clerk accepts in one request.
const IDS_AT_ONCE: u32 = 100;
const MAX_IDS: usize = 100;
