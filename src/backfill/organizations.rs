//! Organizations and their members: after the users, where the target keeps them.

use std::collections::HashSet;

use super::api::{Requests, unreadable};
use super::error::BackfillError;
use super::lists::{List, Listing, OffsetWalk};
use super::page::Page;
use super::progress::{Phase, Progress, RecordDrift, RecordReport, Sample};
use super::records::{Member, RecordKind, RecordPage, Records};
use super::retry::Pauses;
use super::target::{Run, Target, Written};
use crate::ids::OrganizationId;
use crate::trace::event;
use crate::webhook::event::{Organization, OrganizationMembership};

/// The part of a backfill about organizations and memberships.
pub(super) struct Organizations<'a, T> {
    pub(super) target: &'a T,
    pub(super) page_size: u32,
    pub(super) pauses: Pauses,
    pub(super) backfill: &'a dyn Whole,
}

/// The whole backfill, for its parts.
pub(super) trait Whole: Sync {
    /// Returns the latest plausible time, in milliseconds since 1970.
    fn latest(&self) -> i64;

    /// Returns the time after which a record's absence from Clerk's lists means nothing.
    fn settled(&self) -> i64;

    fn tell(&self, progress: &Progress);
}

/// Two results of one kind: that for organizations and that for memberships.
pub(super) struct Both<T> {
    pub(super) organizations: T,
    pub(super) memberships: T,
}

