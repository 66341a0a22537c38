//! What is seen of a backfill while it runs: a bar on a terminal, otherwise a line now and then.

use std::io::{IsTerminal as _, stderr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use tokio::time::Instant;
use tower_clerk::backfill::Progress;

use crate::config::LogFormat;

/// Tells how far it is. Log lines that are written beside a bar go through [`bar`](Self::bar).
pub(super) struct Teller {
    /// Hidden where nobody would see it.
    bar: ProgressBar,
    name: &'static str,
    /// What comes after the last page, if that takes its time too.
    afterwards: Option<&'static str>,
    /// When, and how many users.
    last_line: Mutex<Option<(Instant, u64)>>,
}

impl Teller {
    pub(super) fn new(
        name: &'static str,
        afterwards: Option<&'static str>,
        log_format: LogFormat,
    ) -> Self {
        let seen = stderr().is_terminal() && log_format == LogFormat::Pretty;
        let bar = if seen { ProgressBar::no_length() } else { ProgressBar::hidden() };
        if seen {
            bar.set_style(style(NO_USERS));
            bar.set_message(name);
            bar.enable_steady_tick(TICK);
        }
        Self { bar, name, afterwards, last_line: Mutex::new(None) }
    }

    pub(super) fn bar(&self) -> &ProgressBar {
        &self.bar
    }

    /// After each page.
    pub(super) fn tell(&self, progress: &Progress) {
        if self.bar.is_hidden() {
            return self.tell_line(progress);
        }
        let begins = self.bar.position() == 0;
        self.bar.set_position(progress.users);
        if let Some(total) = progress.total {
            // Who signs up meanwhile comes on the last pages.
            self.bar.set_length(total.max(progress.users));
        }
        if begins {
            // What another run brought in says nothing of how fast this one is.
            self.bar.reset_eta();
            self.bar.set_style(style(progress.total.map_or(NO_TOTAL, |_| TOTAL)));
        }
        if let Some(afterwards) = self.afterwards.filter(|_| is_all(progress)) {
            self.bar.set_style(style(NO_USERS));
            self.bar.set_message(afterwards);
        }
    }

    /// Takes the bar away.
    pub(super) fn end(&self) {
        self.bar.finish_and_clear();
    }

    fn tell_line(&self, progress: &Progress) {
        let mut last = self.last_line.lock().unwrap_or_else(PoisonError::into_inner);
        let is_soon = |(at, users): (Instant, u64)| {
            let more = progress.users > users;
            at.elapsed() < BETWEEN_LINES && !(more && is_all(progress))
        };
        if last.is_some_and(is_soon) {
            return;
        }
        *last = Some((Instant::now(), progress.users));
        let (name, users) = (self.name, HumanCount(progress.users));
        match progress.total.map(HumanCount) {
            Some(total) => tracing::info!("{name}: {users} of {total} users so far"),
            None => tracing::info!("{name}: {users} users so far"),
        }
        if let Some(afterwards) = self.afterwards.filter(|_| is_all(progress)) {
            tracing::info!("{afterwards}");
        }
    }
}

fn is_all(progress: &Progress) -> bool {
    progress.total.is_some_and(|total| progress.users >= total)
}

fn style(template: &str) -> ProgressStyle {
    // The templates are constants, and the test below reads them.
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
}

const TOTAL: &str = "{msg} [{bar:30}] {human_pos} of {human_len} users, {eta} to go";
const NO_TOTAL: &str = "{spinner} {msg}: {human_pos} users";
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
