//! The run: writes page after page to the target, each with the position at which a run resumes.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::api::{BackendApi, Requests};
use super::error::{BackfillError, BackfillErrorKind};
use super::organizations::{Organizations, Whole};
use super::progress::{MAX_EXAMPLES, Phase, Progress, Report};
use super::records::UserPage;
use super::retry::Pauses;
use super::target::{Refused, Run, Target, Written};
use super::walk::Walk;
use crate::clock::{Clock, SystemClock};
use crate::ids::InstanceId;
use crate::trace::event;
use crate::webhook::EXAMPLE;

/// A backfill, which updates a target with the users of the Backend API.
///
/// Its futures may be dropped at any time: the next [`run`](Self::run) requests again what was not
/// committed. Several backfills of one target at the same time do no harm, but only waste requests.
///
/// Polling the futures outside a Tokio runtime with timers and I/O panics.
pub struct Backfill<T> {
    pub(super) target: T,
    pub(super) page_size: u32,
    pub(super) pauses: Pauses,
    api: BackendApi,
    pace: Duration,
    clock: Arc<dyn Clock>,
    on_progress: Option<OnProgress>,
    several_instances: bool,
    from_start: bool,
    rewrite: bool,
}

impl<T> Backfill<T> {
    /// Creates a backfill from this API to this target.
    #[must_use]
    pub fn new(api: BackendApi, target: T) -> Self {
        Self {
            target,
            page_size: MAX_PAGE_SIZE,
            pauses: Pauses { first: FIRST_PAUSE },
            pace: api.usual_pace(),
            api,
            clock: Arc::new(SystemClock::new()),
            on_progress: None,
            several_instances: false,
            from_start: false,
            rewrite: false,
        }
    }

    /// Sets the number of users per page, clamped to 1 to 500; default: 500. A page is held in
    /// memory and written in one transaction of the target.
    #[must_use]
    pub fn page_size(self, users: u32) -> Self {
        Self { page_size: users.clamp(1, MAX_PAGE_SIZE), ..self }
    }

    /// Sets the time from the start of one request to the start of the next; default: 20 ms with a
    /// live key, 200 ms with a test key. This is half of Clerk's rate limit; the other half is left
    /// to the application.
    #[must_use]
    pub fn pace(self, apart: Duration) -> Self {
        Self { pace: apart, ..self }
    }

    /// Sets the pause after the first failed try; default: 500 ms. It doubles with each try, up to
    /// a minute.
    ///
    /// A request is tried eight times. With the default the pauses add up to about a minute; a
    /// Backend API that never answers also takes [its timeout](BackendApi::request_timeout) for
    /// each try, so about five minutes in all.
    #[must_use]
    pub fn first_pause(self, pause: Duration) -> Self {
        Self { pauses: Pauses { first: pause }, ..self }
    }

    /// Sets a function that is called with the progress; default: none.
    ///
    /// [`run`](Self::run) and [`dry_run`](Self::dry_run) call it after each page of Clerk's lists;
    /// [`dry_run`](Self::dry_run) and [`remove_gone`](Self::remove_gone) after each hundred of the
    /// target's users or organizations; [`remove_gone`](Self::remove_gone) after each record that is
    /// confirmed or removed. See [`Phase`] and [`Progress::kind`]. The counts of written and unchanged
    /// records are 0 except in a run.
    #[must_use]
    pub fn on_progress(self, tell: impl Fn(&Progress) + Send + Sync + 'static) -> Self {
        Self { on_progress: Some(Box::new(tell)), ..self }
    }

