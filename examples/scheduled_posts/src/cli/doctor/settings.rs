//! The variables, each by itself. Sends no requests.

use tower_clerk::config::ClerkConfig;

use crate::cli::doctor::check::Check;
use crate::cli::doctor::facts::{Facts, Problem};

/// Checks the environment as a whole, webhooks, CORS and the phase.
pub(super) fn checks(facts: &Facts) -> Vec<Check> {
    let others = |problem: &&Problem| !ELSEWHERE.contains(&&*problem.variable);
    let mut checks: Vec<Check> =
        facts.problems.iter().filter(others).map(|problem| unusable("settings", problem)).collect();
    if checks.is_empty() && facts.stand_in {
        checks.push(Check::ok(
            "settings",
            "no CLERK_ variable is set: the dev Clerk stands in for Clerk, on this machine only",
        ));
    } else if checks.is_empty() {
        let others = if facts.problems.is_empty() { "each variable" } else { "each of the others" };
        checks.push(Check::ok("settings", format!("{others} can be used by itself")));
    }
    checks.push(webhook_secret(facts));
    checks.push(cors_origins(facts));
    checks.push(auth_phase(facts));
    checks
}

/// Returns the check for a `.env` that cannot be read, which prevents all other checks.
pub(super) fn unreadable(error: &str) -> Check {
    Check::fail("settings", error, "correct the file, or move it away; nothing else was checked")
}

/// Returns the check for a variable that cannot be used.
pub(super) fn unusable(name: &'static str, problem: &Problem) -> Check {
    let Problem { variable, text } = problem;
    let what = format!("{variable}: {text}");
    Check::fail(name, what, format!("correct {variable}; until then the server does not start"))
}

fn webhook_secret(facts: &Facts) -> Check {
    if let Some(problem) = facts.problem_with(&WEBHOOK_SECRET) {
        return unusable("webhook_secret", problem);
    }
    if facts.config.as_ref().is_some_and(|config| !config.phase.has_webhooks()) {
        return Check::skipped("webhook_secret", "AUTH_PHASE is 1: there are no webhooks yet");
    }
    match facts.clerk().map(ClerkConfig::signing_secrets) {
        None if facts.stand_in => Check::ok("webhook_secret", "the dev Clerk's own"),
        None => Check::skipped("webhook_secret", "the settings of Clerk cannot be used"),
        Some([]) => Check::warn(
            "webhook_secret",
            "CLERK_WEBHOOK_SIGNING_SECRET is unset: the webhook route answers 404, and users are \
             not synced",
            "set it to the whsec_… of the endpoint in Clerk's Dashboard, under Webhooks",
        ),
        Some([_]) => Check::ok("webhook_secret", "well formed"),
        Some(several) => Check::ok(
            "webhook_secret",
            format!("{} secrets, each well formed; remove the old one later", several.len()),
        ),
    }
}

fn cors_origins(facts: &Facts) -> Check {
    if let Some(problem) = facts.problem_with(&[CORS]) {
        return unusable("cors_origins", problem);
    }
    let Some(config) = &facts.config else {
        return Check::skipped("cors_origins", "other settings cannot be used");
    };
    match config.cors.origins.len() {
        0 => Check::ok("cors_origins", "none: pages of other origins cannot call this server"),
        _ if !facts.is_set(CORS) && facts.is_live() => Check::warn(
            "cors_origins",
            "CORS_ALLOWED_ORIGINS is unset: only pages on http://localhost:3000 may call this \
             server",
            "set it to the origins of your front end, for example https://app.example.com",
        ),
        1 => Check::ok("cors_origins", "1 origin"),
        count => Check::ok("cors_origins", format!("{count} origins")),
    }
}

fn auth_phase(facts: &Facts) -> Check {
    const NAME: &str = "auth_phase";
    if let Some(problem) = facts.problem_with(&[PHASE]) {
        return unusable(NAME, problem);
    }
    let Some(config) = &facts.config else {
        return Check::skipped(NAME, "other settings cannot be used");
    };
    let number = config.phase.number();
    match (config.phase.trusts_user_id(), facts.is_live()) {
        (false, _) => Check::ok(NAME, "3: verified tokens only"),
        (true, true) => Check::warn(
            NAME,
            format!(
                "AUTH_PHASE is {number} with production keys: any client can read and write as \
                 any user by naming a user_id"
            ),
            "watch auth_phase_3_verdicts_total in /metrics, and set 3 as soon as it counts no \
             further request that would be refused",
        ),
        (true, false) => Check::warn(
            NAME,
            format!("AUTH_PHASE is {number}: a client that names a user_id acts as that user"),
            "unset it, or set 3, unless clients are being migrated at the moment",
        ),
    }
}

const WEBHOOK_SECRET: [&str; 2] = ["CLERK_WEBHOOK_SIGNING_SECRET", "CLERK_WEBHOOK_SECRET"];
const CORS: &str = "CORS_ALLOWED_ORIGINS";
const PHASE: &str = "AUTH_PHASE";

/// The variables that have their own checks.
const ELSEWHERE: [&str; 5] = [WEBHOOK_SECRET[0], WEBHOOK_SECRET[1], CORS, PHASE, "DATABASE_URL"];
