//! Tokens in other places than `Authorization`, at the level of the layer.

use std::borrow::Cow;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use tower::{Layer, ServiceExt};
use tower_clerk::clock::{Clock as _, SystemClock};
use tower_clerk::session::keys::RemoteKeys;
use tower_clerk::session::source::{
    Bearer, Query, RequestHead, SessionCookies, Subprotocol, TokenSource, TokenSources,
};
use tower_clerk::session::{
    AuthError, AuthErrorKind, ClerkAuthLayer, GrpcResponder, Refusal, Session, StaticKeys, Verifier,
};
use tower_clerk::test_util::Issuer;
use tower_clerk::{Origin, PublishableKey};

use crate::support::servers::{Answer, ISS, JwksServer, issuer};

/// The key of the instance of [`ISS`], and the suffix of its cookies.
pub(super) fn key() -> PublishableKey {
    let host = ISS.strip_prefix("https://").unwrap();
    let text = format!("pk_live_{}", STANDARD_NO_PAD.encode(format!("{host}$")));
    PublishableKey::parse(&text).unwrap()
}

pub(super) fn suffix() -> String {
    let debug = format!("{:?}", SessionCookies::new(&key()));
    let (_, after) = debug.split_once("__session_").unwrap();
    after.chars().take(8).collect()
}

pub(super) fn verifier(issuer: &Issuer) -> Verifier {
    let keys = StaticKeys::from_jwks(&issuer.jwks().to_string()).unwrap();
    Verifier::builder(ISS, keys).build().unwrap()
}

fn layer(issuer: &Issuer, sources: TokenSources) -> ClerkAuthLayer {
    ClerkAuthLayer::new(verifier(issuer)).sources(sources)
}

fn cookies(issuer: &Issuer) -> ClerkAuthLayer {
    let sources = TokenSources::first(Bearer::new()).then(SessionCookies::new(&key()));
    layer(issuer, sources)
}

fn ago(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(now() - seconds)
}