    /// Sets the clock; default: the operating system's. A time of Clerk's that is more than five minutes
    /// ahead of it counts as five minutes ahead. A clock that is more than a minute ahead of Clerk's, or
    /// behind it, is refused.
    #[must_use]
    pub fn clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self }
    }

    /// Allows users of several Clerk instances in one target; default: not allowed.
    ///
    /// By default, a target that has another instance's users, from backfills or webhooks, is
    /// refused: usually the secret key or the database is the wrong one.
    #[must_use]
    pub fn several_instances(self) -> Self {
        Self { several_instances: true, ..self }
    }

    /// Begins at the start, even if an unfinished [`run`](Self::run) could be resumed; default: not.
    #[must_use]
    pub fn from_start(self) -> Self {
        Self { from_start: true, ..self }
    }

    /// Also writes users again whom the target has in the same state; default: not.
    ///
    /// It fills a column that the application added since, for example by `Schema::user_column`. It
    /// begins at the start, also after an interruption.
    #[must_use]
    pub fn rewrite(self) -> Self {
        Self { rewrite: true, ..self }
    }

    pub(super) fn requests(&self) -> Requests<'_> {
        Requests::new(&self.api, self.pace, self.pauses)
    }

    /// Returns the instance that the secret key belongs to, if the Backend API tells it; fails if the
    /// clock is wrong. A slow one would make recent states seem older than they are.
    pub(super) async fn instance(
        &self,
        requests: &mut Requests<'_>,
    ) -> Result<Option<InstanceId>, BackfillError> {
        let asked = self.clock.now();
        let (instance, theirs) = requests.instance().await?;
        let Some(theirs) = theirs else { return Ok(instance) };
        // Clerk's time was somewhere between the two.
        let between = theirs.max(asked).min(self.clock.now().max(asked));
        let wrong = apart(theirs, between);
        if wrong <= CLOCK_TOLERANCE {
            return Ok(instance);
        }
        let word = if theirs > between { "behind" } else { "ahead of" };
        Err(BackfillError::new(
            BackfillErrorKind::ClockWrong,
            format!(
                "this machine's clock is {} s {word} the Backend API's (its header `Date`), and with a \
                 wrong clock the order of states would be wrong; set the clock, by time \
                 synchronisation, and run again",
                wrong.as_secs()
            ),
        ))
    }

    /// Returns the time after which a user's absence from Clerk's lists means nothing, in milliseconds
    /// since 1970.
    pub(super) fn settled(&self) -> i64 {
        millis(self.clock.now().checked_sub(UNSETTLED).unwrap_or(UNIX_EPOCH))
    }

    /// Returns the latest plausible time, as for webhooks, in milliseconds since 1970.
    pub(super) fn latest(&self) -> i64 {
        let tolerance = i64::try_from(TOLERANCE.as_millis()).unwrap_or(i64::MAX);
        millis(self.clock.now()).saturating_add(tolerance)
    }

    pub(super) fn tell(&self, progress: &Progress) {
        if let Some(tell) = &self.on_progress {
            tell(progress);
        }
    }
}

