//! `dev-clerk`: runs the stand-in alone.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::sync::watch;

use crate::cli::failure::Failure;
use crate::cli::logging::Log;
use crate::cli::{answer, listening};
use crate::config::{DevClerkConfig, Env};
use crate::signals;
use crate::stand_in::{Place, StandIn, StartError};

pub(super) async fn run(env: &Env, log: &Log) -> Result<(), Failure> {
    let config = DevClerkConfig::read(env)?;
    log.start(&config.common);
    let place = &config.dev_clerk;
    let dev_clerk = place.start(&config.webhooks).await;
    let dev_clerk = dev_clerk.map_err(|error| failure(place, error))?;
    announce(&dev_clerk);
    let (stop, stopped) = watch::channel(false);
    let lines = log.lines().clone();
    tokio::spawn(async move {
        signals::stop_signal(&lines).await;
        // There is no receiver when serving has ended already.
        let _ = stop.send(true);
    });
    serving::serve(dev_clerk.listener, dev_clerk.router, stopped).await;
    Ok(())
}

/// Prints lines that a shell can evaluate, so that `eval "$(… )"` works on a copy of them.
/// Returns the failure of a stand-in that does not start, with the setting to change.
pub(super) fn failure(place: &Place, error: StartError) -> Failure {
    match error {
        StartError::File(problem) => Failure::Config(
            format!(
                "DATABASE_URL: the dev Clerk keeps its users and its key in a file beside the \
                 database: {problem}"
            )
            .into(),
        ),
        StartError::Missing => Failure::Start(
            "this program was built without the dev Clerk; `cargo run -p dev-clerk` runs it alone"
                .to_owned(),
        ),
        StartError::Other(problem) => {
            Failure::Start(format!("the dev Clerk does not start: {problem}"))
        }
        StartError::Port(error) => {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, place.port));
            listening::DEV_CLERK.failure(address, &error)
        }
    }
}

fn announce(dev_clerk: &StandIn) {
    let mut text = String::new();
    for (name, value) in &dev_clerk.variables {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "export {name}={value}");
    }
    answer::announce(&text);
    tracing::info!(
        "the dev Clerk listens on {url}; the lines above point a server at it, and {url}/dev shows \
         the webhooks",
        url = dev_clerk.url
    );
}
