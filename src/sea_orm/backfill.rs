//! The sink as the target of a backfill, which writes pages by the same rules as deliveries.

use ::sea_orm::prelude::DateTimeUtc;
use ::sea_orm::{DbErr, QueryResult};

use super::batch::{Known, Which};
use super::entity::user;
use super::reads::Reads as _;
use super::row::Row;
use super::sink::SeaOrmSink;
use super::tables::Tables;
use super::{batch, failure, records, statements};
use crate::backfill::{
    Differences, Member, OrganizationsRun, RecordKind, RecordPage, Records, Refused, Removal, Run,
    Target, UserPage, Written,
};
use crate::ids::UserId;
use crate::sync::Version;
use crate::webhook::{SinkError, User};

impl Target for SeaOrmSink {
    async fn runs(&self) -> Result<Vec<Run>, SinkError> {
        let select = statements::select_runs(&self.store.tables.backfills);
        let rows = self.store.rows(&select).await.map_err(failure::sink_error)?;
        rows.iter().map(run).collect::<Result<_, _>>().map_err(failure::sink_error)
    }

    async fn write(&self, page: UserPage<'_>, run: &Run) -> Result<Written, SinkError> {
        self.write_whole_or_parts(page, run, Which::Newer).await.map_err(failure::sink_error)
    }

    async fn rewrite(&self, page: UserPage<'_>, run: &Run) -> Result<Written, SinkError> {
        self.write_whole_or_parts(page, run, Which::NewerOrSame).await.map_err(failure::sink_error)
    }

    async fn compare(&self, page: UserPage<'_>) -> Result<Differences, SinkError> {
        let differences =
            batch::differences(&self.store, &self.store.tables.users, &self.user_states(page))
                .await;
        differences.map_err(failure::sink_error)
    }

    /// Returns the users whom an event, a backfill or [`ensure_user`](Self::ensure_user) named.
    /// Rows that other code put into the table of users are not among them.
    async fn ids_after(&self, after: Option<&str>, limit: u32) -> Result<Vec<String>, SinkError> {
        let table = &self.store.tables.users.versions;
        let living = statements::select_living(table, self.store.dialect, after, limit);
        batch::ids_of(&self.store, &living).await.map_err(failure::sink_error)
    }

    /// A user without a row has no known age, and is not young. Where the table has no times of creation,
    /// the time of the newest state counts, which is no earlier; a user of whom no state is known is
    /// young.
    async fn created_after(&self, ids: &[String], time: i64) -> Result<Vec<String>, SinkError> {
        let ids: Vec<_> = ids.iter().map(String::as_str).collect();
        let Tables { users, user_columns, .. } = &*self.store.tables;
        let Some(created_at) = user_columns.named(user::Column::CreatedAt) else {
            let versions = statements::select_versions(&users.versions, &ids);
            let known = batch::known(&self.store, &versions).await;
            let known = known.map_err(failure::sink_error)?.into_iter();
            let is_young =
                |known: &Known| known.version == Version::UNTOLD || known.version.updated_at > time;
            return Ok(known.filter(|(_, known)| is_young(known)).map(|(id, _)| id).collect());
        };
        let select = statements::select_creations(&users.rows, created_at, &ids);
        let rows = self.store.rows(&select).await.map_err(failure::sink_error)?;
        let young = rows.iter().filter_map(|row| young(row, time).transpose());
        young.collect::<Result<_, _>>().map_err(failure::sink_error)
    }

    async fn remove(&self, user_id: &str) -> Result<Removal, SinkError> {
        let removed = self.store.retrying(|| self.remove_user(user_id)).await;
        removed.map_err(failure::sink_error)
    }

    fn keeps_organizations(&self) -> bool {
        self.store.tables.organizations.is_some()
    }

    async fn write_records(&self, page: RecordPage<'_>, run: &Run) -> Result<Written, SinkError> {
        self.write_records_or_parts(page, run).await.map_err(failure::sink_error)
    }

    async fn compare_records(&self, page: RecordPage<'_>) -> Result<Differences, SinkError> {
        let Some(kinds) = &self.store.tables.organizations else { return Ok(Differences::new()) };
        records::compare(&self.store, kinds, page).await.map_err(failure::sink_error)
    }

