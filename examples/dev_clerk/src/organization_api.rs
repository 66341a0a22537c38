//! The Backend API's routes for organizations and their members. Callers need the secret key.

use axum::extract::{Path, Query, State};
use axum::routing::{get, patch};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::body::Body;
use crate::error::ClerkError;
use crate::instance::Instance;
use crate::list::number;
use crate::organization::{Membership, Organization, OrganizationChange};
use crate::organizations::no_organization;

type Answer = Result<Json<Value>, ClerkError>;
type Parameters = Query<Vec<(String, String)>>;

pub(super) fn routes() -> Router<Instance> {
    const MEMBERS: &str = "/v1/organizations/{id}/memberships";
    const MEMBER: &str = "/v1/organizations/{id}/memberships/{user_id}";
    Router::new()
        .route("/v1/organizations", get(list_organizations).post(create_organization))
        .route(
            "/v1/organizations/{id}",
            get(show_organization).patch(change_organization).delete(delete_organization),
        )
        .route(MEMBERS, get(list_members).post(create_membership))
        .route(MEMBER, patch(change_membership).delete(delete_membership))
}

/// The page, order and filters of a list.
#[derive(Default)]
struct Listing {
    limit: usize,
    offset: usize,
    order: Order,
    descending: bool,
    organizations: Ids,
    users: Ids,
    query: Option<String>,
}

#[derive(Clone, Copy, Default)]
enum Order {
    #[default]
    CreatedAt,
    Name,
}

/// The values of a filter by id: `+` or no sign selects, `-` excludes.
#[derive(Default)]
struct Ids {
    with: Vec<String>,
    without: Vec<String>,
}

impl Ids {
    fn add(&mut self, value: &str) {
        match value.strip_prefix('-') {
            Some(id) => self.without.push(id.to_owned()),
            // An unencoded `+` arrives as a space.
            None => self.with.push(value.trim_start_matches(['+', ' ']).to_owned()),
        }
    }

    fn matches(&self, id: &str) -> bool {
        let is = |other: &String| other == id;
        (self.with.is_empty() || self.with.iter().any(is)) && !self.without.iter().any(is)
    }

    fn is_too_long(&self) -> bool {
        self.with.len() + self.without.len() > MOST_VALUES
    }
}

impl Listing {
    fn read(parameters: &[(String, String)]) -> Result<Self, ClerkError> {
        let mut listing = Self { limit: 10, descending: true, ..Self::default() };
        for (name, value) in parameters {
            match name.as_str() {
                "limit" => listing.limit = number(value, 1..=500, "limit")?,
                "offset" => listing.offset = number(value, 0..=usize::MAX, "offset")?,
                "order_by" => listing.order_by(value)?,
                "organization_id" => listing.organizations.add(value),
                "user_id" => listing.users.add(value),
                "query" => listing.query = Some(value.to_lowercase()),
                _ => {}
            }
        }
        if listing.organizations.is_too_long() || listing.users.is_too_long() {
            let message = "A filter takes 100 values at most.";
            return Err(ClerkError::invalid("form_param_invalid", message));
        }
        Ok(listing)
    }

    fn order_by(&mut self, value: &str) -> Result<(), ClerkError> {
        let (descending, field) = match value.strip_prefix('-') {
            Some(field) => (true, field),
            None => (false, value.trim_start_matches(['+', ' '])),
        };
        self.order = match field {
            "created_at" => Order::CreatedAt,
            "name" => Order::Name,
            _ => {
                let message = "order_by is not a field that the dev Clerk orders by.";
                return Err(ClerkError::invalid("form_param_value_invalid", message));
            }
        };
        self.descending = descending;
        Ok(())
    }

    /// Returns a page of what is in its order already, and the number of all.
    fn page(&self, mut all: Vec<Value>) -> Json<Value> {
        if self.descending {
            all.reverse();
        }
        let total = all.len();
        let page: Vec<Value> = all.into_iter().skip(self.offset).take(self.limit).collect();
        Json(json!({ "data": page, "total_count": total }))
    }
}

