//! The stand-in for Clerk as a program of its own, for servers in any language.

mod announce;
mod failure;
mod lines;
mod log;
mod settings;
mod signals;

use std::future::IntoFuture as _;
use std::io;
use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use dev_clerk::DevClerk;
use tokio::sync::oneshot;

use crate::failure::Failure;
use crate::lines::Lines;
use crate::settings::Settings;
use crate::signals::Signals;

#[tokio::main]
async fn main() -> ExitCode {
    let Ok(lines) = Lines::start(io::stderr()) else {
        // Without threads, every way to report this could fail as well.
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

async fn run(lines: &Lines) -> Result<(), Failure> {
    let settings = Settings::read().map_err(Failure::Settings)?;
    log::start(lines, settings.filter.clone());
    // Before the address is announced, because a signal may follow at once.
    let mut signals = Signals::listen().map_err(|error| Failure::Other(error.into()))?;
    let started = DevClerk::start(&settings.place(), settings.webhook_url.as_deref()).await;
    let dev_clerk = started.map_err(settings::explain)?;
    announce::announce(&dev_clerk, &settings);
    let DevClerk { listener, router, .. } = dev_clerk;

    let (stop, stopped) = oneshot::channel::<()>();
    let server = axum::serve(listener, router).with_graceful_shutdown(async {
        // An error means that the sender was dropped, which is the signal to stop.
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

/// The time for requests in flight when the program is told to stop.
const GRACE: Duration = Duration::from_secs(3);
/// The time for writing the last lines of the log.
const LAST_WORDS: Duration = Duration::from_secs(1);
