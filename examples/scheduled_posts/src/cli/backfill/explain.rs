//! Explanations why a backfill stopped, by the names of this program's variables and options.

use tower_clerk::backfill::{BackfillError, BackfillErrorKind};

/// Returns what to do and, below it, what happened.
pub(super) fn explain(error: &BackfillError) -> String {
    format!("{}\n  What happened: {}", advice(error.kind()), error.report())
}

fn advice(kind: BackfillErrorKind) -> &'static str {
    match kind {
        BackfillErrorKind::ClockWrong => {
            "This machine's clock is wrong, so nothing was changed. Switch time synchronisation on \
             (timedatectl set-ntp true), in the host of a container or virtual machine, and run \
             this again."
        }
        BackfillErrorKind::InstanceUnknown => {
            "--remove-gone: the Backend API does not tell which Clerk instance CLERK_SECRET_KEY \
             belongs to, so no user was removed. Set CLERK_API_URL to one that answers \
             GET /v1/instance, as Clerk's own does."
        }
        BackfillErrorKind::KeyRefused => {
            "CLERK_SECRET_KEY: the Backend API refuses it. Set the sk_… that Clerk's Dashboard \
             shows under API keys. Set CLERK_API_URL only for another Backend API than \
             https://api.clerk.com, for example the dev Clerk's."
        }
        BackfillErrorKind::NotFilled => {
            "--remove-gone: the database must have been filled completely from this Clerk \
             instance. Run `scheduled-posts backfill` to its end first."
        }
        BackfillErrorKind::OtherInstance => {
            "CLERK_SECRET_KEY and DATABASE_URL: do not belong together; the database contains \
             users of another Clerk instance. Nothing was changed. Set the key of that instance, \
             or the database of this one. If the other is ins_123, it is none: the Dashboard sent an \
             example, and an earlier version took it. Then run `scheduled-posts backfill \
             --forget-instance ins_123`."
        }
        BackfillErrorKind::TargetFailed => {
            "DATABASE_URL: the database failed. Check it, then run this again: what was written \
             stays, and the run continues after it."
        }
        BackfillErrorKind::TooManyGone => {
            "--at-most: more users are gone than that, so no user was removed. List them with \
             `scheduled-posts backfill --dry-run`. To remove all of them, set --at-most to their \
             number."
        }
        BackfillErrorKind::Unavailable => {
            "CLERK_API_URL: the Backend API is unavailable. Run this again when it has recovered: \
             the run continues after the last page that was written."
        }
        BackfillErrorKind::UnexpectedAnswer => {
            "CLERK_API_URL: the answers are not those of Clerk's Backend API as this program \
             knows it. Check the URL, and any proxies on the way."
        }
        _ => "The backfill stopped.",
    }
}