async fn list_organizations(State(instance): State<Instance>, Query(given): Parameters) -> Answer {
    let listing = Listing::read(&given)?;
    let counts =
        given.iter().any(|(name, value)| name == "include_members_count" && value == "true");
    let all = instance.read(|records| {
        let found = |it: &&Organization| {
            let text = format!("{} {} {}", it.id, it.name, it.slug.as_deref().unwrap_or_default());
            let mut members = records.memberships.iter().filter(|one| one.organization_id == it.id);
            let has_member = listing.users.with.is_empty()
                || members.any(|one| listing.users.matches(&one.user_id));
            has_member
                && listing.organizations.matches(&it.id)
                && listing.query.as_ref().is_none_or(|query| text.to_lowercase().contains(query))
        };
        let mut all: Vec<&Organization> = records.organizations.iter().filter(found).collect();
        all.sort_by(|a, b| match listing.order {
            Order::CreatedAt => (a.created_at, &a.id).cmp(&(b.created_at, &b.id)),
            Order::Name => (&a.name, &a.id).cmp(&(&b.name, &b.id)),
        });
        let json = |it: &Organization| it.clerk_json(counts.then(|| records.members_of(&it.id)));
        all.into_iter().map(json).collect()
    });
    Ok(listing.page(all))
}

#[derive(Deserialize)]
struct NewOrganization {
    created_by: Option<String>,
    #[serde(flatten)]
    organization: OrganizationChange,
}

async fn create_organization(
    State(instance): State<Instance>,
    Body(new): Body<NewOrganization>,
) -> Answer {
    instance.create_organization(new.created_by, new.organization).map(Json)
}

/// Shows an organization by its id or its slug.
async fn show_organization(State(instance): State<Instance>, Path(id): Path<String>) -> Answer {
    let json = instance.read(|records| {
        let is_it = |it: &&Organization| it.id == id || it.slug.as_ref() == Some(&id);
        let organization = records.organizations.iter().find(is_it)?;
        Some(organization.clerk_json(Some(records.members_of(&organization.id))))
    });
    json.map(Json).ok_or_else(no_organization)
}

async fn change_organization(
    State(instance): State<Instance>,
    Path(id): Path<String>,
    Body(change): Body<OrganizationChange>,
) -> Answer {
    instance.change_organization(&id, change).map(Json)
}

async fn delete_organization(State(instance): State<Instance>, Path(id): Path<String>) -> Answer {
    instance.delete_organization(&id).map(Json)
}

async fn list_members(
    State(instance): State<Instance>,
    Path(id): Path<String>,
    Query(given): Parameters,
) -> Answer {
    let listing = Listing::read(&given)?;
    let roles: Vec<&String> =
        given.iter().filter(|(name, _)| name == "role").map(|(_, role)| role).collect();
    let all = instance.read(|records| {
        records.organization(&id)?;
        let found = |it: &&Membership| {
            it.organization_id == id
                && listing.users.matches(&it.user_id)
                && (roles.is_empty() || roles.contains(&&it.role))
        };
        let mut all: Vec<&Membership> = records.memberships.iter().filter(found).collect();
        all.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        Some(all.into_iter().filter_map(|it| records.membership_json(it)).collect())
    });
    Ok(listing.page(all.ok_or_else(no_organization)?))
}

#[derive(Deserialize)]
struct NewMembership {
    user_id: String,
    role: String,
}

async fn create_membership(
    State(instance): State<Instance>,
    Path(id): Path<String>,
    Body(new): Body<NewMembership>,
) -> Answer {
    instance.create_membership(&id, &new.user_id, &new.role).map(Json)
}

#[derive(Deserialize)]
struct NewRole {
    role: String,
}

async fn change_membership(
    State(instance): State<Instance>,
    Path((id, user_id)): Path<(String, String)>,
    Body(new): Body<NewRole>,
) -> Answer {
    instance.change_membership(&id, &user_id, &new.role).map(Json)
}

async fn delete_membership(
    State(instance): State<Instance>,
    Path((id, user_id)): Path<(String, String)>,
) -> Answer {
    instance.delete_membership(&id, &user_id).map(Json)
}

/// The most values of one filter, as with Clerk.
const MOST_VALUES: usize = 100;