impl<T: Target> Backfill<T> {
    /// Writes all of Clerk's users to the target, and then all organizations and their members if the
    /// target [keeps](Target::keeps_organizations) them. It resumes an unfinished run of the same
    /// instance that began within a day, and otherwise begins at the start.
    ///
    /// Nothing is removed; see [`remove_gone`](Self::remove_gone).
    ///
    /// # Errors
    ///
    /// See [`BackfillErrorKind`]. The pages that were written stay, and the next run resumes after
    /// them.
    pub async fn run(&self) -> Result<Report, BackfillError> {
        let mut requests = self.requests();
        let instance_id = self.instance(&mut requests).await?;
        let runs = self.runs(instance_id.as_ref()).await?;
        let (mut run, since, outdated) = self.begun(recorded(instance_id.as_ref()), runs.own);
        let resumed = run.last_user_id.is_some();
        event!(info, instance = run.instance_id, resumed, users = run.users, "a backfill begins");

        if self.target.keeps_organizations() {
            // So that a run that is killed between the users and the organizations is resumed.
            run.organizations.get_or_insert_default();
        }
        let total = requests.count().await?;
        let mut progress = Progress::of(Phase::Listing, run.users, total);
        progress.resumed = resumed;
        let (mut unreadable, mut all_refused, mut first_refused) = (0, 0, Vec::new());
        let mut walk = Walk::from(&run, self.page_size, total);
        while let Some(page) = walk.next(&mut requests, self.latest()).await? {
            unreadable += warn_unreadable(page.unreadable);
            walk.mark(&mut run);
            run.users += length(&page.records);
            let users = UserPage::new(&page.records).with_time(page.listed_at);
            let write = || async {
                match self.rewrite {
                    true => self.target.rewrite(users, &run).await,
                    false => self.target.write(users, &run).await,
                }
            };
            let Written { written, unchanged, refused } = self.pauses.target(write).await?;
            warn_refused(&refused);
            all_refused += length(&refused);
            let room = MAX_EXAMPLES.saturating_sub(first_refused.len());
            first_refused.extend(refused.into_iter().take(room));
            progress.users = run.users;
            progress.total = progress.total.or(page.total);
            progress.written += written;
            progress.unchanged += unchanged;
            if page.listed > 0 {
                self.tell(&progress);
            }
        }
        let (listed, total) = walk.listed();
        warn_short(listed, total);
        let Progress { users, written, unchanged, .. } = progress;
        let both = self.organizations().fill(&mut requests, &mut run).await?;
        let (organizations, memberships) =
            both.map(|both| (both.organizations, both.memberships)).unzip();
        event!(info, users, written, unchanged, unreadable, "a backfill is done");
        Ok(Report {
            instance_id: instance_id.map(String::from),
            users,
            written,
            unchanged,
            unreadable,
            refused: all_refused,
            first_refused,
            listed,
            total,
            since,
            resumed,
            outdated,
            organizations,
            memberships,
        })
    }

    /// Returns the run to go on with, a new one unless there is an unfinished and recent one; when it
    /// began; and whether there is one that is too old.
    fn begun(&self, instance: &str, own: Option<Run>) -> (Run, SystemTime, bool) {
        let now = self.clock.now();
        let keeps_organizations = self.target.keeps_organizations();
        let unfinished = own.filter(|run| run.is_unfinished(keeps_organizations));
        let mut outdated = false;
        if let Some(run) = unfinished.filter(|_| !self.from_start && !self.rewrite) {
            let since = run.started_at.and_then(time);
            if let Some(since) = since.filter(|since| apart(*since, now) <= LONGEST_INTERRUPTION) {
                return (run, since, false);
            }
            event!(
                warn,
                "the interrupted backfill is too old to be resumed; beginning at the start"
            );
            outdated = true;
        }
        let mut run = Run::new(instance);
        run.started_at = Some(millis(now));
        (run, now, outdated)
    }

    /// Returns the target's runs; fails if it has users of another instance, unless several
    /// instances are allowed.
    pub(super) async fn runs(
        &self,
        instance_id: Option<&InstanceId>,
    ) -> Result<Runs, BackfillError> {
        let runs = self.find_runs(instance_id).await?;
        match (&runs.other, instance_id) {
            (Some(other), Some(instance_id)) if !self.several_instances => Err(BackfillError::new(
                BackfillErrorKind::OtherInstance,
                format!(
                    "the secret key is of the instance {instance_id}, but the target has users of \
                     {other}: set the key of {other}, or the database of {instance_id}; only if \
                     one target is to hold users of both, allow it with `several_instances`{}",
                    of_example(other)
                ),
            )),
            _ => Ok(runs),
        }
    }

    pub(super) async fn find_runs(
        &self,
        instance_id: Option<&InstanceId>,
    ) -> Result<Runs, BackfillError> {
        let own = recorded(instance_id);
        let mut runs = Runs { own: None, other: None };
        for run in self.pauses.target(|| self.target.runs()).await? {
            if run.instance_id == own {
                runs.own = Some(run);
            } else if run.instance_id != Run::UNKNOWN_INSTANCE {
                runs.other = Some(run.instance_id);
            }
        }
        Ok(runs)
    }
}

