//! The changes of organizations and memberships, and the events that they cause.

use axum::http::StatusCode;
use serde_json::Value;

use crate::error::ClerkError;
use crate::instance::{Event, Instance, now};
use crate::organization::{ADMIN, Membership, Organization, OrganizationChange};
use crate::records::Records;

impl Instance {
    /// Creates an organization, whose creator becomes its administrator.
    pub(super) fn create_organization(
        &self,
        created_by: Option<String>,
        change: OrganizationChange,
    ) -> Result<Value, ClerkError> {
        if change.name.as_deref().is_none_or(str::is_empty) {
            return Err(ClerkError::invalid("form_param_missing", "name must be included."));
        }
        self.change(|records| {
            check_slug(records, None, &change)?;
            let organization = Organization::new(created_by.clone(), change, now());
            let json = organization.clerk_json(Some(usize::from(created_by.is_some())));
            let about = organization.id.clone();
            let mut events =
                vec![Event::new("organization.created", &about, organization.clerk_json(None))];
            records.organizations.push(organization);
            if let Some(user_id) = created_by {
                events.push(add_member(records, &about, &user_id, ADMIN)?.1);
            }
            Ok((json, events))
        })
    }

    pub(super) fn change_organization(
        &self,
        id: &str,
        change: OrganizationChange,
    ) -> Result<Value, ClerkError> {
        self.change(|records| {
            check_slug(records, Some(id), &change)?;
            let organization = records.organization_mut(id).ok_or_else(no_organization)?;
            organization.apply(change);
            organization.touch(now());
            let json = organization.clerk_json(None);
            Ok((json.clone(), vec![Event::new("organization.updated", id, json)]))
        })
    }

    /// Deletes an organization and its memberships. Only the organization's deletion is an event.
    pub(super) fn delete_organization(&self, id: &str) -> Result<Value, ClerkError> {
        self.change(|records| {
            let at = records.organizations.iter().position(|it| it.id == id);
            let organization = records.organizations.remove(at.ok_or_else(no_organization)?);
            records.machines.retain(|machine| !machine.belongs_to(&organization.id));
            records.memberships.retain(|membership| membership.organization_id != id);
            let json = organization.deleted_json();
            Ok((json.clone(), vec![Event::new("organization.deleted", id, json)]))
        })
    }

    pub(super) fn create_membership(
        &self,
        organization_id: &str,
        user_id: &str,
        role: &str,
    ) -> Result<Value, ClerkError> {
        check_role(role)?;
        self.change(|records| {
            let (json, event) = add_member(records, organization_id, user_id, role)?;
            Ok((json, vec![event]))
        })
    }

    pub(super) fn change_membership(
        &self,
        organization_id: &str,
        user_id: &str,
        role: &str,
    ) -> Result<Value, ClerkError> {
        check_role(role)?;
        self.change(|records| {
            let membership = records
                .memberships
                .iter_mut()
                .find(|it| it.organization_id == organization_id && it.user_id == user_id);
            let membership = membership.ok_or_else(no_membership)?;
            role.clone_into(&mut membership.role);
            membership.touch(now());
            let changed = membership.clone();
            let json = records.membership_json(&changed).ok_or_else(no_organization)?;
            let event = Event::new("organizationMembership.updated", organization_id, json.clone());
            Ok((json, vec![event]))
        })
    }

    pub(super) fn delete_membership(
        &self,
        organization_id: &str,
        user_id: &str,
    ) -> Result<Value, ClerkError> {
        self.change(|records| {
            let is_it =
                |it: &Membership| it.organization_id == organization_id && it.user_id == user_id;
            let at = records.memberships.iter().position(is_it).ok_or_else(no_membership)?;
            let membership = records.memberships.remove(at);
            let json = records.membership_json(&membership).ok_or_else(no_organization)?;
            let event = Event::new("organizationMembership.deleted", organization_id, json.clone());
            Ok((json, vec![event]))
        })
    }
}

fn add_member(
    records: &mut Records,
    organization_id: &str,
    user_id: &str,
    role: &str,
) -> Result<(Value, Event), ClerkError> {
    let organization = records.organization(organization_id).ok_or_else(no_organization)?;
    records.user(user_id).ok_or_else(|| ClerkError::not_found("user"))?;
    let members = records.memberships.iter().filter(|it| it.organization_id == organization_id);
    if members.clone().any(|it| it.user_id == user_id) {
        let message = "The user is already a member of this organization.";
        let code = "already_a_member_in_organization";
        return Err(ClerkError::new(StatusCode::BAD_REQUEST, code, message));
    }
    let most = organization.max_allowed_memberships;
    if most > 0 && u64::try_from(members.count()).unwrap_or(u64::MAX) >= most {
        let message = "You have reached your limit of members of this organization.";
        let code = "organization_membership_quota_exceeded";
        return Err(ClerkError::new(StatusCode::FORBIDDEN, code, message));
    }
    let membership = Membership::new(organization_id, user_id, role, now());
    let json = records.membership_json(&membership).ok_or_else(no_organization)?;
    records.memberships.push(membership);
    let event = Event::new("organizationMembership.created", organization_id, json.clone());
    Ok((json, event))
}

fn check_slug(
    records: &Records,
    id: Option<&str>,
    change: &OrganizationChange,
) -> Result<(), ClerkError> {
    let Some(slug) = &change.slug else { return Ok(()) };
    let is_slug = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if slug.is_empty() || !slug.chars().all(is_slug) {
        let message = "slug can contain only lowercase letters, digits and the dash.";
        return Err(ClerkError::invalid("form_param_format_invalid", message));
    }
    let others = records.organizations.iter().filter(|it| Some(it.id.as_str()) != id);
    if others.into_iter().any(|it| it.slug.as_ref() == Some(slug)) {
        let message = "That slug is taken. Please try another.";
        return Err(ClerkError::invalid("form_identifier_exists", message));
    }
    Ok(())
}

fn check_role(role: &str) -> Result<(), ClerkError> {
    match role.strip_prefix("org:") {
        Some(name) if !name.is_empty() => Ok(()),
        _ => {
            let message = "role must be the key of a role, such as org:admin or org:member.";
            Err(ClerkError::invalid("form_param_value_invalid", message))
        }
    }
}

pub(super) fn no_organization() -> ClerkError {
    ClerkError::not_found("organization")
}

fn no_membership() -> ClerkError {
    ClerkError::not_found("organization membership")
}
