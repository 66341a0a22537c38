//! Looking for what differs, and removing whom Clerk no longer has: never by one look alone.

use super::api::Line;
use super::error::{BackfillError, BackfillErrorKind};
use super::progress::{Drift, Phase, Progress, Removed, Sample};
use super::run::{Backfill, length, told};
use super::target::{Differences, Run, Target};
use super::walk::Walk;
use crate::ids::UserId;
use crate::trace::event;
use crate::webhook::SinkError;

impl<T: Target> Backfill<T> {
    /// How Clerk and the target differ; changes nothing, and remembers nothing.
    ///
    /// It asks for all users at Clerk, and for each user of the target by the id: a request for
    /// each page, and one for each hundred ids. What webhooks change meanwhile may be among the
    /// differences.
    ///
    /// # Errors
    ///
    /// See [`BackfillErrorKind`].
    pub async fn dry_run(&self) -> Result<Drift, BackfillError> {
        let mut line = self.line();
        let instance_id = line.instance().await?;
        let runs = self.runs(&instance_id).await?;
        let total = line.count().await?;
        let mut progress = Progress::of(Phase::Listing, 0, total);
        let mut drift = Drift {
            instance_id: instance_id.into(),
            users: 0,
            unreadable: 0,
            missing: Sample::default(),
            outdated: Sample::default(),
            deleted: Sample::default(),
            gone: None,
        };
        let mut walk = Walk::from(&Run::new(drift.instance_id.as_str()), self.page_size, total);
        while let Some(page) = walk.next(&mut line, self.latest()).await? {
            let compare = || self.target.compare(&page.users);
            let Differences { missing, outdated, deleted } = self.pauses.target(compare).await?;
            drift.missing.add(missing);
            drift.outdated.add(outdated);
            drift.deleted.add(deleted);
            drift.unreadable += told(page.unreadable);
            drift.users += length(&page.users);
            progress.users = drift.users;
            progress.total = progress.total.or(page.total);
            if page.listed > 0 {
                self.tell(&progress);
            }
        }
        if runs.other.is_none() {
            let mut gone = Sample::default();
            let mut search = Search::default();
            while let Some(ids) = search.next(self, &mut line).await? {
                gone.add(ids);
            }
            drift.gone = Some(gone);
        }
        Ok(drift)
    }

    /// Removes those from the target whom Clerk no longer has, and whose deletion no webhook told:
    /// for ever, as `user.deleted` would.
    ///
    /// Only from a target that was filled from this very instance, to the end, and that knows of
    /// users of no other: see [`Target::runs`] for what it knows.
    /// First all of them are looked for; if there are more than `most`, nobody is removed. Then
    /// Clerk is asked for each by the id, and must say of each that there is no such user: should
    /// anything else answer, nobody is removed. Rows whose id is none of Clerk's are left alone.
    ///
    /// # Errors
    ///
    /// See [`BackfillErrorKind`]. If the target fails while users are being removed, those before
    /// are gone, and the next call removes the others.
    pub async fn remove_gone(&self, most: u32) -> Result<Removed, BackfillError> {
        let outcome = self.remove(most).await;
        match &outcome {
            Ok(_removed) => event!(
                info,
                removed = _removed.removed,
                kept = _removed.kept,
                gone_already = _removed.gone_already,
                "users whom Clerk no longer has were removed"
            ),
            Err(_error) => event!(
                warn,
                kind = ?_error.kind(),
                "users whom Clerk no longer has were not removed: {_error}"
            ),
        }
        outcome
    }

    async fn remove(&self, most: u32) -> Result<Removed, BackfillError> {
        let mut line = self.line();
        let instance_id = line.instance().await?;
        self.was_filled_from(&instance_id).await?;

        let candidates = self.candidates(&mut line, most).await?;
        let tell = |phase, done, of| self.tell(&Progress::of(phase, done, Some(of)));
        let seem_gone = length(&candidates);
        let mut removed = Removed::default();
        let mut gone = Vec::new();
        for (id, number) in candidates.into_iter().zip(1..) {
            if line.is_gone(&id).await? {
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

    async fn was_filled_from(&self, instance_id: &str) -> Result<(), BackfillError> {
        let runs = self.all_runs(instance_id).await?;
        if let Some(other) = runs.other {
            return Err(BackfillError::new(
                BackfillErrorKind::OtherInstance,
                format!(
                    "nobody was removed: the secret key is of the instance {instance_id}, and the \
                     target has users of {other}, all of whom would seem gone; set the key of the \
                     instance that this target belongs to"
                ),
            ));
        }
        match runs.own {
            Some(run) if run.finished => Ok(()),
            own => Err(BackfillError::new(
                BackfillErrorKind::NotFilled,
                format!(
                    "nobody was removed: the target was {} filled from the instance \
                     {instance_id}, so that its users may be somebody else's; let a run end first",
                    if own.is_some_and(|run| run.last_user_id.is_some()) {
                        "not yet wholly"
                    } else {
                        "never"
                    }
                ),
            )),
        }
    }

    /// Whom a list by ids leaves out.
    async fn candidates(
        &self,
        line: &mut Line<'_>,
        most: u32,
    ) -> Result<Vec<String>, BackfillError> {
        let mut candidates = Vec::new();
        let mut search = Search::default();
        while let Some(ids) = search.next(self, line).await? {
            candidates.extend(ids);
            let found = length(&candidates);
            if found > u64::from(most) {
                return Err(BackfillError::new(
                    BackfillErrorKind::TooManyGone,
                    format!(
                        "nobody was removed: Clerk no longer has at least {found} of the target's \
                         users, and no more than {most} may be removed; look at them with \
                         `dry_run`, and allow more if it is right"
                    ),
                ));
            }
        }
        Ok(candidates)
    }
}

/// A way through the target's ids, in search of those that Clerk leaves out.
#[derive(Default)]
struct Search {
    after: Option<String>,
    /// How many were gone through.
    users: u64,
}

impl Search {
    /// Those of the next ids whom Clerk does not list; `None` after the last id.
    async fn next<T: Target>(
        &mut self,
        backfill: &Backfill<T>,
        line: &mut Line<'_>,
    ) -> Result<Option<Vec<String>>, BackfillError> {
        let after = self.after.take();
        let ask = || backfill.target.ids_after(after.as_deref(), IDS_AT_ONCE);
        let mut ids = backfill.pauses.target(ask).await?;
        let Some(last) = ids.last() else { return Ok(None) };
        let is_in_order = after.as_ref().is_none_or(|after| ids.first() > Some(after))
            && ids.is_sorted_by(|a, b| a < b)
            && ids.len() <= MAX_IDS;
        if !is_in_order {
            return Err(
                SinkError::permanent("ids_after gives too many ids, or not in order").into()
            );
        }
        self.after = Some(last.clone());
        self.users += length(&ids);
        // What Clerk cannot have given, Clerk cannot have lost; and a sign in front would exclude.
        ids.retain(|id| UserId::parse(id.as_str()).is_some());
        if !ids.is_empty() {
            let known = line.known(&ids).await?;
            ids.retain(|id| !known.contains(id));
        }
        backfill.tell(&Progress::of(Phase::LookingForGone, self.users, None));
        Ok(Some(ids))
    }
}

/// As many ids as Clerk takes in one question.
const IDS_AT_ONCE: u32 = 100;
const MAX_IDS: usize = 100;
