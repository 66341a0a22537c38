//! Sessions in tonic services. The layer itself needs nothing of this: mounted on a tonic server
//! it refuses with `grpc-status` 16, or 14 when the keys are missing.

use tonic::{Code, Request, Status};

use crate::session::{Anonymous, Refusal, Session};
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
    /// What the layer would have refused the request with, when it let it pass without a session;
    /// `INTERNAL` when no [`ClerkAuthLayer`](crate::session::ClerkAuthLayer) is mounted.
    fn session(&self) -> Result<&Session, Status>;
}

impl<T> RequestExt for Request<T> {
    fn session(&self) -> Result<&Session, Status> {
        let extensions = self.extensions();
        if let Some(session) = extensions.get::<Session>() {
            return Ok(session);
        }
        if let Some(Anonymous(error)) = extensions.get::<Anonymous>() {
            let refusal = Refusal::of(error);
            let code = Code::from_bytes(refusal.grpc_status().as_bytes());
            return Err(Status::new(code, refusal.detail()));
        }
        event!(error, "a method asks for a session without ClerkAuthLayer; mount the layer");
        Err(Status::internal("Internal server error"))
    }
}
