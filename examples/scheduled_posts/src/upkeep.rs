//! What the server does by itself now and then: it forgets which webhooks came long ago.

use std::time::Duration;

use tower_clerk::sea_orm::SeaOrmSink;

use serving::keep_running;

/// Begins at once and goes on for as long as the runtime lives. Any number of servers on one
/// database may do so.
pub(crate) fn start(users: SeaOrmSink) {
    keep_running("forgetting old webhooks", move || forget_daily(users.clone()));
}

async fn forget_daily(users: SeaOrmSink) {
    let mut days = tokio::time::interval(DAY);
    loop {
        days.tick().await;
        match users.forget_deliveries(KEPT).await {
            Ok(0) => {}
            Ok(count) => tracing::info!("forgot {count} webhooks from more than a month ago"),
            Err(error) => tracing::warn!(
                %error,
                "cannot forget old webhooks; the table clerk_deliveries grows until it works"
            ),
        }
    }
}

const DAY: Duration = Duration::from_secs(24 * 3600);
/// Svix tries for a little over a day, and its dashboard sends again what is weeks old.
const KEPT: Duration = Duration::from_secs(30 * 24 * 3600);
