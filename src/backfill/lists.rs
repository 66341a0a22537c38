//! The requests for organizations and their members, and the walk through such a list. Clerk pages these
//! lists by offset, so that a deletion shifts what follows: each page begins with the last record of the
//! page before it, and where it does not, the walk goes back until it does.

use std::collections::HashSet;

use http::StatusCode;

use super::api::{Question, Requests, error_code, known_of, refused, says_not_found, unreadable};
use super::error::BackfillError;
use super::page::{self, Page};
use crate::http_client::ApiAnswer;
use crate::trace::event;
use crate::webhook::ListedRecord;
use crate::webhook::event::OrganizationMembership;

/// A list that is paged by offset.
#[derive(Clone, Copy, Debug)]
pub(super) enum List<'a> {
    /// The members of this organization.
    Members(&'a str),
    /// All organizations.
    Organizations,
}

/// A list's answer.
#[derive(Debug)]
pub(super) enum Listing<T> {
    /// There is no such list: the organization does not exist, or the instance has no organizations.
    Absent,
    /// A page.
    Page(Page<T>),
}

impl Requests<'_> {
    /// Returns a page of a list, oldest first; `None` if Clerk says that there is no such list.
    async fn list(
        &mut self,
        list: List<'_>,
        limit: u32,
        offset: u64,
    ) -> Result<Option<ApiAnswer>, BackfillError> {
        let (limit, offset) = (limit.to_string(), offset.to_string());
        let query = [("limit", &*limit), ("offset", &*offset), ("order_by", "+created_at")];
        let (name, path): (_, &[&str]) = match list {
            List::Members(id) => ("a page of members", &["organizations", id, "memberships"]),
            List::Organizations => ("a page of organizations", &["organizations"]),
        };
        let question = Question::new(name, path, &query);
        let question = question.taking(&[StatusCode::FORBIDDEN, StatusCode::NOT_FOUND]);
        let answer = self.ask(&question).await?;
        match list {
            _ if answer.status == StatusCode::OK => Ok(Some(answer)),
            List::Members(_) if says_not_found(&answer) => Ok(None),
            _ if has_no_organizations(&answer) => Ok(None),
            _ => Err(refused(&question, &answer)),
        }
    }

    /// Returns which of these organizations, a hundred at most, Clerk knows; `None` if the instance has no
    /// organizations.
    pub(super) async fn known_organizations(
        &mut self,
        ids: &[String],
    ) -> Result<Option<Vec<String>>, BackfillError> {
        let mut query = vec![("limit", "100")];
        query.extend(ids.iter().map(|id| ("organization_id", id.as_str())));
        let question = Question::new("organizations by id", &["organizations"], &query);
        let question = question.taking(&[StatusCode::FORBIDDEN, StatusCode::NOT_FOUND]);
        let answer = self.ask(&question).await?;
        match answer.status {
            StatusCode::OK => known_of(ids, &answer).map(Some),
            _ if has_no_organizations(&answer) => Ok(None),
            _ => Err(refused(&question, &answer)),
        }
    }

    /// Returns whether Clerk itself reports that this organization does not exist.
    pub(super) async fn is_organization_gone(&mut self, id: &str) -> Result<bool, BackfillError> {
        self.is_gone_at("an organization by id", &["organizations", id]).await
    }

    /// Returns whether Clerk no longer has a membership, by a list of this user's memberships of the
    /// organization alone.
    pub(super) async fn is_membership_gone(
        &mut self,
        organization_id: &str,
        user_id: &str,
        membership_id: &str,
    ) -> Result<bool, BackfillError> {
        let query = [("limit", "100"), ("user_id", user_id)];
        let path = ["organizations", organization_id, "memberships"];
        let answer = self.ask(&Question::new("a membership by user", &path, &query)).await?;
        let page: Page<OrganizationMembership> =
            page::decode(&answer.body, 0).ok_or_else(no_list)?;
        let is_of_user = |it: &OrganizationMembership| {
            it.user_id == user_id && it.organization_id == organization_id
        };
        if page.unreadable > 0 || !page.records.iter().all(is_of_user) {
            return Err(unreadable("it lists memberships that were not asked for"));
        }
        Ok(page.records.iter().all(|it| it.id != membership_id))
    }
}

/// Returns whether an answer is Clerk's error for an instance on which organizations are switched off.
fn has_no_organizations(answer: &ApiAnswer) -> bool {
    error_code(&answer.body).as_deref() == Some("organization_not_enabled_in_instance")
}

/// A walk through a list.
#[derive(Debug)]
pub(super) struct OffsetWalk<'a> {
    list: List<'a>,
    limit: u32,
    /// The last record of the page before, and its place in the list as far as that is known.
    last: Option<(String, u64)>,
    /// The ids of the records that were listed, readable or not, in this process.
    seen: HashSet<String>,
    /// The number of records before those.
    before: u64,
    /// The number of records without an id on all pages.
    nameless: u64,
    total: Option<u64>,
    setbacks: u32,
    is_over: bool,
}

impl<'a> OffsetWalk<'a> {
    pub(super) fn new(list: List<'a>, page_size: u32) -> Self {
        Self::after(list, page_size, None)
    }

    /// Creates a walk that goes on after this record, the last one of so many.
    pub(super) fn after(list: List<'a>, page_size: u32, last: Option<(String, u64)>) -> Self {
        let before = last.as_ref().map_or(0, |(_, records)| *records);
        Self {
            list,
            // One more, for the record that is on the page before too.
            limit: page_size.saturating_add(1).min(MOST),
            last: last.map(|(id, records)| (id, records.saturating_sub(1))),
            seen: HashSet::new(),
            before,
            nameless: 0,
            total: None,
            setbacks: 0,
            is_over: false,
        }
    }

