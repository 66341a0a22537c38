//! What `--help` says about the environment. Text only.

macro_rules! common {
    () => {
        "
  DATABASE_URL     postgres://…, mysql://… or sqlite:… [sqlite://scheduled-posts.db?mode=rwc]
  RUST_LOG         log filter                          [info]
  LOG_FORMAT       pretty or json                      [pretty]"
    };
}

macro_rules! serve {
    () => {
        concat!(
            "
  HOST, PORT       where to listen                     [127.0.0.1, 8002]",
            common!(),
            "
  TLS_CERT, TLS_KEY      PEM files: serve HTTPS; read again every minute and on SIGHUP
  HTTP_REDIRECT_PORT     also listen here, and send plain HTTP to HTTPS
  CORS_ALLOWED_ORIGINS   origins separated by commas   [http://localhost:3000]
  RATE_LIMIT       of each user: 10/second, 600/minute, 100/hour or off
                                                       [100/hour; off with the dev Clerk]
  ADDRESS_RATE_LIMIT     of each address, before its token is looked at       [600/minute]
  TRUSTED_PROXIES  addresses and networks whose X-Forwarded-For is believed   [none]
  REDIS_URL        redis://… or rediss://… where several instances count requests together
  AUTH_PHASE       1, 2: user_id is trusted; 3: verified tokens only [3]
  ALLOW_UNVERIFIED_USERS yes lets phases 1 and 2 run with pk_live_ keys
  METRICS_ADDR     where to serve /metrics, for example 127.0.0.1:9002
  CLERK_PUBLISHABLE_KEY  pk_test_… or pk_live_…; also NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY
  CLERK_ISSUER, CLERK_JWKS_URL   override what the publishable key gives
  CLERK_JWT_KEY    PEM public key instead of a JWKS URL
  CLERK_AUTHORIZED_PARTIES       origins that azp must be one of
  CLERK_WEBHOOK_SIGNING_SECRET   whsec_…; several separated by spaces; also CLERK_WEBHOOK_SECRET
  CLERK_SECRET_KEY, CLERK_API_URL   the Backend API
  OPENAI_BASE_URL, OPENAI_API_KEY, OPENAI_MODEL   the chat service behind generate-ai
  DEV_CLERK_PORT   where the dev Clerk listens         [8003]
With no CLERK_ variable at all and HOST on loopback, a dev Clerk stands in for Clerk."
        )
    };
}

macro_rules! dev_clerk {
    () => {
        concat!(
            "
  DEV_CLERK_PORT   where to listen, on 127.0.0.1       [8003]
  HOST, PORT       the server that gets the webhooks   [127.0.0.1, 8002]",
            common!(),
            "
Users and keys are kept in <name of the SQLite file>.dev-clerk.json beside it, or in
scheduled-posts.dev-clerk.json in the working directory."
        )
    };
}

macro_rules! backfill {
    () => {
        concat!(
            "
  CLERK_SECRET_KEY sk_test_… or sk_live_… of the instance whose users are asked for
  CLERK_API_URL    the Backend API                     [https://api.clerk.com]",
            common!()
        )
    };
}

pub(super) const ABOUT_BACKFILL: &str = "\
Bring all of Clerk's users into the database, or see how the two differ.

Without an option: asks Clerk's Backend API for all users and writes those who are missing here or
newer there; nobody is removed. Servers may run meanwhile, and take webhooks in. Stop it whenever
you like (Ctrl-C, SIGTERM, even SIGKILL): the next run goes on after the last page that was written.
Creates or updates the tables first, as `serve` does; --dry-run does not.

Removing is only for a database that was wholly filled from this very Clerk instance, and goes by
two looks: Clerk must leave a user out of its list, and then say of each that there is none.";
pub(super) const BACKFILL: &str = concat!(
    "Environment:",
    backfill!(),
    "
To ask the dev Clerk: start `scheduled-posts dev-clerk`, and evaluate the lines that it prints.

Exit codes: 0 done, and with --dry-run no difference; 1 failed or stopped; 2 the configuration or
the command line cannot be used; 3 --dry-run found differences."
);
pub(super) const ABOUT_DOCTOR: &str = "\
Look whether everything fits together, and say what to do about what does not.

Reads the same environment as `serve`, asks Clerk's two APIs and the database, and changes nothing.
It never shows a secret, a token or an e-mail address. Works beside a running server.";
pub(super) const DOCTOR: &str = "\
Environment: that of serve, see `scheduled-posts serve --help`.

Exit codes: 0 nothing failed, warnings are allowed; 1 something failed.";
pub(super) const SERVE: &str = concat!("Environment:", serve!());
pub(super) const DEV_CLERK: &str = concat!("Environment:", dev_clerk!());
pub(super) const MIGRATE: &str = concat!("Environment:", common!());
pub(super) const ALL: &str = concat!(
    "Environment of serve:",
    serve!(),
    "\n\nEnvironment of dev-clerk:",
    dev_clerk!(),
    "\n\nEnvironment of backfill:",
    backfill!(),
    "\n\nEnvironment of migrate:",
    common!(),
    "\n\nA .env file in the working directory is read too; the process's own environment wins.\n\
     A variable that is empty counts as unset."
);
