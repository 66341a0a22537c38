//! The run: page after page into the target, each with the mark from which another run goes on.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use super::api::{BackendApi, Line};
use super::error::{BackfillError, BackfillErrorKind};
use super::progress::{Phase, Progress, Report};
use super::retry::Pauses;
use super::target::{Run, Target, Written};
use super::walk::Walk;
use crate::clock::{Clock, SystemClock};
use crate::trace::event;

/// Brings a target in step with Clerk, by way of the Backend API.
///
/// Its futures may be dropped at any time: what was not committed is asked for again by the next
/// [`run`](Self::run). Let one at a time work on a target; several are only a waste.
///
/// Polling them outside a tokio runtime with timers and I/O panics.
pub struct Backfill<T> {
    pub(super) target: T,
    pub(super) page_size: u32,
    pub(super) pauses: Pauses,
    api: BackendApi,
    pace: Duration,
    clock: Arc<dyn Clock>,
    on_progress: Option<OnProgress>,
    several_instances: bool,
}

impl<T> Backfill<T> {
    /// From this API to this target.
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
        }
    }

    /// How many users are asked for at a time, from 1 to 500; what is beyond counts as the nearest.
    /// Default: 500. As many are in memory, and in one transaction of the target.
    #[must_use]
    pub fn page_size(self, users: u32) -> Self {
        Self { page_size: users.clamp(1, MAX_PAGE_SIZE), ..self }
    }

    /// How long after the start of one request the next may start. Default: 20 ms with a live key,
    /// 200 ms with a test key, half of what Clerk's rate limit allows; the other half is the
    /// application's.
    #[must_use]
    pub fn pace(self, apart: Duration) -> Self {
        Self { pace: apart, ..self }
    }

    /// The pause after a first try that failed; it doubles with each, up to a minute. Default:
    /// 500 ms. A question is put eight times: the pauses between them add up to a minute at most, and
    /// a Backend API that does not answer at all takes [its timeout](BackendApi::request_timeout)
    /// each time, so five minutes in all.
    #[must_use]
    pub fn first_pause(self, pause: Duration) -> Self {
        Self { pauses: Pauses { first: pause }, ..self }
    }

    /// Called after each page of Clerk's list, in [`run`](Self::run) and
    /// [`dry_run`](Self::dry_run); and, in the latter and [`remove_gone`](Self::remove_gone), after
    /// each hundred of the target's users and each user who is asked for or removed: see [`Phase`].
    /// The counts of what was written are those of a run, otherwise 0.
    #[must_use]
    pub fn on_progress(self, tell: impl Fn(&Progress) + Send + Sync + 'static) -> Self {
        Self { on_progress: Some(Box::new(tell)), ..self }
    }

    /// Who says what time it is; states from later than five minutes ahead are not believed.
    /// Default: the operating system.
    #[must_use]
    pub fn clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self }
    }

    /// Lets users of several Clerk instances into one target. Without it, a target that knows of
    /// another instance's users, from its backfills or its webhooks, is refused: as a rule that is
    /// a wrong secret key or a wrong database.
    #[must_use]
    pub fn several_instances(self) -> Self {
        Self { several_instances: true, ..self }
    }

    pub(super) fn line(&self) -> Line<'_> {
        Line::new(&self.api, self.pace, self.pauses)
    }

    /// The latest time that is believed now, as of a webhook; milliseconds since 1970.
    pub(super) fn latest(&self) -> i64 {
        let since_1970 = self.clock.now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since_1970.saturating_add(TOLERANCE).as_millis()).unwrap_or(i64::MAX)
    }

    pub(super) fn tell(&self, progress: &Progress) {
        if let Some(tell) = &self.on_progress {
            tell(progress);
        }
    }
}

impl<T: Target> Backfill<T> {
    /// Brings all of Clerk's users into the target: from where a run of the same instance was
    /// broken off, otherwise from the start.
    ///
    /// Nobody is removed; see [`remove_gone`](Self::remove_gone).
    ///
    /// # Errors
    ///
    /// See [`BackfillErrorKind`]. What was taken in until then stays, and the next run goes on
    /// from there.
    pub async fn run(&self) -> Result<Report, BackfillError> {
        let mut line = self.line();
        let instance_id = line.instance().await?;
        let runs = self.runs(&instance_id).await?;
        let mut run = match runs.own {
            Some(run) if !run.finished => run,
            _ => Run::new(instance_id),
        };
        let resumed = run.last_user_id.is_some();
        event!(info, instance = run.instance_id, resumed, users = run.users, "a backfill begins");

        let total = line.count().await?;
        let mut progress = Progress::of(Phase::Listing, run.users, total);
        progress.resumed = resumed;
        let mut unreadable = 0;
        let mut walk = Walk::from(&run, self.page_size, total);
        while let Some(page) = walk.next(&mut line, self.latest()).await? {
            unreadable += told(page.unreadable);
            walk.mark(&mut run);
            run.users += length(&page.users);
            let write = || self.target.write(&page.users, &run);
            let Written { written, unchanged } = self.pauses.target(write).await?;
            progress.users = run.users;
            progress.total = progress.total.or(page.total);
            progress.written += written;
            progress.unchanged += unchanged;
            if page.listed > 0 {
                self.tell(&progress);
            }
        }
        let Progress { users, written, unchanged, .. } = progress;
        event!(info, users, written, unchanged, unreadable, "a backfill is done");
        let instance_id = run.instance_id;
        Ok(Report { instance_id, users, written, unchanged, unreadable, resumed })
    }

    /// The target's runs, sorted; refuses those of other instances unless several may be there.
    pub(super) async fn runs(&self, instance_id: &str) -> Result<Runs, BackfillError> {
        let runs = self.all_runs(instance_id).await?;
        match &runs.other {
            Some(other) if !self.several_instances => Err(BackfillError::new(
                BackfillErrorKind::OtherInstance,
                format!(
                    "the secret key is of the instance {instance_id}, and the target has users of \
                     {other}: set that instance's key, or this instance's database; only if one \
                     target shall hold users of both, build the backfill with `several_instances`"
                ),
            )),
            _ => Ok(runs),
        }
    }

    pub(super) async fn all_runs(&self, instance_id: &str) -> Result<Runs, BackfillError> {
        let mut runs = Runs { own: None, other: None };
        for run in self.pauses.target(|| self.target.runs()).await? {
            if run.instance_id == instance_id {
                runs.own = Some(run);
            } else {
                runs.other = Some(run.instance_id);
            }
        }
        Ok(runs)
    }
}

impl<T> fmt::Debug for Backfill<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backfill")
            .field("page_size", &self.page_size)
            .field("pace", &self.pace)
            .field("several_instances", &self.several_instances)
            .finish_non_exhaustive()
    }
}

type OnProgress = Box<dyn Fn(&Progress) + Send + Sync>;

/// What a target remembers: the run of this instance, and the id of another that it has users of.
pub(super) struct Runs {
    pub(super) own: Option<Run>,
    pub(super) other: Option<String>,
}

/// Says in the log that users of a page were passed over.
pub(super) fn told(unreadable: u64) -> u64 {
    if unreadable > 0 {
        event!(warn, users = unreadable, "the Backend API lists users without a usable id");
    }
    unreadable
}

pub(super) fn length<U>(list: &[U]) -> u64 {
    u64::try_from(list.len()).unwrap_or(u64::MAX)
}

/// The largest page that Clerk gives.
const MAX_PAGE_SIZE: u32 = 500;

const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// As that of the webhooks.
const TOLERANCE: Duration = Duration::from_secs(300);
