//! `migrate`: creates or updates the tables, and does nothing else.

use crate::cli::failure::{Failure, database_failure};
use crate::cli::logging::Log;
use crate::config::{Env, MigrateConfig};
use crate::store;

pub(super) async fn run(env: &Env, log: &Log) -> Result<(), Failure> {
    let config = MigrateConfig::read(env)?;
    log.start(&config.common);
    let db = store::connect(&config.common.database_url).await;
    let db = db.map_err(|error| database_failure(&error))?;
    store::migrate(&db).await.map_err(|error| database_failure(&error))?;
    tracing::info!("the {} database's tables are up to date", config.common.database_url.kind());
    db.pool().clone().close().await.map_err(|error| database_failure(&error))
}
