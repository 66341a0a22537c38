//! The limit on open files of this process, which limits its connections.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use serving::Limits;

/// Raises the limit as far as the system allows, and logs a warning when it is too low for the
/// configured number of connections.
pub(crate) fn raise() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    // None means that there is no limit.
    let Some(now) = current else { return };
    let wanted = (Limits::default().connections as u64).saturating_add(BESIDE_CONNECTIONS);
    if now >= wanted {
        return;
    }
    let goal = maximum.map_or(wanted, |maximum| maximum.min(wanted));
    let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(goal), maximum }).is_ok();
    if !raised || goal < wanted {
        tracing::warn!(
            "this process may open {} files, but may need {wanted}; raise the limit (`ulimit -n`, \
             or LimitNOFILE of its service)",
            if raised { goal } else { now }
        );
    }
}

/// The files for the database, keys, the log and everything else.
const BESIDE_CONNECTIONS: u64 = 256;
