//! The walk over all pages: where the next page begins, what happens when that user was deleted,
//! and when the list is complete.

use super::api::{self, Requests};
use super::error::BackfillError;
use super::page::{self, Last, Page};
use super::target::Run;
use crate::http_client::ApiAnswer;
use crate::trace::event;
use crate::webhook::User;

/// A walk over all users, oldest first. Users who are created meanwhile come on the last pages.
///
/// A short page does not prove the end of the list: a proxy on the way may lower the limit. The
/// walk ends where no new user follows the last one.
#[derive(Debug)]
pub(super) struct Walk {
    limit: u32,
    last_id: Option<String>,
    last_created_at: Option<i64>,
    /// The time after which the requested users were created, in milliseconds since 1970; set once
    /// a cursor was lost.
    created_after: Option<i64>,
    circle: Circle,
    /// The number of users that were listed.
    listed: u64,
    /// The number of users by Clerk's own count, if it is known.
    total: Option<u64>,
    is_over: bool,
}

impl Walk {
    /// Creates a walk that begins where this run stopped, or at the start for a new run.
    pub(super) fn from(run: &Run, limit: u32, total: Option<u64>) -> Self {
        Self {
            limit,
            last_id: run.last_user_id.clone(),
            last_created_at: run.last_created_at,
            created_after: None,
            circle: Circle::default(),
            listed: run.users,
            total,
            is_over: false,
        }
    }

    /// Returns the next page, or `None` after the last one. The last page may be empty.
    pub(super) async fn next(
        &mut self,
        requests: &mut Requests<'_>,
        latest: i64,
    ) -> Result<Option<Page<User>>, BackfillError> {
        if self.is_over {
            return Ok(None);
        }
        let answer = self.fetch(requests).await?;
        let mut page = page::decode(&answer.body, latest).ok_or_else(api::no_list)?;
        page.listed_at = answer.answered_at;
        drop(answer);
        let listed = u64::try_from(page.listed).unwrap_or(u64::MAX);
        self.listed = self.listed.saturating_add(listed);
        let is_over = !self.goes_on(page.last.take(), listed < u64::from(self.limit))?;
        if is_over {
            self.count_again(requests).await?;
            self.check_complete()?;
        }
        self.is_over = is_over;
        Ok(Some(page))
    }

    /// Returns the number of users that were listed so far, and the number by Clerk's own count.
    pub(super) fn listed(&self) -> (u64, Option<u64>) {
        (self.listed, self.total)
    }

    /// Counts again if the list has fewer users than there were, and takes the smaller number: users
    /// may have been deleted meanwhile.
    async fn count_again(&mut self, requests: &mut Requests<'_>) -> Result<(), BackfillError> {
        if let Some(before) = self.total.filter(|before| self.listed < *before) {
            let now = requests.count().await?;
            self.total = Some(now.map_or(before, |now| now.min(before)));
        }
        Ok(())
    }

    /// Stores the walk's position in a run.
    pub(super) fn mark(&self, run: &mut Run) {
        run.last_user_id.clone_from(&self.last_id);
        run.last_created_at = self.last_created_at;
        run.finished = self.is_over;
    }

    /// Takes a page's last user as the position; returns whether the walk continues from there.
    fn goes_on(&mut self, last: Option<Last>, is_short: bool) -> Result<bool, BackfillError> {
        match last {
            None if is_short => Ok(false),
            None => Err(BackfillError::unexpected(
                "no user on a full page of the Backend API's list has an id after which the next \
                 page could begin; set a larger `page_size`",
            )),
            Some(Last { id, .. }) if self.last_id.as_ref() == Some(&id) => match is_short {
                true => Ok(false),
                false => Err(BackfillError::unexpected(
                    "the Backend API's list does not advance: two pages end with the same user; \
                     check for a caching proxy, or set a larger `page_size`",
                )),
            },
            Some(Last { id, created_at }) => {
                let times = created_at.zip(self.last_created_at);
                let goes_back = times.is_some_and(|(at, last)| at < last);
                if goes_back || self.circle.closes(&id) {
                    return Err(BackfillError::unexpected(
                        "the Backend API's list goes in circles: a page leads back to earlier \
                         users; check for a caching proxy, and run again",
                    ));
                }
                self.last_id = Some(id);
                self.last_created_at = created_at.or(self.last_created_at);
                Ok(true)
            }
        }
    }

    /// Checks the number of listed users against Clerk's count. The report shows a small difference;
    /// one of more than a hundred users and more than a tenth of them is an error.
    fn check_complete(&self) -> Result<(), BackfillError> {
        let (total, listed) = (self.total.unwrap_or_default(), self.listed);
        let missing = total.saturating_sub(listed);
        if missing <= MISSING_AT_MOST || missing <= total / 10 {
            return Ok(());
        }
        Err(BackfillError::unexpected(format!(
            "the Backend API's list ended after {listed} users, but by its own count there are \
             {total}; check any proxy on the way to it, and run again: it resumes where it \
             stopped"
        )))
    }

    async fn fetch(&mut self, requests: &mut Requests<'_>) -> Result<ApiAnswer, BackfillError> {
        if let Some(last) = &self.last_id {
            if let Some(answer) = requests.page_after(last, self.limit, self.created_after).await? {
                return Ok(answer);
            }
            // The last user was deleted: continue by time. The users of that millisecond come
            // again; without a time, all users do.
            self.created_after = self.last_created_at.map(|at| at.saturating_sub(1));
            self.circle = Circle::default();
            event!(
                warn,
                "the Backend API no longer knows the last user of the previous page; continuing by \
                 time of creation, or from the start if no time is known"
            );
        }
        requests.page(self.limit, self.created_after).await
    }
}

/// A detector of cycles, by Brent's method: it remembers one place, compares each further place
/// with it, and replaces it after 1, 2, 4, 8 … steps. It finds the cycles that times of creation do
/// not show, since users may have the same time or none.
#[derive(Debug, Default)]
struct Circle {
    place: Option<String>,
    steps: u64,
    until: u64,
}

impl Circle {
    /// Visits a place; returns whether it closes a cycle.
    fn closes(&mut self, place: &str) -> bool {
        if self.place.as_deref() == Some(place) {
            return true;
        }
        if self.steps == self.until {
            self.place = Some(place.to_owned());
            self.steps = 0;
            self.until = self.until.saturating_mul(2).max(1);
        }
        self.steps += 1;
        false
    }
}

const MISSING_AT_MOST: u64 = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_circle_is_found_wherever_it_begins_and_a_line_is_none() {
        for (before, around) in [(0, 1), (0, 2), (1, 2), (3, 7), (100, 3), (5, 64)] {
            let mut circle = Circle::default();
            let places = (0..before).chain((before..before + around).cycle());
            let steps = places.take_while(|place| !circle.closes(&place.to_string())).count();
            assert!(steps <= 4 * (before + around), "{before} {around}: {steps}");
        }
        let mut circle = Circle::default();
        assert!((0..10_000).all(|place| !circle.closes(&place.to_string())));
    }
}
