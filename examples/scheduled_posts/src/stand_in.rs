//! The dev Clerk in this program. This is the only file that names its package. A production binary
//! is built without it and therefore cannot mint tokens.

use std::io;
use std::path::PathBuf;

use axum::Router;
use tokio::net::TcpListener;

/// The port of the stand-in and the file of its users.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) port: u16,
    #[cfg_attr(not(feature = "dev-clerk"), expect(dead_code, reason = "nothing is kept"))]
    pub(crate) file: PathBuf,
}

/// A stand-in that is bound to its port and ready to be served.
pub(crate) struct StandIn {
    pub(crate) listener: TcpListener,
    pub(crate) router: Router,
    pub(crate) variables: Vec<(&'static str, String)>,
    pub(crate) url: String,
}

/// Whether this program was built with the dev Clerk.
pub(crate) const IS_BUILT_IN: bool = cfg!(feature = "dev-clerk");

/// The reason why the stand-in did not start.
pub(crate) enum StartError {
    /// Its file cannot be used, or another stand-in uses it; the text names the file.
    #[cfg_attr(not(feature = "dev-clerk"), expect(dead_code, reason = "it was built without"))]
    File(String),
    /// This program was built without the dev Clerk.
    #[cfg_attr(feature = "dev-clerk", expect(dead_code, reason = "it was built with it"))]
    Missing,
    #[cfg_attr(not(feature = "dev-clerk"), expect(dead_code, reason = "it was built without"))]
    Other(String),
    /// Its port cannot be taken.
    #[cfg_attr(not(feature = "dev-clerk"), expect(dead_code, reason = "it was built without"))]
    Port(io::Error),
}

#[cfg(feature = "dev-clerk")]
impl Place {
    /// Starts the stand-in, which posts its webhooks to the URL `webhooks`.
    pub(crate) async fn start(&self, webhooks: &str) -> Result<StandIn, StartError> {
        let started = dev_clerk::DevClerk::start(&self.outside(), Some(webhooks)).await;
        let dev_clerk::DevClerk { listener, router, variables, url, .. } = started?;
        Ok(StandIn { listener, router, variables, url })
    }

    /// Returns the variables that point a server at the stand-in, or `None` if its file does not
    /// exist or cannot be used. Creates nothing.
    pub(crate) fn variables(&self) -> Option<Vec<(&'static str, String)>> {
        dev_clerk::variables_of(&self.outside())
    }

    fn outside(&self) -> dev_clerk::Place {
        dev_clerk::Place::new(self.port, &self.file)
    }
}

#[cfg(feature = "dev-clerk")]
impl From<dev_clerk::StartError> for StartError {
    fn from(error: dev_clerk::StartError) -> Self {
        match error {
            dev_clerk::StartError::Port(_, error) => Self::Port(error),
            dev_clerk::StartError::File(..) | dev_clerk::StartError::FileInUse(_) => {
                Self::File(error.to_string())
            }
            _ => Self::Other(error.to_string()),
        }
    }
}

/// Only the subcommand `dev-clerk` of a program without the dev Clerk calls this.
#[cfg(not(feature = "dev-clerk"))]
impl Place {
    #[expect(clippy::unused_async, reason = "the same as with the feature")]
    pub(crate) async fn start(&self, _webhooks: &str) -> Result<StandIn, StartError> {
        Err(StartError::Missing)
    }

    #[expect(clippy::unused_self, reason = "the same as with the feature")]
    pub(crate) fn variables(&self) -> Option<Vec<(&'static str, String)>> {
        None
    }
}