impl<T: Target> Backfill<T> {
    pub(super) fn organizations(&self) -> Organizations<'_, T> {
        let Self { target, page_size, pauses, .. } = self;
        Organizations { target, page_size: *page_size, pauses: *pauses, backfill: self }
    }
}

impl<T: Target> Whole for Backfill<T> {
    fn latest(&self) -> i64 {
        Self::latest(self)
    }

    fn settled(&self) -> i64 {
        Self::settled(self)
    }

    fn tell(&self, progress: &Progress) {
        Self::tell(self, progress);
    }
}

impl<T> fmt::Debug for Backfill<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backfill")
            .field("page_size", &self.page_size)
            .field("pace", &self.pace)
            .field("several_instances", &self.several_instances)
            .field("from_start", &self.from_start)
            .field("rewrite", &self.rewrite)
            .finish_non_exhaustive()
    }
}

type OnProgress = Box<dyn Fn(&Progress) + Send + Sync>;

/// The target's run of this instance, and the id of one other instance, if there are any.
pub(super) struct Runs {
    pub(super) own: Option<Run>,
    pub(super) other: Option<String>,
}

/// Returns a time in milliseconds since 1970.
fn millis(time: SystemTime) -> i64 {
    let since_1970 = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX)
}

/// Returns the time of so many milliseconds since 1970.
fn time(millis: i64) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::from_millis(u64::try_from(millis).ok()?))
}

/// Returns how far two times are apart.
fn apart(one: SystemTime, other: SystemTime) -> Duration {
    one.duration_since(other).unwrap_or_else(|before| before.duration())
}

/// Returns what else to do if the other instance is that of the Dashboard's examples.
pub(super) fn of_example(other: &str) -> &'static str {
    if other != EXAMPLE {
        return "";
    }
    "; no instance is called ins_123: that is an example which the Dashboard sent (\"Send Example\") and \
     an earlier version took, so have the target forget it (`SeaOrmSink::forget_instance`), and delete \
     the made-up user"
}

/// Returns how a run records an instance.
fn recorded(instance_id: Option<&InstanceId>) -> &str {
    instance_id.map_or(Run::UNKNOWN_INSTANCE, InstanceId::as_str)
}

/// Warns of the users of a page who were skipped, if any, and returns their number.
pub(super) fn warn_unreadable(unreadable: u64) -> u64 {
    if unreadable > 0 {
        event!(
            warn,
            users = unreadable,
            "the Backend API lists users without a usable id; they are skipped"
        );
    }
    unreadable
}

/// Warns of the users of a page whom the target refuses, if any.
fn warn_refused(refused: &[Refused]) {
    if let Some(_first) = refused.first() {
        event!(
            warn,
            users = refused.len(),
            reason = _first.reason,
            "the target refuses users because of their data; they are skipped"
        );
    }
}

/// Warns of a list that has fewer users than Clerk counts.
pub(super) fn warn_short(listed: u64, total: Option<u64>) {
    if let Some(_total) = total.filter(|total| listed < *total) {
        event!(warn, listed, total = _total, "the Backend API lists fewer users than it counts");
    }
}

pub(super) fn length<U>(list: &[U]) -> u64 {
    u64::try_from(list.len()).unwrap_or(u64::MAX)
}

/// The largest page that Clerk returns.
const MAX_PAGE_SIZE: u32 = 500;

/// The largest difference between the clocks.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(60);

const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// The longest time after the beginning of a run in which it is resumed. What its pages wrote before
/// may be outdated by then, if webhooks were lost.
const LONGEST_INTERRUPTION: Duration = Duration::from_secs(24 * 60 * 60);

/// How long after a user's creation Clerk's lists may leave the user out.
const UNSETTLED: Duration = Duration::from_secs(60 * 60);

/// The tolerance, equal to the default of webhooks.
const TOLERANCE: Duration = Duration::from_secs(300);
