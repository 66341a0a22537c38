//! `serve`: starts the parts of the server, and stops them when the process is told to stop.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use sea_orm::DatabaseConnection;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tower_clerk::ConfigError;
use tower_clerk::config::ClerkConfig;
use tower_clerk::sea_orm::SeaOrmSink;
use tower_clerk::session::Verifier;
use tower_clerk::webhook::OwnInstance;

use crate::access::Access;
use crate::ai::Ai;
use crate::app::app;
use crate::cli::failure::{Failure, database_failure};
use crate::cli::logging::Log;
use crate::cli::{answer, dev_clerk, listening};
use crate::config::{AuthPhase, Clerk, Common, Env, ServeConfig, TlsConfig};
use crate::limits::Limits;
use crate::open_files;
use crate::own_instance;
use crate::page_config::PageConfig;
use crate::phases::{self, KnownHosts};
use crate::redirect;
use crate::signals;
use crate::stand_in::{Place, StandIn};
use crate::state::{AppState, Stopping};
use crate::store::{self, Store};
use crate::telemetry;
use crate::upkeep;
use crate::webhook;
use serving::tls::Tls;
use serving::{Lines, Server};

pub(super) async fn run(env: &Env, log: &Log) -> Result<(), Failure> {
    let ServeConfig {
        common,
        listen,
        cors,
        hosts,
        limits,
        phase,
        metrics,
        clerk,
        access,
        dead_letters,
        lockouts,
        ai,
        tls,
    } = ServeConfig::read(env)?;
    log.start(&common);
    open_files::raise();
    let db = store::connect(&common.database_url).await;
    let db = db.map_err(|error| database_failure(&error))?;
    store::migrate(&db).await.map_err(|error| database_failure(&error))?;
    let listener = listening::SERVER.listen(listen).await?;
    let url = format!("{}://{listen}", if tls.is_some() { "https" } else { "http" });
    let (tls, redirect) = match tls {
        Some(tls) => start_tls(tls, listen.port()).await?,
        None => (None, None),
    };
    let metrics = match metrics {
        Some(address) => {
            Some(start_metrics(address, db.pool().clone(), log.lines().clone()).await?)
        }
        None => None,
    };
    let (clerk, dev_clerk) = match clerk {
        Clerk::Real(clerk) => (*clerk, None),
        Clerk::Dev(place) => {
            let (clerk, dev_clerk) = stand_in(&url, &place).await?;
            (clerk, Some(dev_clerk))
        }
    };

    let ai = ai.as_ref().map(Ai::new).transpose();
    let ai = ai.map_err(|_| Failure::Start(NO_TLS.to_owned()))?;

    let stopping = Stopping::default();
    let users = db.users().map_err(|error| Failure::Start(error.to_string()))?;
    let users = if dead_letters { users } else { users.without_dead_letters() };
    let secrets = if phase.has_webhooks() { clerk.signing_secrets() } else { &[] };
    let (users, verifier) = guarded(users, &clerk, lockouts && !secrets.is_empty())?;
    let state = AppState {
        store: Store::new(db.clone(), &common.database_url),
        users: users.clone(),
        ai,
        page: Arc::new(PageConfig::of(&clerk)),
        stopping: stopping.clone(),
    };
    upkeep::start(users.clone());
    let own = if secrets.is_empty() { Ok(OwnInstance::new()) } else { own_instance::start(&clerk) };
    let hook = own.and_then(|own| webhook::service(users, secrets, own));
    let hook = hook.map_err(|error| Failure::Start(error.to_string()))?;
    announce(&url, redirect.as_ref(), &common, &clerk, dev_clerk.as_ref());
    tell_of_webhooks(phase, &clerk);
    let proxies = limits.proxies.clone();
    let limits = Limits::start(limits).await;
    if phase.trusts_user_id() && hosts.is_empty() && tls.is_none() {
        tracing::warn!(
            "ALLOWED_HOSTS is unset: in phases 1 and 2 requests for any other host than localhost \
             and 127.0.0.1 are refused with 421; set it to the names under which clients reach \
             this server"
        );
    }
    let hosts = KnownHosts::new(hosts, access.public_url.clone(), tls.clone());
    let access = Access::new(&access, &clerk, verifier.clone(), &cors.origins);
    let access = access.map_err(|error| Failure::Start(error.to_string()))?;
    if phase.trusts_user_id() && access.has_machines() {
        tracing::warn!("CLERK_ACCEPT has no effect in phases 1 and 2: only users may call");
    }
    let router = app(state, &access, phase, hook, &limits, cors, hosts);
    phases::announce(phase);
    if phase.trusts_user_id() {
        phases::fetch_keys(verifier);
        phases::start_reminding(phase);
    }

    let (stop, stopped) = watch::channel(false);
    let lines = log.lines().clone();
    tokio::spawn(async move {
        signals::stop_signal(&lines).await;
        tracing::info!("told to stop: finishing requests in flight");
        stopping.begin();
        // Load balancers that check `/readyz` in this time send no more requests.
        tokio::time::sleep(BEFORE_CLOSING).await;
        // There is no receiver when serving has ended already.
        let _ = stop.send(true);
    });
    let stand_in = dev_clerk
        .map(|clerk| tokio::spawn(serving::serve(clerk.listener, clerk.router, stopped.clone())));
    let metrics = metrics
        .map(|(listener, router)| tokio::spawn(serving::serve(listener, router, stopped.clone())));
    let redirect =
        redirect.map(|at| tokio::spawn(serving::serve(at.listener, at.router, stopped.clone())));
    Server::new(router)
        .tls(tls)
        .trusting(move |peer| proxies.contain(peer))
        .run(listener, stopped)
        .await;
    for beside in [stand_in, redirect, metrics].into_iter().flatten() {
        beside.abort();
    }
    // All answers are sent, so a failed or slow end of the database changes nothing.
    let _ = tokio::time::timeout(FAREWELL, db.pool().clone().close()).await;
    tracing::info!("stopped");
    Ok(())
}