    async fn record_ids_after(
        &self,
        kind: RecordKind,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<String>, SinkError> {
        let kinds = self.store.tables.organizations.as_ref();
        let table = match (kind, kinds) {
            (RecordKind::Organization, Some(kinds)) => &kinds.organizations.versions,
            (RecordKind::Membership, Some(kinds)) => &kinds.memberships.versions,
            (RecordKind::User, _) => return self.ids_after(after, limit).await,
            (RecordKind::Organization | RecordKind::Membership, None) => return Ok(Vec::new()),
        };
        let living = statements::select_living(table, self.store.dialect, after, limit);
        batch::ids_of(&self.store, &living).await.map_err(failure::sink_error)
    }

    async fn members_of(&self, organization_id: &str) -> Result<Vec<Member>, SinkError> {
        let Some(kinds) = &self.store.tables.organizations else { return Ok(Vec::new()) };
        let members = records::members_of(&self.store, kinds, organization_id).await;
        members.map_err(failure::sink_error)
    }

    async fn records_created_after(
        &self,
        kind: RecordKind,
        ids: &[String],
        time: i64,
    ) -> Result<Vec<String>, SinkError> {
        let kinds = self.store.tables.organizations.as_ref();
        let table = match (kind, kinds) {
            (RecordKind::Organization, Some(kinds)) => &kinds.organizations.rows,
            (RecordKind::Membership, Some(kinds)) => &kinds.memberships.rows,
            (RecordKind::User, _) => return self.created_after(ids, time).await,
            (RecordKind::Organization | RecordKind::Membership, None) => return Ok(Vec::new()),
        };
        let ids: Vec<_> = ids.iter().map(String::as_str).collect();
        let select = statements::select_record_creations(table, &ids);
        let rows = self.store.rows(&select).await.map_err(failure::sink_error)?;
        let young = rows.iter().filter_map(|row| young(row, time).transpose());
        young.collect::<Result<_, _>>().map_err(failure::sink_error)
    }

    async fn remove_record(&self, kind: RecordKind, id: &str) -> Result<Removal, SinkError> {
        let kinds = self.store.tables.organizations.as_ref();
        match (kind, kinds) {
            (RecordKind::User, _) => self.remove(id).await,
            (RecordKind::Organization | RecordKind::Membership, Some(kinds)) => {
                let remove = || records::remove(&self.store, kinds, kind, id);
                self.store.retrying(remove).await.map_err(failure::sink_error)
            }
            (RecordKind::Organization | RecordKind::Membership, None) => Ok(Removal::Already),
        }
    }
}

impl SeaOrmSink {
    /// Writes a page; if the database refuses the data of a row, all users but those whom it refuses.
    async fn write_whole_or_parts(
        &self,
        page: UserPage<'_>,
        run: &Run,
        which: Which,
    ) -> Result<Written, DbErr> {
        match self.store.retrying(|| self.write_page(page, Some(run), which)).await {
            Err(error) if failure::is_of_data(&error) => {}
            other => return other,
        }
        let written = self.write_parts(page, which).await?;
        // Last, so that a run that is killed before this begins with the same page.
        self.store.retrying(|| self.write_page(page.part(&[]), Some(run), which)).await?;
        Ok(written)
    }