impl<T: Target> Organizations<'_, T> {
    /// Writes all organizations and their members. Returns `None` if the target does not keep them, or if
    /// the instance has none because the feature is switched off.
    pub(super) async fn fill(
        &self,
        requests: &mut Requests<'_>,
        run: &mut Run,
    ) -> Result<Option<Both<RecordReport>>, BackfillError> {
        if !self.target.keeps_organizations() {
            return Ok(None);
        }
        let resumed = run.organizations.get_or_insert_default();
        let last = resumed.last_organization_id.clone().map(|id| (id, resumed.organizations));
        let mut walk = OffsetWalk::after(List::Organizations, self.page_size, last);
        let mut report = Both::<RecordReport>::new();
        let mut before = walk.before();
        while let Some(listing) =
            walk.next::<Organization>(requests, self.backfill.latest()).await?
        {
            let Listing::Page(page) = listing else {
                self.finish(run).await?;
                event!(info, "the instance has no organizations");
                return Ok(None);
            };
            if walk.before() != before {
                // The one to go on after is gone, so that all come again.
                before = walk.before();
                run.organizations = Some(Default::default());
            }
            let mut of_page = RecordReport { unreadable: page.unreadable, ..Default::default() };
            warn_unreadable(RecordKind::Organization, page.unreadable);
            let records = RecordPage::new(Records::Organizations(&page.records));
            of_page.add(self.write_page(records.with_time(page.listed_at), run).await?);
            report.organizations.join(of_page);
            for organization in &page.records {
                let members = self.fill_members(requests, &organization.id, run, &report);
                let members = members.await?;
                report.memberships.join(members);
            }
            let so_far = run.organizations.as_ref().map_or(0, |run| run.organizations);
            let mut progress = Progress::of(Phase::Listing, so_far, walk.listed().1);
            progress.written = report.organizations.written;
            progress.unchanged = report.organizations.unchanged;
            if page.listed > 0 {
                self.backfill.tell(&progress.about(RecordKind::Organization));
            }
        }
        report.organizations.is_short = is_short(&walk, RecordKind::Organization);
        self.finish(run).await?;
        let done = run.organizations.clone().unwrap_or_default();
        report.organizations.processed = done.organizations;
        report.memberships.processed = done.memberships;
        event!(
            info,
            organizations = done.organizations,
            memberships = done.memberships,
            written = report.organizations.written + report.memberships.written,
            "the organizations of a backfill are done"
        );
        Ok(Some(report))
    }

    /// Writes the members of an organization. The run goes on after it once all are written.
    async fn fill_members(
        &self,
        requests: &mut Requests<'_>,
        organization_id: &OrganizationId,
        run: &mut Run,
        so_far: &Both<RecordReport>,
    ) -> Result<RecordReport, BackfillError> {
        let mut report = RecordReport::default();
        let mut walk = OffsetWalk::new(List::Members(organization_id), self.page_size);
        while let Some(listing) = walk.next(requests, self.backfill.latest()).await? {
            // Without a list the organization was deleted meanwhile.
            let Listing::Page(page) = listing else { break };
            check_members(organization_id, &page)?;
            report.unreadable += page.unreadable;
            warn_unreadable(RecordKind::Membership, page.unreadable);
            let mut next = run.clone();
            let mark = next.organizations.get_or_insert_default();
            mark.memberships += length(&page.records);
            let memberships = mark.memberships;
            if walk.is_over() {
                mark.pass(organization_id);
            }
            if !page.records.is_empty() {
                let records = RecordPage::new(Records::Memberships(&page.records));
                report.add(self.write_page(records.with_time(page.listed_at), &next).await?);
            }
            *run = next;
            let mut progress = Progress::of(Phase::Listing, memberships, None);
            progress.written = so_far.memberships.written + report.written;
            progress.unchanged = so_far.memberships.unchanged + report.unchanged;
            if page.listed > 0 {
                self.backfill.tell(&progress.about(RecordKind::Membership));
            }
        }
        let mark = run.organizations.get_or_insert_default();
        if mark.last_organization_id.as_deref() != Some(organization_id) {
            mark.pass(organization_id);
        }
        report.is_short = is_short(&walk, RecordKind::Membership);
        Ok(report)
    }

    /// Records that all organizations are written.
    async fn finish(&self, run: &mut Run) -> Result<(), BackfillError> {
        run.organizations.get_or_insert_default().finished = true;
        self.write_page(RecordPage::new(Records::Organizations(&[])), run).await?;
        Ok(())
    }

    async fn write_page(&self, page: RecordPage<'_>, run: &Run) -> Result<Written, BackfillError> {
        let written = self.pauses.target(|| self.target.write_records(page, run)).await?;
        if let Some(_first) = written.refused.first() {
            event!(
                warn,
                records = written.refused.len(),
                reason = _first.reason,
                "the target refuses organizations or memberships because of their data; they are skipped"
            );
        }
        Ok(written)
    }

    /// Compares all organizations and their members with the target, and lists those that Clerk no longer
    /// has, if `gone` has the users whom it no longer has: their memberships go with them.
    pub(super) async fn compare(
        &self,
        requests: &mut Requests<'_>,
        gone: Option<&HashSet<String>>,
    ) -> Result<Option<Both<RecordDrift>>, BackfillError> {
        if !self.target.keeps_organizations() {
            return Ok(None);
        }
        let mut drift = Both::<RecordDrift>::new();
        drift.organizations.gone = gone.map(|_| Sample::default());
        drift.memberships.gone = gone.map(|_| Sample::default());
        let mut walk = OffsetWalk::new(List::Organizations, self.page_size);
        while let Some(listing) =
            walk.next::<Organization>(requests, self.backfill.latest()).await?
        {
            let Listing::Page(page) = listing else { return Ok(None) };
            let records = RecordPage::new(Records::Organizations(&page.records));
            let records = records.with_time(page.listed_at);
            let compare = || self.target.compare_records(records);
            drift.organizations.add(self.pauses.target(compare).await?);
            drift.organizations.unreadable += page.unreadable;
            drift.organizations.listed += length(&page.records);
            for organization in &page.records {
                let of = &mut drift.memberships;
                self.compare_members(requests, &organization.id, gone, of).await?;
            }
            if page.listed > 0 {
                let (listed, total) = (drift.organizations.listed, walk.listed().1);
                let progress = Progress::of(Phase::Listing, listed, total);
                self.backfill.tell(&progress.about(RecordKind::Organization));
            }
        }
        drift.organizations.is_short = is_short(&walk, RecordKind::Organization);
        Ok(Some(drift))
    }

    async fn compare_members(
        &self,
        requests: &mut Requests<'_>,
        organization_id: &OrganizationId,
        gone: Option<&HashSet<String>>,
        drift: &mut RecordDrift,
    ) -> Result<(), BackfillError> {
        let mut walk = OffsetWalk::new(List::Members(organization_id), self.page_size);
        while let Some(listing) = walk.next(requests, self.backfill.latest()).await? {
            let Listing::Page(page) = listing else { return Ok(()) };
            check_members(organization_id, &page)?;
            let records = RecordPage::new(Records::Memberships(&page.records));
            let records = records.with_time(page.listed_at);
            let compare = || self.target.compare_records(records);
            drift.add(self.pauses.target(compare).await?);
            drift.unreadable += page.unreadable;
            drift.listed += length(&page.records);
            if page.listed > 0 {
                let progress = Progress::of(Phase::Listing, drift.listed, None);
                self.backfill.tell(&progress.about(RecordKind::Membership));
            }
        }
        drift.is_short |= is_short(&walk, RecordKind::Membership);
        let Some((sample, gone)) = drift.gone.as_mut().zip(gone) else { return Ok(()) };
        if walk.is_complete() {
            let missing = self.missing_members(organization_id, &walk, gone).await?;
            sample.add(missing.into_iter().map(|member| member.id));
        }
        Ok(())
    }

    /// Returns the memberships of an organization that Clerk's complete list lacks; `None` if the list is
    /// not complete. Those of users who are gone are left out, and so are young ones.
    pub(super) async fn gone_members(
        &self,
        requests: &mut Requests<'_>,
        organization_id: &OrganizationId,
        gone: &HashSet<String>,
    ) -> Result<Option<Vec<Member>>, BackfillError> {
        let mut walk = OffsetWalk::new(List::Members(organization_id), self.page_size);
        while let Some(listing) = walk.next(requests, self.backfill.latest()).await? {
            // Without a list the organization was deleted meanwhile, or organizations are switched off.
            let Listing::Page(page) = listing else { return Ok(Some(Vec::new())) };
            check_members(organization_id, &page)?;
        }
        if is_short(&walk, RecordKind::Membership) || !walk.is_complete() {
            return Ok(None);
        }
        self.missing_members(organization_id, &walk, gone).await.map(Some)
    }

    async fn missing_members(
        &self,
        organization_id: &OrganizationId,
        listed: &OffsetWalk<'_>,
        gone: &HashSet<String>,
    ) -> Result<Vec<Member>, BackfillError> {
        let ask = || self.target.members_of(organization_id);
        let mut members = self.pauses.target(ask).await?;
        members.retain(|it| !listed.has_seen(&it.id) && !gone.contains(&it.user_id));
        let mut ids: Vec<String> = members.iter().map(|member| member.id.clone()).collect();
        ids.sort_unstable();
        for ids in ids.chunks(AT_ONCE) {
            let kind = RecordKind::Membership;
            let ask = || self.target.records_created_after(kind, ids, self.backfill.settled());
            let young = self.pauses.target(ask).await?;
            members.retain(|member| !young.contains(&member.id));
        }
        Ok(members)
    }
}