/// Returns the sink and the verifier, with lock-outs between them if they are wanted.
fn guarded(
    users: SeaOrmSink,
    clerk: &ClerkConfig,
    with_lockouts: bool,
) -> Result<(SeaOrmSink, Verifier), Failure> {
    let failure = |error: ConfigError| Failure::Start(error.to_string());
    let verifier = clerk.verifier_builder().map_err(failure)?;
    if !with_lockouts {
        return Ok((users, verifier.build().map_err(failure)?));
    }
    let (users, lockouts) = users.with_lockouts();
    Ok((users, verifier.lockouts(&lockouts).build().map_err(failure)?))
}

/// A listener for plain HTTP that redirects every request to HTTPS.
struct Redirect {
    listener: TcpListener,
    router: Router,
    at: SocketAddr,
}

/// Starts watching the certificate's files, and opens the listener of the redirect.
async fn start_tls(
    tls: TlsConfig,
    https_port: u16,
) -> Result<(Option<Tls>, Option<Redirect>), Failure> {
    let TlsConfig { files, certificate, redirect } = tls;
    let tls = Tls::start(files, certificate);
    let Some(at) = redirect else { return Ok((Some(tls), None)) };
    let listener = listening::REDIRECT.listen(at).await?;
    let router = redirect::router(https_port, tls.clone());
    Ok((Some(tls), Some(Redirect { listener, router, at })))
}

/// Starts counting, and returns the listener and the router of `/metrics`.
async fn start_metrics(
    address: SocketAddr,
    db: DatabaseConnection,
    log: Lines,
) -> Result<(TcpListener, Router), Failure> {
    let listener = listening::METRICS.listen(address).await?;
    let handle = telemetry::start().map_err(|error| Failure::Start(error.to_string()))?;
    tracing::info!("/metrics is on http://{address}, without access control");
    Ok((listener, telemetry::router(handle, db, log)))
}

