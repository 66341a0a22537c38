//! The database's connections, counted at each scrape.

use metrics::gauge;
use sea_orm::{DatabaseConnection, DbBackend};

/// Sets the gauges to the current numbers.
pub(super) fn measure(db: &DatabaseConnection) {
    let (all, idle, most) = match db.get_database_backend() {
        DbBackend::MySql => {
            let pool = db.get_mysql_connection_pool();
            (pool.size(), pool.num_idle(), pool.options().get_max_connections())
        }
        DbBackend::Postgres => {
            let pool = db.get_postgres_connection_pool();
            (pool.size(), pool.num_idle(), pool.options().get_max_connections())
        }
        DbBackend::Sqlite => {
            let pool = db.get_sqlite_connection_pool();
            (pool.size(), pool.num_idle(), pool.options().get_max_connections())
        }
        _ => return,
    };
    let idle = u32::try_from(idle).unwrap_or(u32::MAX);
    for (state, count) in [("used", all.saturating_sub(idle)), ("idle", idle), ("most", most)] {
        gauge!(CONNECTIONS, "state" => state).set(f64::from(count));
    }
}

pub(super) const CONNECTIONS: &str = "database_connections";