impl<T: Default> Both<T> {
    fn new() -> Self {
        Self { organizations: T::default(), memberships: T::default() }
    }
}

/// Checks that a list has members of this organization alone: they are written as what gives them rights.
fn check_members(
    organization_id: &OrganizationId,
    page: &Page<OrganizationMembership>,
) -> Result<(), BackfillError> {
    match page.records.iter().all(|it| it.organization_id == *organization_id) {
        true => Ok(()),
        false => Err(unreadable("an organization's list has members of another one")),
    }
}

fn is_short(walk: &OffsetWalk<'_>, _kind: RecordKind) -> bool {
    let (listed, total) = walk.listed();
    let is_short = total.is_some_and(|total| listed < total);
    if is_short {
        event!(
            warn,
            kind = _kind.plural(),
            listed,
            total = total.unwrap_or_default(),
            "the Backend API lists fewer organizations or members than it counts"
        );
    }
    is_short
}

fn warn_unreadable(_kind: RecordKind, unreadable: u64) {
    if unreadable > 0 {
        event!(
            warn,
            kind = _kind.plural(),
            records = unreadable,
            "the Backend API lists organizations or memberships without usable ids; they are skipped"
        );
    }
}

fn length<U>(list: &[U]) -> u64 {
    u64::try_from(list.len()).unwrap_or(u64::MAX)
}

/// The number of ids in one question to the target.
const AT_ONCE: usize = 500;
