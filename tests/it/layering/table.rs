//! The tables of who may name whom.

/// For each place (a file, or a folder with all its files) the places whose names it may use, besides
/// its own and what is below it. A name counts for the file that defines it. A file that no line covers
/// fails the test; the longest match counts.
pub(super) const MAY_NAME: &[(&str, &[&str])] = &[
    ("lib", &["*"]),
    // The ground: names nothing but the errors of settings.
    ("clock", &[]),
    ("detail", &[]),
    ("error", &[]),
    ("ids", &[]),
    ("instance", &["error"]),
    ("meter", &[]),
    ("origin", &["error"]),
    ("secret", &["error"]),
    ("sampling", &[]),
    ("trace", &[]),
    ("http_client", &["error", "secret"]),
    (
        "config",
        &[
            "error",
            "ids",
            "instance",
            "secret",
            "http_client",
            "session",
            "session/keys",
            "session/verify",
        ],
    ),
    // Flow 1, from the ground up.
    ("session/mod", &["session"]),
    ("session/error", &[]),
    ("session/extract", &["session/error"]),
    ("session/json", &[]),
    ("session/parse", &["session/error", "session/json"]),
    ("session/public_key", &["error"]),
    ("session/window", &[]),
    ("session/claims", &["session/error", "session/json"]),
    ("session/session", &["clock", "session/claims", "session/public_key", "session/window"]),
    ("session/cache", &["session/claims", "session/session"]),
    (
        "session/keys",
        &[
            "clock",
            "error",
            "http_client",
            "meter",
            "secret",
            "session/json",
            "session/public_key",
            "trace",
        ],
    ),
    (
        "session/verify",
        &[
            "clock",
            "error",
            "instance",
            "meter",
            "origin",
            "session/cache",
            "session/claims",
            "session/error",
            "session/keys",
            "session/parse",
            "session/public_key",
            "session/session",
            "session/window",
            "trace",
        ],
    ),
    ("session/body", &[]),
    ("session/reject", &["detail", "session/error"]),
    (
        "session/gate",
        &[
            "clock",
            "meter",
            "sampling",
            "session/error",
            "session/extract",
            "session/reject",
            "session/session",
            "session/verify",
            "trace",
        ],
    ),
    ("session/future", &["session/body", "session/gate", "session/verify"]),
    ("session/service", &["session/body", "session/future", "session/gate", "session/verify"]),
    (
        "session/layer",
        &["session/gate", "session/reject", "session/service", "session/verify", "trace"],
    ),
    // Flow 2, from the ground up.
    ("webhook/mod", &["webhook"]),
    ("webhook/error", &[]),
    ("webhook/future", &[]),
    ("webhook/headers", &["webhook/error"]),
    ("webhook/body", &["webhook/error"]),
    ("webhook/event", &["ids", "meter"]),
    (
        "webhook/verify",
        &["clock", "error", "ids", "secret", "webhook/error", "webhook/event", "webhook/headers"],
    ),
    ("webhook/sink", &["webhook/error", "webhook/verify"]),
    (
        "webhook/taken",
        &["meter", "webhook/error", "webhook/event", "webhook/sink", "webhook/verify"],
    ),
    ("webhook/instance", &["clock", "ids", "meter", "sampling", "trace", "webhook/verify"]),
    ("webhook/respond", &["detail", "webhook/error"]),
    ("webhook/refusals", &["clock", "meter", "sampling", "trace", "webhook/error"]),
    (
        "webhook/service",
        &[
            "clock",
            "error",
            "secret",
            "trace",
            "webhook/body",
            "webhook/error",
            "webhook/future",
            "webhook/headers",
            "webhook/instance",
            "webhook/refusals",
            "webhook/respond",
            "webhook/sink",
            "webhook/taken",
            "webhook/verify",
        ],
    ),
    // Flow 3, from the ground up.
    ("backfill/mod", &["backfill"]),
    ("backfill/target", &["webhook"]),
    ("backfill/error", &["webhook"]),
    ("backfill/progress", &["backfill/target"]),
    ("backfill/retry", &["trace", "webhook"]),
    ("backfill/page", &["ids", "webhook"]),
    (
        "backfill/api",
        &[
            "backfill/error",
            "backfill/page",
            "backfill/retry",
            "error",
            "http_client",
            "ids",
            "secret",
            "trace",
        ],
    ),
    (
        "backfill/walk",
        &["backfill/api", "backfill/error", "backfill/page", "backfill/target", "trace"],
    ),
    (
        "backfill/run",
        &[
            "backfill/api",
            "backfill/error",
            "backfill/progress",
            "backfill/retry",
            "backfill/target",
            "backfill/walk",
            "clock",
            "trace",
            "webhook",
        ],
    ),
    (
        "backfill/reconcile",
        &[
            "backfill/api",
            "backfill/error",
            "backfill/progress",
            "backfill/run",
            "backfill/target",
            "backfill/walk",
            "ids",
            "trace",
            "webhook",
        ],
    ),
    ("sync", &["ids", "webhook/event"]),
    ("sea_orm", &["backfill", "clock", "error", "ids", "meter", "sync", "trace", "webhook"]),
    // Adapters.
    ("axum", &["detail", "session", "trace"]),
    ("tonic", &["session", "trace"]),
    // Nobody names these.
    ("test_util", &["*"]),
];

/// A package of this repository, and whom it may name.
pub(super) struct Package {
    pub(super) folder: &'static str,
    pub(super) name: &'static str,
    /// The packages that it may name, each with the files that may do so.
    pub(super) may_name: &'static [(&'static str, &'static [&'static str])],
}

pub(super) const PACKAGES: &[Package] = &[
    Package { folder: ".", name: "tower-clerk", may_name: &[] },
    Package { folder: "examples/serving", name: "serving", may_name: &[("tower-clerk", &["*"])] },
    Package {
        folder: "examples/dev_clerk",
        name: "dev-clerk",
        may_name: &[("tower-clerk", &["*"])],
    },
    Package {
        folder: "examples/scheduled_posts",
        name: "scheduled-posts",
        may_name: &[("dev-clerk", &["stand_in"]), ("serving", &["*"]), ("tower-clerk", &["*"])],
    },
];
