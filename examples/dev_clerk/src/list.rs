//! The filters, order and pages of the Backend API's list of users. Pure: parameters and users in,
//! users out.

use crate::error::ClerkError;
use crate::user::User;

/// The filters, order and page of `GET /v1/users`.
#[derive(Debug)]
pub(super) struct Listing {
    limit: usize,
    offset: usize,
    order: Order,
    descending: bool,
    starting_after: Option<String>,
    email_addresses: Vec<String>,
    user_ids: Vec<String>,
    other_than: Vec<String>,
    /// Milliseconds since 1970; both ends are exclusive.
    created_after: Option<i64>,
    created_before: Option<i64>,
    query: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    CreatedAt,
    EmailAddress,
    LastSignInAt,
    UpdatedAt,
}

impl Listing {
    pub(super) fn read(parameters: &[(String, String)]) -> Result<Self, ClerkError> {
        let mut listing = Self {
            limit: 10,
            offset: 0,
            order: Order::CreatedAt,
            descending: true,
            starting_after: None,
            email_addresses: Vec::new(),
            user_ids: Vec::new(),
            other_than: Vec::new(),
            created_after: None,
            created_before: None,
            query: None,
        };
        for (name, value) in parameters {
            match name.as_str() {
                "limit" => listing.limit = number(value, 1..=500, "limit")?,
                "offset" => listing.offset = number(value, 0..=usize::MAX, "offset")?,
                "order_by" => listing.order_by(value)?,
                "starting_after" => listing.starting_after = Some(value.clone()),
                "email_address" => listing.email_addresses.push(value.clone()),
                "user_id" => listing.user_id(value),
                "created_at_after" => listing.created_after = Some(millis(value, name)?),
                "created_at_before" => listing.created_before = Some(millis(value, name)?),
                "query" => listing.query = Some(value.to_lowercase()),
                _ => {}
            }
        }
        let ids = listing.user_ids.len() + listing.other_than.len();
        if ids > MOST_VALUES || listing.email_addresses.len() > MOST_VALUES {
            let message = "A filter takes 100 values at most.";
            return Err(ClerkError::invalid("form_param_invalid", message));
        }
        let cursor = listing.starting_after.is_some();
        if cursor && (listing.offset > 0 || listing.order != Order::CreatedAt) {
            let message = "starting_after goes with created_at ordering and without offset.";
            return Err(ClerkError::invalid("form_param_invalid", message));
        }
        Ok(listing)
    }

    pub(super) fn page(&self, users: &[User]) -> Result<Vec<User>, ClerkError> {
        let mut matching: Vec<&User> = users.iter().filter(|user| self.matches(user)).collect();
        matching.sort_by(|a, b| {
            let by_key = match self.order {
                Order::CreatedAt => a.created_at.cmp(&b.created_at),
                Order::EmailAddress => a.primary_email().cmp(&b.primary_email()),
                Order::LastSignInAt => a.last_sign_in_at.cmp(&b.last_sign_in_at),
                Order::UpdatedAt => a.updated_at.cmp(&b.updated_at),
            };
            let ascending = by_key.then_with(|| a.id.cmp(&b.id));
            if self.descending { ascending.reverse() } else { ascending }
        });
        let skip = match &self.starting_after {
            None => self.offset,
            Some(last) => {
                let at = matching.iter().position(|user| user.id == *last);
                at.ok_or_else(|| ClerkError::not_found("user"))? + 1
            }
        };
        Ok(matching.into_iter().skip(skip).take(self.limit).cloned().collect())
    }

    pub(super) fn count(&self, users: &[User]) -> usize {
        users.iter().filter(|user| self.matches(user)).count()
    }

    fn order_by(&mut self, value: &str) -> Result<(), ClerkError> {
        let (descending, field) = match value.strip_prefix('-') {
            Some(field) => (true, field),
            // An unencoded `+` arrives as a space.
            None => (false, value.trim_start_matches(['+', ' '])),
        };
        self.order = match field {
            "created_at" => Order::CreatedAt,
            "email_address" => Order::EmailAddress,
            "last_sign_in_at" => Order::LastSignInAt,
            "updated_at" => Order::UpdatedAt,
            _ => {
                let message = "order_by is not a field that the dev Clerk orders by.";
                return Err(ClerkError::invalid("form_param_value_invalid", message));
            }
        };
        self.descending = descending;
        Ok(())
    }

    /// Adds a filter by id: `+` or no sign selects the user, `-` excludes it. An unencoded `+`
    /// arrives as a space.
    fn user_id(&mut self, value: &str) {
        match value.strip_prefix('-') {
            Some(id) => self.other_than.push(id.to_owned()),
            None => self.user_ids.push(value.trim_start_matches(['+', ' ']).to_owned()),
        }
    }

