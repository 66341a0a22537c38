//! Why a backfill did not go on, in the words of this program: variables and options.

use tower_clerk::backfill::{BackfillError, BackfillErrorKind};

/// What to do, and below it what happened.
pub(super) fn explain(error: &BackfillError) -> String {
    format!("{}\n  What happened: {}", advice(error.kind()), error.report())
}

fn advice(kind: BackfillErrorKind) -> &'static str {
    match kind {
        BackfillErrorKind::KeyRefused => {
            "CLERK_SECRET_KEY: is not taken by the Backend API. Set the sk_… that Clerk's \
             Dashboard shows under API keys, and CLERK_API_URL only if another one is to be asked \
             than https://api.clerk.com, the dev Clerk for example."
        }
        BackfillErrorKind::NotFilled => {
            "--remove-gone: is only for a database that was wholly filled from this Clerk \
             instance. Run `scheduled-posts backfill` to its end first."
        }
        BackfillErrorKind::OtherInstance => {
            "CLERK_SECRET_KEY and DATABASE_URL: do not belong together, the database has users of \
             another Clerk instance. Nothing was changed. Set the key of their instance, or the \
             database of this one."
        }
        BackfillErrorKind::TargetFailed => {
            "DATABASE_URL: the database failed. Look at it, then run this again: what was written \
             stays, and a run goes on after it."
        }
        BackfillErrorKind::TooManyGone => {
            "--at-most: more users are gone than that, so nobody was removed. See who they are by \
             `scheduled-posts backfill --dry-run`; if all of them are to go, say so many."
        }
        BackfillErrorKind::Unavailable => {
            "CLERK_API_URL: the Backend API does not answer as it should. Run this again when it \
             is well: a run goes on after the last page that was written."
        }
        BackfillErrorKind::UnexpectedAnswer => {
            "CLERK_API_URL: what answers there is not Clerk's Backend API as this program knows \
             it. Look at the URL, and at proxies on the way."
        }
        _ => "The backfill did not go on.",
    }
}
