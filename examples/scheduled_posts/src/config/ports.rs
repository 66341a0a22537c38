//! Ports that one process would listen on twice, found before it listens on any.

use crate::config::env::Env;

/// The ports that the process will listen on.
#[derive(Default)]
pub(super) struct UsedPorts(Vec<UsedPort>);

struct UsedPort {
    /// The variable that sets the port.
    variable: &'static str,
    port: u16,
}

impl UsedPorts {
    /// Notes that the process will listen on `port`, which `variable` sets.
    pub(super) fn add(&mut self, variable: &'static str, port: u16) {
        self.0.push(UsedPort { variable, port });
    }

    /// Returns an error for each two listeners with the same port, whatever their addresses.
    /// `errors` are those of other settings.
    pub(super) fn clashes(&self, env: &Env, errors: &[String]) -> Vec<String> {
        // A port that cannot be used has an error already and is replaced by the default.
        let can_be_used = |used: &&UsedPort| {
            let about_it = format!("{}: ", used.variable);
            !errors.iter().any(|error| error.starts_with(&about_it))
        };
        let mut rest: Vec<&UsedPort> = self.0.iter().filter(can_be_used).collect();
        let mut clashes = Vec::new();
        while let Some(later) = rest.pop() {
            let same = rest.iter().filter(|used| used.port == later.port);
            clashes.extend(same.map(|earlier| clash(env, earlier.variable, later.variable)));
        }
        clashes
    }
}

/// Returns the error for two listeners. It names first the variable that the operator has set, and
/// `later` if both are set.
fn clash(env: &Env, earlier: &str, later: &str) -> String {
    let is_set = |variable| env.get(variable).is_some();
    let (wrong, other) = if is_set(later) { (later, earlier) } else { (earlier, later) };
    let by_default = if is_set(other) { "" } else { " by default" };
    format!(
        "{wrong}: is the port that {other} has{by_default}, and no two listeners can have the \
         same; set {wrong} or {other} to another port"
    )
}