    /// Writes users in parts, and halves a part that the database refuses until single users are left.
    async fn write_parts(&self, page: UserPage<'_>, which: Which) -> Result<Written, DbErr> {
        let mut all = Written::default();
        let mut parts = vec![page.users];
        while let Some(part) = parts.pop() {
            match self.store.retrying(|| self.write_page(page.part(part), None, which)).await {
                Ok(written) => {
                    all.written += written.written;
                    all.unchanged += written.unchanged;
                }
                Err(error) if failure::is_of_data(&error) => {
                    if let [user] = part {
                        let reason = failure::text_for_log(&error);
                        all.refused.push(Refused::new(user.id.to_string(), reason));
                    } else {
                        let (first, rest) = part.split_at(part.len() / 2);
                        parts.extend([rest, first].into_iter().filter(|part| !part.is_empty()));
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(all)
    }

    /// Writes users, and a run's progress where there is one, in one transaction.
    async fn write_page(
        &self,
        page: UserPage<'_>,
        run: Option<&Run>,
        which: Which,
    ) -> Result<Written, DbErr> {
        let tx = self.store.begin().await?;
        let states = self.user_states(page);
        let written = batch::write(&tx, &self.store.tables.users, states, which).await?;
        let news: Vec<_> =
            page.users.iter().filter_map(|user| Some((user, *written.get(&*user.id)?))).collect();
        for hook in &self.store.hooks {
            hook.backfilled(&tx.tx, &news).await?;
        }
        tx.prove().await?;
        if let Some(run) = run {
            tx.execute(&statements::record_run(&self.store.tables.backfills, run)).await?;
        }
        tx.commit().await?;
        let (all, written) = (page.users.len() as u64, written.len() as u64);
        Ok(Written::new(written, all.saturating_sub(written)))
    }

    /// Writes a page of organizations or memberships; if the database refuses the data of a row, all but
    /// those whose data it refuses.
    async fn write_records_or_parts(
        &self,
        page: RecordPage<'_>,
        run: &Run,
    ) -> Result<Written, DbErr> {
        match self.store.retrying(|| self.write_record_page(page, Some(run))).await {
            Err(error) if failure::is_of_data(&error) => {}
            other => return other,
        }
        let mut all = Written::default();
        let mut parts = vec![page.records];
        while let Some(part) = parts.pop() {
            let page = RecordPage { records: part, ..page };
            match self.store.retrying(|| self.write_record_page(page, None)).await {
                Ok(written) => {
                    all.written += written.written;
                    all.unchanged += written.unchanged;
                }
                Err(error) if failure::is_of_data(&error) => match part.halves() {
                    Ok(halves) => parts.extend(halves.into_iter().rev()),
                    Err(Some(id)) => {
                        all.refused.push(Refused::new(id, failure::text_for_log(&error)));
                    }
                    Err(None) => return Err(error),
                },
                Err(error) => return Err(error),
            }
        }
        // Last, so that a run that is killed before this begins with the same page.
        let nothing = RecordPage { records: Records::Organizations(&[]), ..page };
        self.store.retrying(|| self.write_record_page(nothing, Some(run))).await?;
        Ok(all)
    }

    /// Writes organizations or memberships, and a run's progress where there is one, in one transaction.
    async fn write_record_page(
        &self,
        page: RecordPage<'_>,
        run: Option<&Run>,
    ) -> Result<Written, DbErr> {
        let tx = self.store.begin().await?;
        let records::WrittenPage { written, ensured } = match &self.store.tables.organizations {
            Some(kinds) => records::write(&tx, kinds, page).await?,
            None => records::WrittenPage::default(),
        };
        for hook in &self.store.hooks {
            for user_id in &ensured {
                hook.ensured(&tx.tx, user_id).await?;
            }
        }
        tx.prove().await?;
        if let Some(run) = run {
            tx.execute(&statements::record_run(&self.store.tables.backfills, run)).await?;
        }
        tx.commit().await?;
        let (all, written) = (page.records.len() as u64, written as u64);
        Ok(Written::new(written, all.saturating_sub(written)))
    }

    /// Returns the rows and versions of users, in the order of their ids.
    fn user_states(&self, page: UserPage<'_>) -> Vec<(Row, Version)> {
        let state = |user: &User| {
            let version = Version::updated(user.updated_at, page.listed_at, &user.data);
            (self.store.row_of_user(user), version)
        };
        batch::sorted(page.users.iter().map(state).collect())
    }

    async fn remove_user(&self, id: &str) -> Result<Removal, DbErr> {
        let Ok(id) = UserId::parse(id) else { return Ok(Removal::Already) };
        let tx = self.store.begin().await?;
        let outcome = tx.tombstone(&self.store.tables.users, id.id()).await?;
        for hook in &self.store.hooks {
            hook.removed(&tx.tx, &id).await?;
        }
        tx.prove().await?;
        let holds = tx.remove_user(id.id()).await?;
        tx.commit().await?;
        Ok(records::removal(outcome, holds))
    }
}

/// Returns the id in a row if the user was created after this time.
fn young(row: &QueryResult, time: i64) -> Result<Option<String>, DbErr> {
    let created_at: DateTimeUtc = row.try_get_by_index(1)?;
    let is_young = created_at.timestamp_millis() > time;
    if is_young { Ok(Some(row.try_get_by_index(0)?)) } else { Ok(None) }
}

fn run(row: &QueryResult) -> Result<Run, DbErr> {
    let mut run = Run::new(row.try_get_by_index::<String>(0)?);
    run.last_user_id = row.try_get_by_index(1)?;
    run.last_created_at = row.try_get_by_index(2)?;
    run.users = row.try_get_by_index::<i64>(3)?.cast_unsigned();
    run.finished = row.try_get_by_index(4)?;
    run.started_at = row.try_get_by_index(5)?;
    if let Some(organizations) = row.try_get_by_index::<Option<i64>>(7)? {
        let memberships: Option<i64> = row.try_get_by_index(8)?;
        run.organizations = Some(OrganizationsRun {
            last_organization_id: row.try_get_by_index(6)?,
            organizations: organizations.cast_unsigned(),
            memberships: memberships.unwrap_or_default().cast_unsigned(),
            finished: row.try_get_by_index::<Option<bool>>(9)?.unwrap_or_default(),
        });
    }
    Ok(run)
}