fn now() -> u64 {
    SystemClock::new().now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// What a client and the handler behind the layer have seen.
#[derive(Debug)]
struct Seen {
    status: u16,
    kind: Option<AuthErrorKind>,
    body: String,
    headers: http::HeaderMap,
}

/// Sends a request through a layer to a handler that writes whom and what it saw.
async fn send(layer: ClerkAuthLayer, method: &str, uri: &str, headers: &[(&str, &str)]) -> Seen {
    let handler = tower::service_fn(|request: Request<Empty<Bytes>>| async move {
        let extensions = request.extensions();
        let user = extensions.get::<Session>().map_or("nobody", Session::user_id).to_owned();
        let reported = extensions.get::<AuthError>().map(AuthError::kind);
        let offered = request.headers().get("sec-websocket-protocol");
        let offered = offered.map_or("", |value| value.to_str().unwrap());
        let reported = reported.map_or(String::new(), |kind| format!(" reported {kind:?}"));
        let body = format!("{user} {} {offered}{reported}", request.uri());
        Ok::<_, Infallible>(Response::new(body.trim_end().to_owned()))
    });
    let builder = Request::builder().method(method).uri(uri);
    let builder =
        headers.iter().fold(builder, |builder, (name, value)| builder.header(*name, *value));
    let request = builder.body(Empty::new()).unwrap();
    let response = layer.layer(handler).oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Seen {
        status: parts.status.as_u16(),
        kind: parts.extensions.get::<AuthError>().map(AuthError::kind),
        body: String::from_utf8(body.to_vec()).unwrap(),
        headers: parts.headers,
    }
}

#[tokio::test]
async fn a_session_cookie_counts_with_the_time_of_its_sign_in() {
    let issuer = issuer();
    let (good, suffix) = (issuer.token("user_1").mint(), suffix());
    let earlier = now() - 10;
    let plain = format!("__session={good}; __client_uat={earlier}");
    let suffixed = format!("__session_{suffix}={good}; __client_uat_{suffix}={earlier}");
    let escaped = format!("__session={}; __client_uat={earlier}", good.replace('.', "%2E"));
    for cookie in [plain, suffixed, escaped] {
        let seen = send(cookies(&issuer), "GET", "/", &[("cookie", &cookie)]).await;
        assert_eq!((seen.status, &*seen.body), (200, "user_1 /"), "{cookie}");
    }
}

#[tokio::test]
async fn what_clerk_answers_by_a_handshake_is_no_credentials() {
    let issuer = issuer();
    let (good, suffix) = (issuer.token("user_1").mint(), suffix());
    let later = now() + 10;
    for cookie in [
        // Row 4: nobody has ever signed in, or has signed out.
        "a=b".to_owned(),
        "__client_uat=0".to_owned(),
        // Row 5: a session without the time of its sign-in, or after a sign-out.
        format!("__session={good}"),
        format!("__session={good}; __client_uat=0"),
        format!("__session={good}; __client_uat=abc"),
        // Row 6: signed in, and the session cookie has gone.
        "__client_uat=1".to_owned(),
        format!("__session_{suffix}=; __client_uat_{suffix}=1"),
        // Row 9: a session from before the sign-in.
        format!("__session={good}; __client_uat={later}"),
        // Those of another instance.
        format!("__session_AAAAAAAA={good}; __client_uat_AAAAAAAA=1"),
        // No cookie makes up for one that was decided against.
        format!("__session={good}; __client_uat_{suffix}=1; __client_uat=0"),
    ] {
        let headers = [("cookie", &*cookie)];
        let seen = send(cookies(&issuer), "POST", "/", &headers).await;
        assert_eq!(seen.status, 401, "{cookie}");
        assert_eq!(seen.kind, Some(AuthErrorKind::MissingCredentials), "{cookie}");
        let seen = send(cookies(&issuer).optional(), "POST", "/", &headers).await;
        assert_eq!((seen.status, &*seen.body), (200, "nobody /"), "{cookie}");
    }
}

#[tokio::test]
async fn a_cookie_that_counts_is_judged_as_any_token() {
    let issuer = issuer();
    let forged = issuer.rotated("ins_1").token("user_1").mint();
    let template = issuer.token("user_1").header("cat", "cl_B7d4PD222AAA").mint();
    let expired = issuer.token("user_1").issued_at(ago(600)).mint();
    let long = "x".repeat(9000);
    for (token, kind) in [
        ("x", AuthErrorKind::Malformed),
        ("\"a.b.c\"", AuthErrorKind::Malformed),
        (&*forged, AuthErrorKind::BadSignature),
        (&*template, AuthErrorKind::WrongTokenType),
        (&*expired, AuthErrorKind::Expired),
        (&*long, AuthErrorKind::TooLarge),
    ] {
        let cookie = format!("__session={token}; __client_uat=1");
        for layer in [cookies(&issuer), cookies(&issuer).optional()] {
            let seen = send(layer, "GET", "/", &[("cookie", &cookie)]).await;
            assert_eq!((seen.status, seen.kind), (401, Some(kind)), "{kind:?}");
        }
    }
    let verifier = {
        let keys = StaticKeys::from_jwks(&issuer.jwks().to_string()).unwrap();
        let builder = Verifier::builder(ISS, keys).authorized_parties(["https://app.example.com"]);
        builder.build().unwrap()
    };
    let layer =
        ClerkAuthLayer::new(verifier).sources(TokenSources::first(SessionCookies::new(&key())));
    let cookie = format!("__session={}; __client_uat=1", issuer.token("user_1").mint());
    let seen = send(layer, "GET", "/", &[("cookie", &cookie)]).await;
    assert_eq!(seen.kind, Some(AuthErrorKind::AuthorizedPartyMissing));
}

#[tokio::test]
async fn an_expired_cookie_is_anonymous_only_where_that_was_asked_for() {
    let issuer = issuer();
    let expired = issuer.token("user_1").issued_at(ago(600)).mint();
    let cookie = format!("__session={expired}; __client_uat=1");
    let bearer = format!("Bearer {expired}");
    let lenient = || {
        let source = SessionCookies::new(&key()).expired_is_anonymous();
        layer(&issuer, TokenSources::first(Bearer::new()).then(source))
    };
    let headers = [("cookie", &*cookie)];
    assert_eq!(send(lenient().optional(), "GET", "/", &headers).await.body, "nobody /");
    assert_eq!(send(lenient(), "GET", "/", &headers).await.status, 401);
    assert_eq!(send(cookies(&issuer).optional(), "GET", "/", &headers).await.status, 401);
    let bearer = [("authorization", &*bearer), ("cookie", &*cookie)];
    assert_eq!(send(lenient().optional(), "GET", "/", &bearer).await.status, 401);
    let forged = issuer.rotated("ins_1").token("user_1").issued_at(ago(600)).mint();
    let forged = format!("__session={forged}; __client_uat=1");
    let seen = send(lenient().optional(), "GET", "/", &[("cookie", &forged)]).await;
    assert_eq!(seen.kind, Some(AuthErrorKind::BadSignature));
    // It is also not reported.
    let seen = send(lenient().optional().report_only(), "GET", "/", &headers).await;
    assert_eq!(seen.body, "nobody /");
    let seen = send(lenient().report_only(), "GET", "/", &headers).await;
    assert_eq!(seen.body, "nobody /  reported Expired");
}

#[tokio::test]
async fn with_any_authorization_header_no_cookie_is_looked_at() {
    let issuer = issuer();
    let cookie = format!("__session={}; __client_uat=1", issuer.token("user_1").mint());
    let only_cookies = || layer(&issuer, TokenSources::first(SessionCookies::new(&key())));
    let cookies_first = || {
        let sources = TokenSources::first(SessionCookies::new(&key())).then(Bearer::new());
        layer(&issuer, sources)
    };
    for (line, kind) in [
        ("", AuthErrorKind::MissingCredentials),
        ("Basic YTpi", AuthErrorKind::MissingCredentials),
        ("Bearer x", AuthErrorKind::Malformed),
        ("Bearer", AuthErrorKind::Malformed),
    ] {
        let headers = [("authorization", line), ("cookie", &*cookie)];
        for layer in [cookies(&issuer), cookies_first()] {
            let seen = send(layer, "GET", "/", &headers).await;
            assert_eq!((seen.status, seen.kind), (401, Some(kind)), "{line}");
        }
        let seen = send(only_cookies(), "GET", "/", &headers).await;
        assert_eq!(seen.kind, Some(AuthErrorKind::MissingCredentials), "{line}");
    }
    let seen = send(only_cookies(), "GET", "/", &[("cookie", &cookie)]).await;
    assert_eq!(seen.body, "user_1 /");
}

#[tokio::test]
async fn a_cookie_of_a_cross_site_request_is_refused_with_403() {
    let issuer = issuer();
    let cookie = format!("__session={}; __client_uat=1", issuer.token("user_1").mint());
    let host = ("host", "api.example.com");
    let with = |more: &[(&'static str, &'static str)]| {
        let own = [host, ("cookie", cookie.clone().leak() as &'static str)];
        own.into_iter().chain(more.iter().copied()).collect::<Vec<_>>()
    };
    let websocket = [("upgrade", "websocket"), ("connection", "upgrade")];
    for (method, more) in [
        ("POST", &[][..]),
        ("DELETE", &[("origin", "null")]),
        ("PATCH", &[("origin", "https://evil.example")]),
        ("POST", &[("sec-fetch-site", "same-site")]),
        ("GET", &websocket),
        ("CONNECT", &[]),
    ] {
        let headers = with(more);
        for layer in [cookies(&issuer), cookies(&issuer).optional()] {
            let seen = send(layer, method, "/", &headers).await;
            assert_eq!(seen.status, 403, "{method} {more:?}");
            assert_eq!(seen.body, r#"{"detail":"Cross-site request"}"#);
            assert_eq!(seen.kind, Some(AuthErrorKind::CrossSiteRequest));
            assert_eq!(seen.headers["cache-control"], "no-store");
            assert!(!seen.headers.contains_key("www-authenticate"));
        }
        let seen =
            send(cookies(&issuer).respond_with(GrpcResponder::new()), method, "/", &headers).await;
        assert_eq!(seen.headers["grpc-status"], "7");
        let seen = send(cookies(&issuer).report_only(), method, "/", &headers).await;
        assert_eq!(seen.body, "nobody /  reported CrossSiteRequest");
    }
    let refusal = Refusal::of(&AuthErrorKind::CrossSiteRequest.into());
    assert_eq!(refusal.code(), "cross_site_request");

    let allowed = || {
        let origins = [Origin::parse("https://app.example.com").unwrap()];
        let source = SessionCookies::new(&key()).allowed_origins(origins);
        layer(&issuer, TokenSources::first(source))
    };
    for (method, more) in [
        ("POST", &[("sec-fetch-site", "same-origin")][..]),
        ("POST", &[("origin", "https://api.example.com")]),
        ("POST", &[("origin", "https://app.example.com")]),
        ("GET", &[("upgrade", "websocket"), ("origin", "https://app.example.com")]),
        ("GET", &[]),
        ("GET", &[("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")]),
    ] {
        let seen = send(allowed(), method, "/", &with(more)).await;
        assert_eq!((seen.status, &*seen.body), (200, "user_1 /"), "{method} {more:?}");
    }
    // A bearer token is nothing that a browser adds by itself.
    let bearer = format!("Bearer {}", issuer.token("user_1").mint());
    let headers = [host, ("authorization", &*bearer), ("origin", "https://evil.example")];
    assert_eq!(send(cookies(&issuer), "POST", "/", &headers).await.body, "user_1 /");
    // Nor is there anything to refuse without a cookie that counts.
    let seen = send(cookies(&issuer), "POST", "/", &[host]).await;
    assert_eq!(seen.kind, Some(AuthErrorKind::MissingCredentials));
}

#[tokio::test]
async fn the_first_token_that_is_found_counts_even_if_a_later_one_is_good() {
    let issuer = issuer();
    let good = issuer.token("user_1").mint();
    let all = || {
        let sources = TokenSources::first(Bearer::new())
            .then(Subprotocol::new())
            .then(Query::named("token").unwrap())
            .then(SessionCookies::new(&key()));
        layer(&issuer, sources)
    };
    let (bearer, offered) = (format!("Bearer {good}"), format!("clerk.bearer, {good}"));
    let (uri, cookie) = (format!("/?token={good}"), format!("__session={good}; __client_uat=1"));
    let cookie = ("cookie", &*cookie);
    let bad = ("sec-websocket-protocol", "clerk.bearer, x");
    for (uri, headers) in [
        (
            &*uri,
            &[("authorization", "Bearer x"), ("sec-websocket-protocol", &*offered), cookie][..],
        ),
        (&*uri, &[bad, cookie]),
        (&*uri, &[("sec-websocket-protocol", "clerk.bearer"), cookie]),
        ("/?token=x", &[cookie]),
        ("/?token=", &[cookie]),
        (&*format!("/?token={good}&token={good}"), &[cookie]),
    ] {
        let seen = send(all(), "GET", uri, headers).await;
        assert_eq!((seen.status, seen.kind), (401, Some(AuthErrorKind::Malformed)), "{headers:?}");
    }
    for (uri, headers) in [
        ("/?token=x", &[("authorization", &*bearer), bad, ("cookie", "__session=x")][..]),
        ("/?token=x", &[("sec-websocket-protocol", &*offered), ("cookie", "__session=x")]),
        (&*uri, &[("cookie", "__session=x; __client_uat=1")]),
        (&*uri, &[("authorization", "Basic YTpi")]),
        ("/", &[cookie]),
    ] {
        let seen = send(all(), "GET", uri, headers).await;
        assert_eq!(seen.status, 200, "{uri} {headers:?}");
        assert!(seen.body.starts_with("user_1 / ") || seen.body == "user_1 /", "{}", seen.body);
        assert!(!seen.body.contains(&good));
    }
}

#[tokio::test]
async fn a_handler_sees_the_subprotocols_without_the_token() {
    let issuer = issuer();
    let sources = || TokenSources::first(Subprotocol::new());
    let offered = format!("clerk.bearer, {}, chat", issuer.token("user_1").mint());
    let headers = [("sec-websocket-protocol", &*offered), ("upgrade", "websocket")];
    let seen = send(layer(&issuer, sources()), "GET", "/", &headers).await;
    assert_eq!(seen.body, "user_1 / clerk.bearer, chat");
    let bad = [("sec-websocket-protocol", "clerk.bearer, x, chat")];
    let seen = send(layer(&issuer, sources()).report_only(), "GET", "/", &bad).await;
    assert_eq!(seen.body, "nobody / clerk.bearer, chat reported Malformed");
    let seen = send(layer(&issuer, sources()), "GET", "/", &[]).await;
    assert_eq!(seen.kind, Some(AuthErrorKind::MissingCredentials));
}

#[tokio::test]
async fn a_token_of_the_query_goes_no_further_and_its_answers_are_not_kept() {
    let issuer = issuer();
    let good = issuer.token("user_1").mint();
    let query = || {
        let refuse = |error: &AuthError, request: &http::request::Parts| {
            Refusal::of(error).response(format!("not at {}", request.uri).into())
        };
        let sources = TokenSources::first(Bearer::new()).then(Query::named("token").unwrap());
        layer(&issuer, sources).respond_with(refuse)
    };
    let closed = |seen: &Seen| {
        assert_eq!(seen.headers["cache-control"], "no-store", "{seen:?}");
        assert_eq!(seen.headers["referrer-policy"], "no-referrer", "{seen:?}");
    };
    let seen = send(query(), "GET", &format!("/p?a=1&token={good}&b"), &[]).await;
    assert_eq!((seen.status, &*seen.body), (200, "user_1 /p?a=1&b"));
    closed(&seen);
    let seen = send(query(), "GET", "/p?token=x", &[]).await;
    assert_eq!((seen.status, &*seen.body), (401, "not at /p"));
    closed(&seen);
    let seen = send(query().report_only(), "GET", "/p?token=x", &[]).await;
    assert_eq!(seen.body, "nobody /p  reported Malformed");
    closed(&seen);
    // Another method than GET: nothing is found, and it goes no further either.
    for method in ["POST", "HEAD", "CONNECT"] {
        let seen = send(query(), method, &format!("/p?token={good}"), &[]).await;
        assert_eq!(seen.kind, Some(AuthErrorKind::MissingCredentials), "{method}");
        assert_eq!(seen.body, "not at /p", "{method}");
        closed(&seen);
    }
    // Also if another place's token counts.
    let bearer = format!("Bearer {good}");
    let seen = send(query(), "GET", "/p?token=x", &[("authorization", &bearer)]).await;
    assert_eq!(seen.body, "user_1 /p");
    closed(&seen);
    let seen = send(query(), "GET", "/p?a", &[("authorization", &bearer)]).await;
    assert_eq!(seen.body, "user_1 /p?a");
    assert!(!seen.headers.contains_key("referrer-policy"));
}

#[tokio::test]
async fn a_token_of_the_query_goes_no_further_also_after_a_wait_for_keys() {
    let issuer = issuer();
    let server = JwksServer::start(Answer::jwks(&issuer).held()).await;
    let keys = RemoteKeys::from_url(&server.url()).unwrap();
    let layer = ClerkAuthLayer::new(Verifier::builder(ISS, keys).build().unwrap())
        .sources(TokenSources::first(Query::named("token").unwrap()));
    let forged = issuer.rotated("ins_1").token("user_1").mint();
    for (token, status) in [(issuer.token("user_1").mint(), 200), (forged, 401)] {
        let (uri, layer) = (format!("/?token={token}"), layer.clone());
        let waiting = tokio::spawn(async move { send(layer, "GET", &uri, &[]).await });
        server.saw(1).await;
        server.release();
        let seen = waiting.await.unwrap();
        assert_eq!(seen.status, status);
        assert!(status == 401 || seen.body == "user_1 /");
        assert_eq!(seen.headers["referrer-policy"], "no-referrer");
    }
}

/// Finds the token in a header of a gateway.
pub(super) struct Gateway;

impl TokenSource for Gateway {
    fn find<'r>(&self, request: RequestHead<'r>) -> Result<Option<Cow<'r, [u8]>>, AuthError> {
        let token = request.headers().get("x-gateway-token");
        Ok(token.map(|token| Cow::Borrowed(token.as_bytes())))
    }
}

#[tokio::test]
async fn a_source_of_ones_own_finds_a_token_or_refuses() {
    let issuer = issuer();
    let token = issuer.token("user_1").mint();
    let sources = TokenSources::first(Arc::new(Gateway)).then(Bearer::new());
    let seen =
        send(layer(&issuer, sources.clone()), "GET", "/", &[("x-gateway-token", &token)]).await;
    assert_eq!(seen.body, "user_1 /");
    let bearer = format!("Bearer {token}");
    let headers = [("x-gateway-token", "x"), ("authorization", &*bearer)];
    let seen = send(layer(&issuer, sources), "GET", "/", &headers).await;
    assert_eq!(seen.kind, Some(AuthErrorKind::Malformed));
}

#[tokio::test]
async fn a_preflight_passes_as_before_and_a_cookie_makes_no_difference() {
    let issuer = issuer();
    let preflight = [
        ("origin", "https://app.example.com"),
        ("access-control-request-method", "POST"),
        ("cookie", "__session=x; __client_uat=1"),
    ];
    let layer = cookies(&issuer).allow_preflights();
    assert_eq!(send(layer.clone(), "OPTIONS", "/", &preflight).await.status, 200);
    assert_eq!(send(layer, "OPTIONS", "/", &preflight[2..]).await.status, 401);
    assert_eq!(send(cookies(&issuer), "OPTIONS", "/", &preflight).await.status, 401);
}

#[test]
fn no_source_shows_a_token() {
    let request = Request::builder()
        .uri("/?token=secret.1")
        .header("authorization", "Bearer secret.2")
        .header("cookie", "__session=secret.3")
        .body(())
        .unwrap();
    let sources = TokenSources::first(Bearer::new())
        .then(Subprotocol::new())
        .then(Query::named("token").unwrap())
        .then(SessionCookies::new(&key()));
    let layer = layer(&issuer(), sources.clone());
    let shown = format!(
        "{:?} {sources:?} {layer:?} {:?} {:?}",
        RequestHead::from(&request),
        SessionCookies::new(&key()),
        Query::named("token").unwrap(),
    );
    assert!(!shown.contains("secret"), "{shown}");
}
