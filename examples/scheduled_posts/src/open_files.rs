//! How many files this process may have open, which is how many connections it can have.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use serving::Limits;

/// Raises the limit as far as the system lets this process, and says so when it is too low for as
/// many connections as are allowed otherwise.
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
            "this process may open {} files, which is less than the {wanted} that it could use; \
             raise the limit (`ulimit -n`, or LimitNOFILE of its service)",
            if raised { goal } else { now }
        );
    }
}

/// The database, keys, log, and what else is open.
const BESIDE_CONNECTIONS: u64 = 256;
