//! The errors at the start of a stand-in. They name its arguments, and no program's settings.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// The reason why a stand-in did not start.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// The file cannot be read or written, or is not a stand-in's.
    File(PathBuf, io::Error),
    /// Another stand-in has the file.
    FileInUse(PathBuf),
    /// The client that posts webhooks cannot be built.
    HttpClient(Box<dyn Error + Send + Sync>),
    /// The port on 127.0.0.1 cannot be taken.
    Port(u16, io::Error),
    /// Webhooks cannot be posted to the URL.
    WebhookUrl,
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(file, error) => {
                write!(f, "{} cannot be used: {error}", file.display())
            }
            Self::FileInUse(file) => write!(
                f,
                "{} is in use by another dev Clerk that still runs, and two would overwrite each \
                 other's users: stop the other one, or choose another file for this one",
                file.display()
            ),
            Self::HttpClient(error) => write!(f, "webhooks cannot be posted: {error}"),
            Self::Port(port, error) => write!(f, "cannot listen on 127.0.0.1:{port}: {error}"),
            Self::WebhookUrl => f.write_str(
                "the URL for webhooks must begin with http:// or https:// and contain a host but \
                 no user name and no password",
            ),
        }
    }
}

impl Error for StartError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::File(_, error) | Self::Port(_, error) => Some(error),
            Self::HttpClient(error) => Some(error.as_ref()),
            Self::FileInUse(_) | Self::WebhookUrl => None,
        }
    }
}
