//! Sessions in tonic services. The layer itself needs nothing of this: mounted on a tonic server
//! it refuses with `grpc-status` 16, or 14 when the keys are missing.

use tonic::{Request, Status};

use crate::session::Session;
use crate::trace::event;

/// The session of a gRPC request.
///
/// ```
/// use tower_clerk::tonic::RequestExt;
///
/// fn whoami<T>(request: &tonic::Request<T>) -> Result<String, tonic::Status> {
///     Ok(request.session()?.user_id().to_owned())
/// }
/// ```
pub trait RequestExt {
    /// The session that the layer put into the request.
    ///
    /// # Errors
    ///
    /// `UNAUTHENTICATED` for an anonymous request behind an optional layer, `INTERNAL` when no
    /// [`ClerkAuthLayer`](crate::session::ClerkAuthLayer) is mounted.
    fn session(&self) -> Result<&Session, Status>;
}

impl<T> RequestExt for Request<T> {
    fn session(&self) -> Result<&Session, Status> {
        let extensions = self.extensions();
        match extensions.get::<Session>() {
            Some(session) => Ok(session),
            None if extensions.get::<crate::session::Anonymous>().is_some() => {
                Err(Status::unauthenticated("Not authenticated"))
            }
            None => {
                event!(
                    error,
                    "a method asks for a session without ClerkAuthLayer; mount the layer"
                );
                Err(Status::internal("Internal server error"))
            }
        }
    }
}
