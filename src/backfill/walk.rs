//! From page to page: where the next one begins, what to do when that user is gone, and when all
//! users came.

use bytes::Bytes;

use super::api::{self, Line};
use super::error::BackfillError;
use super::page::{self, Last, Page};
use super::target::Run;
use crate::trace::event;

/// A way through all users, oldest first. Whoever is created meanwhile comes on the last pages.
///
/// A page that is shorter than it may be proves nothing: somebody on the way may allow less. The
/// way is over where nobody new comes after the last user.
#[derive(Debug)]
pub(super) struct Walk {
    limit: u32,
    last_id: Option<String>,
    last_created_at: Option<i64>,
    /// Only users created after this are asked for, since a cursor was lost.
    created_after: Option<i64>,
    circle: Circle,
    /// How many users came, and how many there should be, if that is known.
    listed: u64,
    total: Option<u64>,
    is_over: bool,
}

impl Walk {
    /// From where this run is; for one that has not begun, from the start.
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

    /// The next page, the last of which may be empty; `None` after it.
    pub(super) async fn next(
        &mut self,
        line: &mut Line<'_>,
        latest: i64,
    ) -> Result<Option<Page>, BackfillError> {
        if self.is_over {
            return Ok(None);
        }
        let body = self.fetch(line).await?;
        let mut page = page::decode(&body, latest).ok_or_else(api::no_list)?;
        drop(body);
        let listed = u64::try_from(page.listed).unwrap_or(u64::MAX);
        self.listed = self.listed.saturating_add(listed);
        let is_over = !self.goes_on(page.last.take(), listed < u64::from(self.limit))?;
        if is_over {
            self.is_complete()?;
        }
        self.is_over = is_over;
        Ok(Some(page))
    }

    /// Notes in a run how far the way led.
    pub(super) fn mark(&self, run: &mut Run) {
        run.last_user_id.clone_from(&self.last_id);
        run.last_created_at = self.last_created_at;
        run.finished = self.is_over;
    }

    /// Takes a page's last user for the place to go on from, if it leads on.
    fn goes_on(&mut self, last: Option<Last>, is_short: bool) -> Result<bool, BackfillError> {
        match last {
            None if is_short => Ok(false),
            None => Err(BackfillError::unexpected(
                "nobody on a whole page of the Backend API's list has an id from which the next \
                 page could begin; set a larger `page_size`",
            )),
            Some(Last { id, .. }) if self.last_id.as_ref() == Some(&id) => match is_short {
                true => Ok(false),
                false => Err(BackfillError::unexpected(
                    "the Backend API's list does not go on: two pages end with the same user; look \
                     at proxies that answer from a cache, or set a larger `page_size`",
                )),
            },
            Some(Last { id, created_at }) => {
                let times = created_at.zip(self.last_created_at);
                let goes_back = times.is_some_and(|(at, last)| at < last);
                if goes_back || self.circle.closes(&id) {
                    return Err(BackfillError::unexpected(
                        "the Backend API's list goes round in circles: a page leads back to users \
                         before it; look at proxies that answer from a cache, and run again",
                    ));
                }
                self.last_id = Some(id);
                self.last_created_at = created_at.or(self.last_created_at);
                Ok(true)
            }
        }
    }

    /// Users may be deleted while they are listed; not a tenth of them, and more than a hundred.
    fn is_complete(&self) -> Result<(), BackfillError> {
        let (total, listed) = (self.total.unwrap_or_default(), self.listed);
        let missing = total.saturating_sub(listed);
        if missing <= MISSING_AT_MOST || missing <= total / 10 {
            return Ok(());
        }
        Err(BackfillError::unexpected(format!(
            "the Backend API's list ends after {listed} users, and by its own count there are \
             {total}; look at proxies on the way to it, and run again: it goes on where it stopped"
        )))
    }

    async fn fetch(&mut self, line: &mut Line<'_>) -> Result<Bytes, BackfillError> {
        if let Some(last) = &self.last_id {
            if let Some(body) = line.page_after(last, self.limit, self.created_after).await? {
                return Ok(body);
            }
            // Who was last is gone: by the time, then. Those of that very millisecond come again.
            self.created_after = self.last_created_at.map(|at| at.saturating_sub(1));
            self.circle = Circle::default();
            event!(
                warn,
                "the Backend API does not know the last page's last user any more; going on by time"
            );
        }
        line.page(self.limit, self.created_after).await
    }
}

/// Notices that a way comes to the same place again, by Brent's method: one place is remembered,
/// and another one after twice as many steps. For what is of one millisecond, or without a time.
#[derive(Debug, Default)]
struct Circle {
    place: Option<String>,
    steps: u64,
    until: u64,
}

impl Circle {
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
