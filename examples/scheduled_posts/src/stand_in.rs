//! The dev Clerk as this program sees it. The only file that names its package, which a production
//! binary is built without: such a binary cannot mint tokens.

use std::io;
use std::path::PathBuf;

use axum::Router;
use tokio::net::TcpListener;

/// Where the stand-in listens and keeps its users.
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

/// Whether this program has one.
pub(crate) const IS_BUILT_IN: bool = cfg!(feature = "dev-clerk");

/// Why there is no stand-in.
pub(crate) enum StartError {
    /// Its file cannot be used, or another one uses it; says which file.
    #[cfg_attr(not(feature = "dev-clerk"), expect(dead_code, reason = "it was built without"))]
    File(String),
    /// This program was built without.
    #[cfg_attr(feature = "dev-clerk", expect(dead_code, reason = "it was built with it"))]
    Missing,
    #[cfg_attr(not(feature = "dev-clerk"), expect(dead_code, reason = "it was built without"))]
    Other(String),
    /// Its port cannot be had.
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

    /// Returns what points a server at the stand-in, if there ever was one. Makes nothing.
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

/// No settings of such a program make a place, but for the subcommand that is told so.
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
