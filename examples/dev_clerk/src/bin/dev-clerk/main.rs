//! The stand-in for Clerk as a program of its own, for servers in any language.

mod announce;
mod lines;
mod log;
mod settings;
mod signals;

use std::error::Error;
use std::future::IntoFuture as _;
use std::io;
use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use dev_clerk::DevClerk;
use tokio::sync::oneshot;

use crate::lines::Lines;
use crate::settings::Settings;
use crate::signals::Signals;

#[tokio::main]
async fn main() -> ExitCode {
    let Ok(lines) = Lines::start(io::stderr()) else {
        // Without threads there is no way to say so that could not fail as well.
        return ExitCode::FAILURE;
    };
    let code = match run(&lines).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Settings(problems)) => {
            problems.iter().for_each(|problem| lines.push(format!("{problem}\n")));
            ExitCode::from(2)
        }
        Err(Failure::Other(error)) => {
            lines.push(format!("{error}\n"));
            ExitCode::FAILURE
        }
    };
    lines.flush(LAST_WORDS);
    code
}

/// Why the program ends badly.
enum Failure {
    /// What another setting would mend, each with its name.
    Settings(Vec<String>),
    Other(Box<dyn Error>),
}

async fn run(lines: &Lines) -> Result<(), Failure> {
    let settings = Settings::read().map_err(Failure::Settings)?;
    log::start(lines, settings.filter.clone());
    // Before anybody learns where it listens, and may want it to stop.
    let mut signals = Signals::listen().map_err(|error| Failure::Other(error.into()))?;
    let started = DevClerk::start(&settings.place(), settings.webhook_url.as_deref()).await;
    let dev_clerk = started.map_err(settings::explain)?;
    announce::announce(&dev_clerk, &settings);
    let DevClerk { listener, router, .. } = dev_clerk;

    let (stop, stopped) = oneshot::channel::<()>();
    let server = axum::serve(listener, router).with_graceful_shutdown(async {
        // An error is the sender's end, which is meant.
        let _ = stopped.await;
    });
    let mut server = pin!(server.into_future());
    tokio::select! {
        done = &mut server => return done.map_err(|error| Failure::Other(error.into())),
        () = signals.next() => drop(stop),
    }
    tokio::select! {
        done = &mut server => done.map_err(|error| Failure::Other(error.into())),
        () = tokio::time::sleep(GRACE) => Ok(()),
        () = signals.next() => Err(Failure::Other("second signal: ended at once".into())),
    }
}

/// How long requests may take that are under way when it is told to stop.
const GRACE: Duration = Duration::from_secs(3);
/// How long the last lines may take to be written.
const LAST_WORDS: Duration = Duration::from_secs(1);
