//! The upkeep: it deletes the records of old webhook deliveries daily, and counts what is parked.

use std::time::Duration;

use tower_clerk::sea_orm::SeaOrmSink;

use serving::keep_running;

/// Starts the upkeep, which ends with the runtime. Any number of servers on one database may run
/// it.
pub(crate) fn start(users: SeaOrmSink) {
    let counted = users.clone();
    keep_running("counting parked webhooks", move || count_parked(counted.clone()));
    keep_running("forgetting old webhooks", move || forget_daily(users.clone()));
}

async fn forget_daily(users: SeaOrmSink) {
    let mut days = tokio::time::interval(DAY);
    loop {
        days.tick().await;
        match users.forget_deliveries(KEPT).await {
            Ok(0) => {}
            Ok(count) => {
                tracing::info!("deleted the records of {count} webhooks older than 30 days")
            }
            Err(error) => tracing::warn!(
                %error,
                "cannot delete the records of old webhooks; clerk_deliveries grows until it works"
            ),
        }
    }
}

/// Keeps the gauge of parked webhooks right, which `parked` empties in another process.
async fn count_parked(users: SeaOrmSink) {
    let mut minutes = tokio::time::interval(MINUTE);
    loop {
        minutes.tick().await;
        if let Err(error) = users.count_parked().await {
            tracing::debug!(%error, "cannot count parked webhooks");
        }
    }
}

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 3600);
/// The age at which records are deleted. Svix retries for a little over a day, and its dashboard
/// can resend deliveries that are weeks old.
const KEPT: Duration = Duration::from_secs(30 * 24 * 3600);