    /// Returns whether the last page was returned.
    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    /// Returns the number of records that were listed, and the number by the list's own count.
    pub(super) fn listed(&self) -> (u64, Option<u64>) {
        let seen = length(self.seen.len());
        (self.before.saturating_add(seen).saturating_add(self.nameless), self.total)
    }

    /// Returns whether the list was read to its end and has as many records as it counts. One without a
    /// count is never complete.
    pub(super) fn is_complete(&self) -> bool {
        let (listed, total) = self.listed();
        self.is_over && self.nameless == 0 && total.is_some_and(|total| listed >= total)
    }

    /// Returns the number of records before those that this walk listed: 0 once it had to begin anew.
    pub(super) fn before(&self) -> u64 {
        self.before
    }

    /// Returns whether a record was listed.
    pub(super) fn has_seen(&self, id: &str) -> bool {
        self.seen.contains(id)
    }

    /// Returns the next page without records of earlier pages, or `None` after the last one.
    pub(super) async fn next<T: ListedRecord>(
        &mut self,
        requests: &mut Requests<'_>,
        latest: i64,
    ) -> Result<Option<Listing<T>>, BackfillError> {
        if self.is_over {
            return Ok(None);
        }
        let mut start = self.last.as_ref().map_or(0, |(_, place)| *place);
        loop {
            let Some(answer) = requests.list(self.list, self.limit, start).await? else {
                self.is_over = true;
                return Ok(Some(Listing::Absent));
            };
            let page = page::decode::<T>(&answer.body, latest).ok_or_else(no_list)?;
            let places = page::places(&answer.body).ok_or_else(no_list)?;
            let is_last = |id: &Option<String>| {
                self.last.as_ref().is_some_and(|(last, _)| id.as_ref() == Some(last))
            };
            let begin = match places.iter().position(is_last) {
                Some(place) => place + 1,
                None if self.last.is_none() => 0,
                None => {
                    self.set_back()?;
                    if start == 0 {
                        // The last record was deleted.
                        self.last = None;
                        self.before = 0;
                    }
                    start = start.saturating_sub(u64::from(self.limit.saturating_sub(1)).max(1));
                    continue;
                }
            };
            let is_full = is_full(&places, self.limit);
            if is_full && begin > 1 && begin == places.len() {
                // Only what came before: the next page begins with the last record.
                self.set_back()?;
                start = start.saturating_add(length(begin) - 1);
                continue;
            }
            let mut page = self.take(page, &places, start, begin)?;
            page.listed_at = answer.answered_at;
            return Ok(Some(Listing::Page(page)));
        }
    }

    /// Takes a page: what begins at this place of it follows the last record.
    fn take<T: ListedRecord>(
        &mut self,
        mut page: Page<T>,
        places: &[Option<String>],
        start: u64,
        begin: usize,
    ) -> Result<Page<T>, BackfillError> {
        self.total = page.total.or(self.total);
        let new = places.get(begin..).unwrap_or_default();
        let named = new.iter().enumerate().rev().find_map(|(at, id)| Some((at, id.clone()?)));
        let end = start.saturating_add(length(places.len()));
        self.is_over = match (&named, self.total) {
            (None, _) if is_full(places, self.limit) => {
                return Err(BackfillError::unexpected(
                    "the Backend API's list does not advance: no record on a full page follows the last \
                     one; check for a caching proxy, or set a larger `page_size`",
                ));
            }
            (None, _) => true,
            (Some(_), Some(total)) => end >= total,
            (Some(_), None) => false,
        };
        let is_end = self.is_over;
        let after_named = named.as_ref().map_or(0, |(at, _)| at + 1);
        // Those after the last one with an id come again on the next page.
        let counted = if is_end { new } else { new.get(..after_named).unwrap_or_default() };
        let nameless = counted.iter().filter(|id| id.is_none()).count();
        self.nameless += length(nameless);
        let ids = counted.iter().flatten().map(String::as_str);
        let fresh: HashSet<&str> = ids.filter(|id| !self.seen.contains(*id)).collect();
        page.records.retain(|record| fresh.contains(record.key()));
        page.listed = fresh.len() + nameless;
        page.unreadable = length(page.listed.saturating_sub(page.records.len()));
        self.seen.extend(fresh.into_iter().map(str::to_owned));
        if let Some((at, id)) = named {
            self.last = Some((id, start.saturating_add(length(begin + at))));
        }
        Ok(page)
    }

    /// Counts a page that does not begin where the last one ended.
    fn set_back(&mut self) -> Result<(), BackfillError> {
        self.setbacks += 1;
        event!(
            warn,
            setbacks = self.setbacks,
            "the Backend API's list changed while it was read; going back to where it is the same"
        );
        if self.setbacks <= MOST_SETBACKS {
            return Ok(());
        }
        Err(BackfillError::unexpected(
            "the Backend API's list of organizations or members changes from page to page; check for a \
             caching proxy, and run again: it resumes where it stopped",
        ))
    }
}

fn is_full(places: &[Option<String>], limit: u32) -> bool {
    length(places.len()) >= u64::from(limit)
}

fn length(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

fn no_list() -> BackfillError {
    unreadable("it is not a list of organizations or memberships")
}

/// The largest page that Clerk returns.
const MOST: u32 = 500;

/// The most pages in one walk that do not begin where the last one ended.
const MOST_SETBACKS: u32 = 100;