    fn matches(&self, user: &User) -> bool {
        let email = |wanted: &String| user.has_email(wanted);
        let found = |query: &String| {
            user.id.to_lowercase().contains(query) || user.label().to_lowercase().contains(query)
        };
        (self.email_addresses.is_empty() || self.email_addresses.iter().any(email))
            && (self.user_ids.is_empty() || self.user_ids.contains(&user.id))
            && !self.other_than.contains(&user.id)
            && self.created_after.is_none_or(|time| user.created_at > time)
            && self.created_before.is_none_or(|time| user.created_at < time)
            && self.query.as_ref().is_none_or(found)
    }
}

pub(super) fn number(
    value: &str,
    range: std::ops::RangeInclusive<usize>,
    name: &str,
) -> Result<usize, ClerkError> {
    value.parse().ok().filter(|number| range.contains(number)).ok_or_else(|| {
        ClerkError::invalid("form_param_format_invalid", format!("{name} is out of its range."))
    })
}

fn millis(value: &str, name: &str) -> Result<i64, ClerkError> {
    value.parse().map_err(|_| {
        let message = format!("{name} must be a time in milliseconds since 1970.");
        ClerkError::invalid("form_param_format_invalid", message)
    })
}

/// The most values of one filter, as with Clerk.
const MOST_VALUES: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::user::Profile;

    fn listing(parameters: &[(&str, &str)]) -> Result<Listing, ClerkError> {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Listing::read(&parameters.iter().map(own).collect::<Vec<_>>())
    }

    #[test]
    fn pages_walk_all_users_once_even_when_times_are_equal() {
        let users: Vec<User> = (0..7)
            .map(|n| User::new(vec![format!("u{n}@example.com")], Profile::default(), n / 3))
            .collect();
        let mut seen: Vec<String> = Vec::new();
        loop {
            let mut parameters = vec![("limit", "2"), ("order_by", "+created_at")];
            let last = seen.last().cloned();
            if let Some(last) = &last {
                parameters.push(("starting_after", last));
            }
            let page = listing(&parameters).unwrap().page(&users).unwrap();
            seen.extend(page.iter().map(|user| user.id.clone()));
            if page.len() < 2 {
                break;
            }
        }
        seen.sort_unstable();
        let mut all: Vec<String> = users.iter().map(|user| user.id.clone()).collect();
        all.sort_unstable();
        assert_eq!(seen, all);
    }

    #[test]
    fn filters_choose_and_bad_parameters_are_refused() {
        let users: Vec<User> = ["a@example.com", "b@example.com"]
            .map(|email| User::new(vec![email.to_owned()], Profile::default(), 1))
            .into();
        let by_email = listing(&[("email_address", "B@example.com")]).unwrap();
        assert_eq!(by_email.count(&users), 1);
        assert_eq!(by_email.page(&users).unwrap()[0].id, users[1].id);
        let many = vec![("user_id", "user_1"); 101];
        for bad in [
            many,
            vec![("created_at_after", "2030-01-01")],
            vec![("limit", "0")],
            vec![("limit", "501")],
            vec![("offset", "-1")],
            vec![("order_by", "password")],
            vec![("starting_after", "user_1"), ("offset", "1")],
            vec![("starting_after", "user_1"), ("order_by", "-updated_at")],
        ] {
            assert!(listing(&bad).is_err(), "{bad:?}");
        }
    }
    #[test]
    fn ids_include_or_exclude_and_times_leave_out_both_ends() {
        let users: Vec<User> =
            (1..=5).map(|n| User::new(Vec::new(), Profile::default(), n * 10)).collect();
        let id = |n: usize| users[n].id.as_str();
        let (with, without) = (format!(" {}", id(1)), format!("-{}", id(0)));
        for (parameters, found) in [
            (vec![("created_at_after", "20"), ("created_at_before", "50")], vec![id(2), id(3)]),
            (vec![("user_id", id(0)), ("user_id", &with)], vec![id(0), id(1)]),
            (vec![("user_id", "user_unknown"), ("user_id", id(4))], vec![id(4)]),
            (vec![("user_id", "user_unknown")], vec![]),
            (vec![("user_id", &without), ("created_at_before", "30")], vec![id(1)]),
            (vec![("user_id", &without), ("user_id", id(0))], vec![]),
        ] {
            let oldest_first = [parameters.clone(), vec![("order_by", "created_at")]].concat();
            let page = listing(&oldest_first).unwrap().page(&users).unwrap();
            let ids: Vec<&str> = page.iter().map(|user| user.id.as_str()).collect();
            assert_eq!(ids, found, "{parameters:?}");
            assert_eq!(listing(&parameters).unwrap().count(&users), found.len());
        }
    }
}