/// Starts the stand-in, and reads its variables as if an operator had set them.
async fn stand_in(server: &str, place: &Place) -> Result<(ClerkConfig, StandIn), Failure> {
    let dev_clerk = place.start(&format!("{server}{}", webhook::PATH)).await;
    let dev_clerk = dev_clerk.map_err(|error| dev_clerk::failure(place, error))?;
    let variable = |wanted: &str| {
        let mut variables = dev_clerk.variables.iter();
        variables.find(|(name, _)| *name == wanted).map(|(_, value)| value.clone())
    };
    let clerk = ClerkConfig::from_vars(variable)
        .map_err(|errors| Failure::Start(format!("the dev Clerk's settings: {errors}")))?;
    Ok((clerk, dev_clerk))
}

const NO_TLS: &str =
    "OPENAI_BASE_URL: TLS cannot be set up; install the system's root certificates";
/// The time between the first 503 of `/readyz` and the end of the listener.
const BEFORE_CLOSING: Duration = Duration::from_secs(1);
/// The time for connections to the database to end.
const FAREWELL: Duration = Duration::from_millis(500);

fn announce(
    url: &str,
    redirect: Option<&Redirect>,
    common: &Common,
    clerk: &ClerkConfig,
    dev_clerk: Option<&StandIn>,
) {
    let database = common.database_url.kind();
    let mut text = format!("Scheduled posts on {url} (data in {database})");
    if let Some(redirect) = redirect {
        let _ = write!(text, "\n  Plain HTTP on port {} is redirected there.", redirect.at.port());
    }
    match dev_clerk {
        None => {
            let _ = write!(text, "\n  Clerk: {}", clerk.issuer());
        }
        Some(dev_clerk) => {
            let key = clerk.secret_key().map(|key| key.expose()).unwrap_or_default();
            let dev = &dev_clerk.url;
            let program = std::env::args().next().unwrap_or_else(|| "scheduled-posts".to_owned());
            let _ = write!(
                text,
                r#"
  No CLERK_ variable is set: the dev Clerk on {dev} stands in for Clerk.
  In a browser: open {url} and sign up; {dev}/dev shows the webhooks and replays them.
  In a shell, with jq:
    KEY='Authorization: Bearer {key}'
    USER_ID=$(curl -s {dev}/v1/users -H "$KEY" -d '{{"email_address":["me@example.com"]}}' | jq -r .id)
    SESSION=$(curl -s {dev}/v1/sessions -H "$KEY" -d "{{\"user_id\":\"$USER_ID\"}}" | jq -r .id)
    TOKEN=$(curl -s -X POST {dev}/v1/sessions/$SESSION/tokens -H "$KEY" | jq -r .jwt)
    curl -s {url}/api/me -H "Authorization: Bearer $TOKEN"
  All users again, from the Backend API, for webhooks that were lost:
    CLERK_SECRET_KEY={key} CLERK_API_URL={dev} {program} backfill"#
            );
        }
    }
    answer::announce(&format!("{text}\n"));
    if dev_clerk.is_none() && !clerk.has_authorized_parties() {
        tracing::warn!(
            "CLERK_AUTHORIZED_PARTIES is unset: tokens made for any site of this Clerk instance \
             are accepted; set it to your front end's origins"
        );
    }
}

fn tell_of_webhooks(phase: AuthPhase, clerk: &ClerkConfig) {
    if !phase.has_webhooks() {
        tracing::warn!(
            "AUTH_PHASE is 1: the webhook route answers 404, and users are not synced; set 2 once \
             the endpoint is set up in Clerk's Dashboard"
        );
    } else if clerk.signing_secrets().is_empty() {
        tracing::warn!(
            "CLERK_WEBHOOK_SIGNING_SECRET is unset: the webhook route answers 404, and users are \
             not synced; set it to the whsec_… of the endpoint in Clerk's Dashboard"
        );
    }
}
