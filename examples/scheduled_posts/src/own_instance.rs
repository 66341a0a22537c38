//! The server's own Clerk instance: as it is set, or asked of the Backend API in the background.

use std::time::Duration;

use serving::keep_running;
use tower_clerk::ConfigError;
use tower_clerk::backfill::BackendApi;
use tower_clerk::config::ClerkConfig;
use tower_clerk::webhook::OwnInstance;

/// Returns the instance that `CLERK_INSTANCE_ID` names. Without it, where there is a secret key, starts
/// to ask; until there is an answer the instance is unknown, and deliveries of every instance are taken.
///
/// # Errors
///
/// Returns the crate's error about the settings.
pub(crate) fn start(clerk: &ClerkConfig) -> Result<OwnInstance, ConfigError> {
    let own = OwnInstance::new();
    match (clerk.instance_id(), clerk.secret_key()) {
        (Some(id), _) => {
            // The configuration has checked it.
            let _ = own.set(id);
        }
        (None, Some(secret_key)) => {
            let api = BackendApi::new(clerk.api_url(), secret_key)?.request_timeout(PATIENCE);
            let asked = own.clone();
            keep_running("asking for the Clerk instance", move || ask(api.clone(), asked.clone()));
        }
        (None, None) => {}
    }
    Ok(own)
}

/// Asks until there is an answer.
async fn ask(api: BackendApi, own: OwnInstance) {
    let mut pause = FIRST_PAUSE;
    while own.id().is_none() {
        match api.instance_id().await {
            Ok(Some(id)) => {
                tracing::debug!(instance = id, "the Clerk instance is known");
                // The crate has checked it, and nobody else sets it.
                let _ = own.set(&id);
            }
            Ok(None) => {
                tracing::info!(
                    "CLERK_API_URL does not tell the Clerk instance, so deliveries of other \
                     instances that are signed with this server's secret are taken too; set \
                     CLERK_INSTANCE_ID to ignore them"
                );
                return;
            }
            Err(error) => {
                tracing::warn!(
                    error = %error.report(),
                    "cannot ask Clerk for the instance of CLERK_SECRET_KEY; until it answers, \
                     deliveries of other instances that are signed with this server's secret are \
                     taken too; CLERK_INSTANCE_ID sets the instance without asking"
                );
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

const PATIENCE: Duration = Duration::from_secs(10);
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(600);
