//! `dev-clerk`: the stand-in alone.

use std::fmt::Write as _;

use tokio::sync::watch;

use crate::cli::logging::Log;
use crate::cli::{Failure, answer, dev_clerk_failure};
use crate::config::{DevClerkConfig, Env};
use crate::signals;
use crate::stand_in::StandIn;

pub(super) async fn run(env: &Env, log: &Log) -> Result<(), Failure> {
    let config = DevClerkConfig::read(env)?;
    log.start(&config.common);
    let place = &config.dev_clerk;
    let dev_clerk = place.start(&config.webhooks).await;
    let dev_clerk = dev_clerk.map_err(|error| dev_clerk_failure(place, error))?;
    announce(&dev_clerk);
    let (stop, stopped) = watch::channel(false);
    let lines = log.lines().clone();
    tokio::spawn(async move {
        signals::stop_signal(&lines).await;
        // Nobody listens when serving has ended already.
        let _ = stop.send(true);
    });
    serving::serve(dev_clerk.listener, dev_clerk.router, stopped).await;
    Ok(())
}

/// Only what a shell can evaluate, so that `eval "$(… )"` works on a copy of it.
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
