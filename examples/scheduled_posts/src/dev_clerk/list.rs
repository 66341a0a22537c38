//! Which users a list asks for, by the Backend API's parameters. Pure: parameters and users in, users out.

use crate::dev_clerk::error::ClerkError;
use crate::dev_clerk::user::User;

/// Filters, order and page of `GET /v1/users`.
#[derive(Debug)]
pub(super) struct Listing {
    limit: usize,
    offset: usize,
    order: Order,
    descending: bool,
    starting_after: Option<String>,
    email_addresses: Vec<String>,
    user_ids: Vec<String>,
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
            query: None,
        };
        for (name, value) in parameters {
            match name.as_str() {
                "limit" => listing.limit = number(value, 1..=500, "limit")?,
                "offset" => listing.offset = number(value, 0..=usize::MAX, "offset")?,
                "order_by" => listing.order_by(value)?,
                "starting_after" => listing.starting_after = Some(value.clone()),
                "email_address" => listing.email_addresses.push(value.clone()),
                "user_id" => listing.user_ids.push(value.clone()),
                "query" => listing.query = Some(value.to_lowercase()),
                _ => {}
            }
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

    fn matches(&self, user: &User) -> bool {
        let email = |wanted: &String| user.has_email(wanted);
        let found = |query: &String| {
            user.id.to_lowercase().contains(query) || user.label().to_lowercase().contains(query)
        };
        (self.email_addresses.is_empty() || self.email_addresses.iter().any(email))
            && (self.user_ids.is_empty() || self.user_ids.contains(&user.id))
            && self.query.as_ref().is_none_or(found)
    }
}

fn number(
    value: &str,
    range: std::ops::RangeInclusive<usize>,
    name: &str,
) -> Result<usize, ClerkError> {
    value.parse().ok().filter(|number| range.contains(number)).ok_or_else(|| {
        ClerkError::invalid("form_param_format_invalid", format!("{name} is out of its range."))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dev_clerk::user::Profile;

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
        for bad in [
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
}
