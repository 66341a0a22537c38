//! The announcement at the start: the variables on standard output, everything else in the log.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Write as _, stdout};

use dev_clerk::DevClerk;

use crate::settings::Settings;

/// Prints the variables, and logs where the stand-in listens and what to do next. Waits for no
/// reader.
pub(crate) fn announce(dev_clerk: &DevClerk, settings: &Settings) {
    let mut exports = String::new();
    for (name, value) in &dev_clerk.variables {
        // Writing to a String cannot fail.
        let _ = writeln!(exports, "export {name}={value}");
    }
    let file = settings.file.display();
    tracing::info!("the dev Clerk listens on {}; it keeps its users in {file}", dev_clerk.url);
    tracing::info!(
        "the lines on standard output point a server at it; {}/dev shows users and webhooks",
        dev_clerk.url
    );
    match &settings.webhook_url {
        // A query may hold a secret.
        Some(url) => {
            tracing::info!("it posts webhooks to {}", url.split('?').next().unwrap_or_default());
        }
        None => tracing::info!(
            "it posts no webhooks: to get them, set DEV_CLERK_WEBHOOK_URL or --webhook-url to the \
             URL at which your server receives Clerk's webhooks"
        ),
    }
    let thread = std::thread::Builder::new().name("standard output".to_owned());
    let done = thread.spawn(move || {
        if let Err(error) = print_and_close(&exports) {
            tracing::warn!(%error, "cannot write these lines to standard output:\n{exports}");
        }
    });
    if let Err(error) = done {
        tracing::warn!(%error, "cannot write to standard output: no thread could be started");
    }
}

/// Prints lines that a shell can evaluate, and closes standard output. Its end tells the reader
/// that the stand-in is ready.
fn print_and_close(exports: &str) -> io::Result<()> {
    let mut out = stdout().lock();
    out.write_all(exports.as_bytes())?;
    out.flush()?;
    rustix::stdio::dup2_stdout(File::options().write(true).open("/dev/null")?)?;
    Ok(())
}
