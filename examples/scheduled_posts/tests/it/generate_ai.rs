//! Suggestions from an AI service over real sockets, and all its failures.

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};

use crate::support::ai::{self, AiService, CANARY, Treatment};
use crate::support::{Answer, Api, Process, World, free_port};

/// Nothing of this touches the database beyond the user's row: one is enough.
macro_rules! on_sqlite {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $name() {
                $crate::support::World::run($crate::support::Backend::Sqlite, super::$name).await;
            })+
        }
    };
}

const PATH: &str = "/api/scheduled-posts/generate-ai";

/// A server that asks this service, and a user of it.
async fn asking(world: &World, variables: &[(String, String)]) -> (Process, Api) {
    let env = [world.env(), variables.to_vec()].concat();
    let mut server = Process::start(world.folder(), "serve", &[], &env);
    server.ready(&world.api()).await;
    let (_, api) = world.clerk().user(&world.api(), "ai@example.com").await;
    (server, api)
}

async fn ask(api: &Api) -> Answer {
    api.post(PATH, &json!({ "prompt": "autumn" })).await
}

async fn suggestions_come_from_the_service_that_the_environment_names(world: World) {
    let service = AiService::start(Treatment::says(r#"["one", "two", "three", "four"]"#)).await;
    let (_server, api) = asking(&world, &service.variables()).await;
    let three = ask(&api).await;
    assert_eq!(three.status, 200, "{three:?}");
    assert_eq!(three.json(), json!({ "suggestions": ["one", "two", "three"] }));
    let one = api.post(PATH, &json!({ "prompt": " spring\n", "count": 1.0, "user_id": 7 })).await;
    assert_eq!(one.json(), json!({ "suggestions": ["one"] }), "{one:?}");

    let requests = service.requests(2).await;
    for (request, prompt, count) in [(&requests[0], "autumn", "3"), (&requests[1], "spring", "1")] {
        assert!(request.starts_with("POST /v1/chat/completions HTTP/1.1\r\n"), "{request}");
        assert!(request.contains("\r\nauthorization: Bearer sk-canary\r\n"), "{request}");
        let body = ai::body(request);
        assert_eq!(body["model"], "small");
        assert_eq!(body["messages"][1], json!({ "role": "user", "content": prompt }));
        let task = body["messages"][0]["content"].as_str().unwrap();
        assert!(task.contains(&format!("array of {count} strings")), "{task}");
    }
}

async fn a_suggestion_is_a_post_that_can_be_scheduled(world: World) {
    let words = json!(["word ".repeat(200), "nul \u{0} and bell \u{7}", "  ", "🎉".repeat(500)]);
    let service = AiService::start(Treatment::says(&words.to_string())).await;
    let (_server, api) = asking(&world, &service.variables()).await;
    let account = api.account("@ai").await;
    let answer = api.post(PATH, &json!({ "prompt": "x", "count": 5 })).await.json();
    let suggestions = answer["suggestions"].as_array().unwrap();
    assert_eq!(suggestions.len(), 3, "{answer}");
    for suggestion in suggestions {
        let text = suggestion.as_str().unwrap();
        assert!((1..=280).contains(&text.chars().count()), "{text}");
        api.scheduled(&account, text, "2030-01-01T00:00:00Z").await;
    }
}

async fn what_may_not_be_asked_reaches_no_service(world: World) {
    let service = AiService::start(Treatment::says(r#"["one"]"#)).await;
    let (_server, api) = asking(&world, &service.variables()).await;
    for body in [
        json!({}),
        json!({ "prompt": null }),
        json!({ "prompt": 1 }),
        json!({ "prompt": "" }),
        json!({ "prompt": " \n\u{3000}" }),
        json!({ "prompt": "x".repeat(1001) }),
        json!({ "prompt": "x", "count": 0 }),
        json!({ "prompt": "x", "count": 6 }),
        json!({ "prompt": "x", "count": -1 }),
        json!({ "prompt": "x", "count": 1.5 }),
        json!({ "prompt": "x", "count": "3" }),
        json!(["x"]),
    ] {
        let refused = api.post(PATH, &body).await;
        assert_eq!(refused.status, 422, "{body}: {refused:?}");
        assert!(refused.json()["detail"].is_string());
    }
    world.api().post(PATH, &json!({ "prompt": "x" })).await.is_error(401, "Not authenticated");
    // The only one of all that may be asked.
    assert_eq!(api.post(PATH, &json!({ "prompt": "🎉".repeat(1000) })).await.status, 200);
    assert_eq!(service.requests(1).await.len(), 1);
}

async fn every_fault_of_the_service_is_told_as_its_own(world: World) {
    let service = AiService::start(Treatment::HangUp).await;
    let (server, api) = asking(&world, &service.variables()).await;
    let elsewhere = AiService::start(Treatment::says(r#"["stolen"]"#)).await;
    let redirect = format!("Location: {}/chat/completions\r\n", elsewhere.url());
    let json = |body: &str| Treatment::Answer("200 OK", String::new(), body.to_owned());
    const KEY: &str = "The AI service does not accept this server";
    const REFUSED: &str = "The AI service refused the request";
    const FAILED: &str = "The AI service failed";
    const UNREADABLE: &str = "The AI service's answer cannot be read";
    const NOTHING: &str = "The AI service made no suggestions";
    for (treatment, detail) in [
        (Treatment::HangUp, "The AI service cannot be reached"),
        (Treatment::status("401 Unauthorized"), KEY),
        (Treatment::status("403 Forbidden"), KEY),
        (Treatment::status("400 Bad Request"), REFUSED),
        (Treatment::status("404 Not Found"), REFUSED),
        (Treatment::status("500 Internal Server Error"), FAILED),
        (Treatment::status("503 Service Unavailable"), FAILED),
        (Treatment::Answer("307 Temporary Redirect", redirect, "{}".into()), REFUSED),
        (Treatment::Endless, "The AI service's answer is too long"),
        (json(&format!("\"{}\"", "x".repeat(300_000))), "The AI service's answer is too long"),
        (json(&format!("<html>{CANARY}</html>")), UNREADABLE),
        (json(""), UNREADABLE),
        (json("[]"), UNREADABLE),
        (json(&format!(r#"{{"choices": "{CANARY}"}}"#)), UNREADABLE),
        (json(r#"{"choices": []}"#), NOTHING),
        (json(r#"{"choices": [{"message": {"content": null}}]}"#), NOTHING),
        (Treatment::says(&format!("I cannot. {CANARY}")), NOTHING),
        (Treatment::says("[]"), NOTHING),
    ] {
        service.treat(treatment.clone());
        let told = ask(&api).await;
        assert!(told.status == 502 && told.json()["detail"] == detail, "{treatment:?}: {told:?}");
        told.is_error(502, detail);
    }
    assert!(elsewhere.requests(0).await.is_empty(), "a redirect was followed");

    service.treat(Treatment::status("429 Too Many Requests"));
    let busy = ask(&api).await;
    busy.is_error(502, "The AI service is busy; try again later");
    assert_eq!(busy.header("retry-after"), Some("30"));
    for (given, told) in [("7", "7"), ("0", "30"), ("86400", "30"), ("tomorrow", "30")] {
        let headers = format!("Retry-After: {given}\r\n");
        service.treat(Treatment::Answer("429 Too Many Requests", headers, String::new()));
        assert_eq!(ask(&api).await.header("retry-after"), Some(told), "{given}");
    }
    // Asked once each: nobody waits for a second try that was not asked for.
    assert_eq!(service.requests(0).await.len(), 23);
    let log = format!("{}{}", server.out(), server.err());
    assert!(log.contains("OPENAI_API_KEY") && log.contains("OPENAI_BASE_URL"), "{log}");
    assert!(!log.contains("canary"), "{log}");
}

async fn a_service_that_is_not_there_is_told_as_unreachable(world: World) {
    for (name, url) in [
        ("closed", format!("http://127.0.0.1:{}", free_port())),
        ("unknown", "https://ai.invalid/v1".to_owned()),
    ] {
        let env = [world.env(), ai::variables(&url)].concat();
        let mut server = Process::start(world.folder(), name, &[], &env);
        server.ready(&world.api()).await;
        let (_, api) = world.clerk().user(&world.api(), &format!("{name}@example.com")).await;
        ask(&api).await.is_error(502, "The AI service cannot be reached");
    }
}

/// Takes as long as the server's patience with the service does.
async fn a_service_that_says_nothing_is_given_up_in_time(world: World) {
    let service = AiService::start(Treatment::Silence).await;
    let (_server, api) = asking(&world, &service.variables()).await;
    ask(&api).await.is_error(504, "The AI service did not answer in time");
    service.deserted(1).await;
}

async fn a_client_that_goes_away_takes_its_question_along(world: World) {
    let service = AiService::start(Treatment::Silence).await;
    let (_server, api) = asking(&world, &service.variables()).await;
    let request = api.request("POST", PATH).json(&json!({ "prompt": "x" })).build().unwrap();
    let token = request.headers()["authorization"].to_str().unwrap();
    let mut client = TcpStream::connect(("127.0.0.1", world.port)).await.unwrap();
    let head = format!(
        "POST {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n\
         Content-Type: application/json\r\nContent-Length: 14\r\n\r\n{{\"prompt\":\"x\"}}"
    );
    client.write_all(head.as_bytes()).await.unwrap();
    service.requests(1).await;
    drop(client);
    service.deserted(1).await;
}

async fn a_proxy_from_the_environment_is_not_told_what_this_machine_asks_itself(world: World) {
    let proxy = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", proxy.local_addr().unwrap());
    let service = AiService::start(Treatment::says(r#"["one"]"#)).await;
    let mut variables = service.variables();
    for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY"] {
        variables.push((name.to_owned(), address.clone()));
    }
    let (_server, api) = asking(&world, &variables).await;
    assert_eq!(ask(&api).await.status, 200);
}

async fn without_a_service_the_answer_names_the_variables(world: World) {
    let (_server, api) = asking(&world, &[]).await;
    let none = ask(&api).await;
    assert_eq!(none.status, 503, "{none:?}");
    let detail = none.json()["detail"].as_str().unwrap().to_owned();
    for name in ["OPENAI_BASE_URL", "OPENAI_API_KEY", "OPENAI_MODEL"] {
        assert!(detail.contains(name), "{detail}");
    }
    assert_eq!(api.post(PATH, &Value::Null).await.status, 422);
}

async fn half_a_service_is_a_configuration_error(world: World) {
    let half = [("OPENAI_API_KEY".to_owned(), "canary-key".to_owned())];
    let mut process =
        Process::start(world.folder(), "half", &["serve"], &[world.env(), half.to_vec()].concat());
    assert_eq!(process.exit_code().await, 2);
    let told = process.err();
    assert!(told.contains("  OPENAI_BASE_URL: ") && told.contains("  OPENAI_MODEL: "), "{told}");
    assert!(!told.contains("  OPENAI_API_KEY: ") && !told.contains("canary"), "{told}");
}

on_sqlite!(
    suggestions_come_from_the_service_that_the_environment_names,
    a_suggestion_is_a_post_that_can_be_scheduled,
    what_may_not_be_asked_reaches_no_service,
    every_fault_of_the_service_is_told_as_its_own,
    a_service_that_is_not_there_is_told_as_unreachable,
    a_service_that_says_nothing_is_given_up_in_time,
    a_client_that_goes_away_takes_its_question_along,
    a_proxy_from_the_environment_is_not_told_what_this_machine_asks_itself,
    without_a_service_the_answer_names_the_variables,
    half_a_service_is_a_configuration_error,
);
