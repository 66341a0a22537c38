//! ② From page to page: where the next one begins, and what to do when that user is gone.

use bytes::Bytes;

use super::api::{self, Line};
use super::error::BackfillError;
use super::page::{self, Last, Page};
use super::target::Run;
use crate::trace::event;

/// A way through all users, oldest first. Whoever is created meanwhile comes on the last pages.
#[derive(Debug)]
pub(super) struct Walk {
    limit: u32,
    last_id: Option<String>,
    last_created_at: Option<i64>,
    /// Only users created after this are asked for, since a cursor was lost.
    created_after: Option<i64>,
    is_over: bool,
}

impl Walk {
    /// From where this run is; for one that has not begun, from the start.
    pub(super) fn from(run: &Run, limit: u32) -> Self {
        Self {
            limit,
            last_id: run.last_user_id.clone(),
            last_created_at: run.last_created_at,
            created_after: None,
            is_over: false,
        }
    }

    /// The next page; `None` after the last.
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
        // What is shorter than it may be is the last.
        self.is_over = page.listed < usize::try_from(self.limit).unwrap_or(usize::MAX);
        match page.last.take() {
            Some(Last { id, .. }) if !self.is_over && self.last_id.as_ref() == Some(&id) => {
                return Err(BackfillError::unexpected(
                    "the Backend API's list does not go on: two pages end with the same user; look \
                     at proxies that answer from a cache, or set a larger `page_size`",
                ));
            }
            Some(Last { id, created_at }) => {
                self.last_id = Some(id);
                self.last_created_at = created_at.or(self.last_created_at);
            }
            None if !self.is_over => {
                return Err(BackfillError::unexpected(
                    "nobody on a whole page of the Backend API's list has an id from which the \
                     next page could begin; set a larger `page_size`",
                ));
            }
            None => {}
        }
        Ok(Some(page))
    }

    /// Notes in a run how far the way led.
    pub(super) fn mark(&self, run: &mut Run) {
        run.last_user_id.clone_from(&self.last_id);
        run.last_created_at = self.last_created_at;
        run.finished = self.is_over;
    }

    async fn fetch(&mut self, line: &mut Line<'_>) -> Result<Bytes, BackfillError> {
        if let Some(last) = &self.last_id {
            if let Some(body) = line.page_after(last, self.limit, self.created_after).await? {
                return Ok(body);
            }
            // Who was last is gone: by the time, then. Those of that very millisecond come again.
            self.created_after = self.last_created_at.map(|at| at.saturating_sub(1));
            event!(
                warn,
                "the Backend API does not know the last page's last user any more; going on by time"
            );
        }
        line.page(self.limit, self.created_after).await
    }
}
