//! The columns of the table of users: the entity's, by the names that the application's table has
//! for them, and the application's own. Opens nothing.

use std::sync::Arc;

use ::sea_orm::sea_query::{DynIden, IntoIden as _};
use ::sea_orm::{IdenStatic as _, Iterable as _, Value};

use super::columns::{Column, Content, OwnKey};
use super::dialect::Dialect;
use super::entity::user;
use crate::ConfigError;
use crate::ids::UserId;
use crate::webhook::User;

/// The choice of columns, as a `Schema` holds it.
#[derive(Clone)]
pub(super) struct Mapping {
    /// The name of each of the entity's columns; `None` if the table has no such column.
    entity: Vec<(user::Column, Option<DynIden>)>,
    /// Whether the application has said which column holds Clerk's id.
    is_id_chosen: bool,
    deleted_at: DynIden,
    email_verified: Option<DynIden>,
    own_key: Option<OwnKey>,
    /// The columns of the application, in the order of its choice.
    own: Vec<Column<User>>,
}

/// The columns of the table of users.
#[derive(Clone, Debug)]
pub(super) struct UserColumns {
    /// The column of Clerk's id.
    pub(super) id: DynIden,
    /// Whether the application has said so.
    #[cfg_attr(
        not(feature = "sea-orm-migration"),
        expect(dead_code, reason = "only the checks of migrations ask")
    )]
    pub(super) is_id_chosen: bool,
    /// The columns that each state fills.
    pub(super) written: Vec<Column<User>>,
    /// The column of the time of a deletion, where deleted users are marked.
    pub(super) deleted_at: Option<DynIden>,
    pub(super) own_key: Option<OwnKey>,
    entity: Vec<(user::Column, Option<DynIden>)>,
}

impl Mapping {
    pub(super) fn new() -> Self {
        Self {
            entity: user::Column::iter().map(|column| (column, Some(column.into_iden()))).collect(),
            is_id_chosen: false,
            deleted_at: DELETED_AT.into_iden(),
            email_verified: None,
            own_key: None,
            own: Vec::new(),
        }
    }

    pub(super) fn name(&mut self, column: user::Column, name: Option<DynIden>) {
        self.is_id_chosen |= column.as_str() == ID;
        let mut entity = self.entity.iter_mut();
        if let Some((_, known)) = entity.find(|(known, _)| known.as_str() == column.as_str()) {
            *known = name;
        }
    }

    pub(super) fn name_deleted_at(&mut self, name: String) {
        self.deleted_at = name.into_iden();
    }

    pub(super) fn add_email_verified(&mut self, name: String) {
        self.email_verified = Some(name.into_iden());
    }

    pub(super) fn add_own(
        &mut self,
        name: String,
        value: impl Fn(&User) -> Value + Send + Sync + 'static,
    ) {
        self.own.push(Column::new(name, Content::Own(Arc::new(value))));
    }

    pub(super) fn set_own_key(
        &mut self,
        name: String,
        make: impl Fn(&UserId) -> Value + Send + Sync + 'static,
    ) {
        self.own_key = Some(OwnKey { name: name.into_iden(), make: Arc::new(make) });
    }

    /// Returns whether the application must have made the table, which has keys that only it knows.
    #[cfg(feature = "sea-orm-migration")]
    pub(super) fn is_of_the_application(&self) -> bool {
        self.own_key.is_some() || self.id().to_string() != ID
    }

    /// Returns the columns, with that of a deletion's time if deleted users are marked.
    pub(super) fn columns(&self, marks: bool) -> UserColumns {
        let filled = user::columns().into_iter().filter_map(|(column, content)| {
            named(&self.entity, column).map(|name| Column::new(name.clone(), content))
        });
        let verified = |name: &DynIden| -> Column<User> {
            Column::new(name.clone(), Content::Flag(|user| user.email_verified))
        };
        UserColumns {
            id: self.id(),
            is_id_chosen: self.is_id_chosen,
            written: filled
                .chain(self.email_verified.iter().map(verified))
                .chain(self.own.iter().cloned())
                .collect(),
            deleted_at: marks.then(|| self.deleted_at.clone()),
            own_key: self.own_key.clone(),
            entity: self.entity.clone(),
        }
    }

    /// Checks that no name is empty or that of two columns, and that there is a column for the id.
    pub(super) fn validate(&self, dialect: Dialect, marks: bool) -> Result<(), ConfigError> {
        if named(&self.entity, user::Column::Id).is_none() {
            return Err(ConfigError::new("without_user_column", NO_ID));
        }
        // First the names that nobody chose: of two columns with one name, the chosen one is at fault.
        let entity = self.entity.iter().filter_map(|(column, name)| {
            let name = name.as_ref()?.to_string();
            let is_chosen = name != column.as_str();
            Some((is_chosen.then_some("user_column_named"), name))
        });
        let deleted_at = marks.then(|| {
            let name = self.deleted_at.to_string();
            ((name != DELETED_AT).then_some("deleted_at_column"), name)
        });
        let named = |setting, name: &DynIden| (Some(setting), name.to_string());
        let verified = self.email_verified.iter().map(|it| named("email_verified_column", it));
        let own_key = self.own_key.iter().map(|key| named("own_key", &key.name));
        let own = self.own.iter().map(|column| named("user_column", &column.name));
        let (mut chosen, taken): (Vec<_>, Vec<_>) = entity
            .chain(deleted_at)
            .chain(verified)
            .chain(own_key)
            .chain(own)
            .partition(|(setting, _)| setting.is_some());
        let chosen = chosen.drain(..).filter_map(|(setting, name)| Some((setting?, name)));
        let taken = taken.into_iter().map(|(_, name)| name);
        distinct(dialect, taken, chosen, TAKEN_COLUMN)
    }

    fn id(&self) -> DynIden {
        named(&self.entity, user::Column::Id).cloned().unwrap_or_else(|| ID.into_iden())
    }
}

impl UserColumns {
    /// Returns the name of one of the entity's columns; `None` if the table has no such column.
    pub(super) fn named(&self, column: user::Column) -> Option<&DynIden> {
        named(&self.entity, column)
    }
}

/// Checks that no setting gives an empty name or one that is taken.
pub(super) fn distinct(
    dialect: Dialect,
    taken: impl IntoIterator<Item = String>,
    names: impl Iterator<Item = (&'static str, String)>,
    problem: &'static str,
) -> Result<(), ConfigError> {
    let mut taken: Vec<String> = taken.into_iter().collect();
    for (setting, name) in names {
        if name.is_empty() {
            return Err(ConfigError::new(setting, EMPTY));
        }
        if taken.iter().any(|other| dialect.is_same_name(other, &name)) {
            return Err(ConfigError::new(setting, problem));
        }
        taken.push(name);
    }
    Ok(())
}

fn named(entity: &[(user::Column, Option<DynIden>)], column: user::Column) -> Option<&DynIden> {
    let found = entity.iter().find(|(known, _)| known.as_str() == column.as_str());
    found.and_then(|(_, name)| name.as_ref())
}

/// The name of the id's column, and of the time of a deletion, unless the application chooses others.
pub(super) const ID: &str = "id";
const DELETED_AT: &str = "deleted_at";

pub(super) const EMPTY: &str = "the name is empty; set a name, or leave the setting out";
const NO_ID: &str = "the sink finds rows by Clerk's id; name the column that holds it by \
    `user_column_named(user::Column::Id, …)`";
const TAKEN_COLUMN: &str = "a column is named twice, or the sink fills it itself, as it does the \
    id, the times, the e-mail address, the names and the picture; choose another column";
