//! The progress of a running backfill: a bar on a terminal, otherwise log lines at intervals.

use std::io::{IsTerminal as _, stderr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use tokio::time::Instant;
use tower_clerk::backfill::{Phase, Progress, RecordKind};

use crate::config::LogFormat;

/// A display of the progress. Log lines that are written beside a bar go through
/// [`bar`](Self::bar).
pub(super) struct Teller {
    /// The bar, hidden unless standard error is a terminal.
    bar: ProgressBar,
    name: &'static str,
    last: Mutex<Option<Told>>,
}

/// The progress that was shown last.
#[derive(Clone, Copy)]
struct Told {
    at: Instant,
    phase: Phase,
    kind: RecordKind,
    users: u64,
}

impl Teller {
    pub(super) fn new(name: &'static str, log_format: LogFormat) -> Self {
        let seen = stderr().is_terminal() && log_format == LogFormat::Pretty;
        let bar = if seen { ProgressBar::no_length() } else { ProgressBar::hidden() };
        if seen {
            bar.set_style(style(NO_USERS));
            bar.set_message(name);
            bar.set_prefix(RecordKind::User.plural());
            bar.enable_steady_tick(TICK);
        }
        Self { bar, name, last: Mutex::new(None) }
    }

    pub(super) fn bar(&self) -> &ProgressBar {
        &self.bar
    }

    /// Shows the progress after a step.
    pub(super) fn tell(&self, progress: &Progress) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let is_same = |told: &Told| (told.phase, told.kind) == (progress.phase, progress.kind);
        let before = last.filter(is_same);
        if self.bar.is_hidden() {
            if before.is_some_and(|told| is_soon(told, progress)) {
                return;
            }
            self.write_line(progress);
        } else {
            self.move_bar(progress, before.is_none());
        }
        let Progress { phase, kind, users, .. } = *progress;
        *last = Some(Told { at: Instant::now(), phase, kind, users });
    }

    /// Removes the bar.
    pub(super) fn end(&self) {
        self.bar.finish_and_clear();
    }

    fn move_bar(&self, progress: &Progress, begins: bool) {
        self.bar.set_position(progress.users);
        if let Some(total) = progress.total {
            // Users who sign up meanwhile come on the last pages.
            self.bar.set_length(total.max(progress.users));
        }
        if begins {
            // The users of an earlier run or phase say nothing about the speed of this one.
            self.bar.reset_eta();
            self.bar.set_message(self.doing(progress));
            self.bar.set_prefix(progress.kind.plural());
            self.bar.set_style(style(progress.total.map_or(NO_TOTAL, |_| TOTAL)));
        }
    }

    fn write_line(&self, progress: &Progress) {
        let (doing, done) = (self.doing(progress), HumanCount(progress.users));
        let kind = progress.kind;
        match progress.total.map(HumanCount) {
            Some(total) => tracing::info!("{doing}: {done} of {total} {kind} so far"),
            None => tracing::info!("{doing}: {done} {kind} so far"),
        }
    }

    fn doing(&self, progress: &Progress) -> &'static str {
        match (progress.phase, progress.kind) {
            (Phase::Confirming, RecordKind::User) => "asking Clerk about each user who seems gone",
            (Phase::Confirming, _) => "asking Clerk about each that seems gone",
            (Phase::LookingForGone, RecordKind::User) => "looking for users who are gone",
            (Phase::LookingForGone, _) => "looking for what is gone",
            (Phase::Removing, RecordKind::User) => "removing users who are gone",
            (Phase::Removing, _) => "removing what is gone",
            _ => self.name,
        }
    }
}

/// Returns whether a line would come too soon after the last one. The line for the last user is
/// always written.
fn is_soon(before: Told, progress: &Progress) -> bool {
    let is_all = progress.total.is_some_and(|total| progress.users >= total);
    before.at.elapsed() < BETWEEN_LINES && !(is_all && progress.users > before.users)
}

fn style(template: &str) -> ProgressStyle {
    // The templates are constants, which the test below checks.
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
}

const TOTAL: &str = "{msg} [{bar:30}] {human_pos} of {human_len} {prefix}, {eta} to go";
const NO_TOTAL: &str = "{spinner} {msg}: {human_pos} {prefix}";
const NO_USERS: &str = "{spinner} {msg}";
const TICK: Duration = Duration::from_millis(200);
const BETWEEN_LINES: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_templates_can_be_read() {
        for template in [TOTAL, NO_TOTAL, NO_USERS] {
            ProgressStyle::with_template(template).unwrap();
        }
    }
}
