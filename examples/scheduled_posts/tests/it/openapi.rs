//! The API's description: it matches the server, and can be read without any other host.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};

use crate::support::{Api, Backend, Process, World, answer};

/// A method and a path as the document has them, and what it says about them.
struct Operation {
    method: String,
    path: String,
    told: Value,
}

impl Operation {
    fn all(document: &Value) -> Vec<Self> {
        let paths = document["paths"].as_object().unwrap().iter();
        let operations = paths.flat_map(|(path, item)| {
            item.as_object().unwrap().iter().map(|(method, told)| Self {
                method: method.to_uppercase(),
                path: path.clone(),
                told: told.clone(),
            })
        });
        operations.collect()
    }

    fn needs_token(&self) -> bool {
        self.told["security"] == json!([{ "session": [] }])
    }

    fn statuses(&self) -> BTreeSet<u16> {
        let responses = self.told["responses"].as_object().unwrap();
        responses.keys().map(|status| status.parse().unwrap()).collect()
    }
}

async fn document(api: &Api) -> Value {
    let served = api.get("/openapi.json").await;
    assert_eq!((served.status, served.header("content-type")), (200, Some("application/json")));
    served.json()
}

#[tokio::test]
async fn what_is_printed_is_what_is_served() {
    World::run(Backend::Sqlite, async |world: World| {
        let _server = world.serve().await;
        let served = world.api().get("/openapi.json").await.text;
        // It needs no environment, and a bad one is not its business.
        let bad = [("PORT".to_owned(), "none".to_owned())];
        let mut process = Process::start(world.folder(), "openapi", &["openapi"], &bad);
        assert_eq!(process.exit_code().await, 0, "{}", process.err());
        assert_eq!(process.out(), format!("{served}\n"));
        assert!(served.starts_with("{\n  \"openapi\": \"3.1."), "{served}");
    })
    .await;
}

#[tokio::test]
async fn every_described_operation_is_there_and_answers_as_described() {
    World::run(Backend::Sqlite, async |world: World| {
        let _server = world.serve().await;
        let (_, api) = world.clerk().user(&world.api(), "docs@example.com").await;
        let operations = Operation::all(&document(&world.api()).await);
        for Operation { method, path, .. } in &operations {
            let concrete = path.replace("{id}", MISSING).replace("{post_id}", MISSING);
            let found = answer(api.request(method, &concrete).json(&json!({}))).await;
            assert_ne!(found.status, 405, "{method} {path}: {found:?}");
            assert!(!found.text.contains("\"Not found\""), "{method} {path}: {found:?}");
        }
        for operation in operations {
            let concrete = operation.path.replace("{id}", MISSING).replace("{post_id}", MISSING);
            for api in [&api, &world.api(), &api.with_token("a.b.c")] {
                let found =
                    answer(api.request(&operation.method, &concrete).json(&json!({}))).await;
                let (method, path) = (&operation.method, &operation.path);
                assert!(operation.statuses().contains(&found.status), "{method} {path}: {found:?}");
                let told = &operation.told["responses"][found.status.to_string()];
                let content = told["content"].as_object();
                let kind = content.map(|content| content.keys().next().unwrap().as_str());
                assert_eq!(found.header("content-type"), kind, "{method} {path}: {found:?}");
            }
            let nobody = answer(world.api().request(&operation.method, &concrete)).await;
            assert_eq!(nobody.status == 401, operation.needs_token(), "{}", operation.path);
        }
    })
    .await;
}

#[tokio::test]
async fn the_whole_contract_is_described_with_all_that_can_go_wrong() {
    World::run(Backend::Sqlite, async |world: World| {
        let _server = world.serve().await;
        let document = document(&world.api()).await;
        let operations = Operation::all(&document);
        let found: BTreeSet<String> =
            operations.iter().map(|one| format!("{} {}", one.method, one.path)).collect();
        assert_eq!(found, CONTRACT.map(str::to_owned).into());
        let mut names: Vec<&Value> =
            operations.iter().map(|one| &one.told["operationId"]).collect();
        names.sort_by_key(|name| name.as_str());
        names.dedup();
        assert_eq!(names.len(), operations.len());

        for operation in &operations {
            let (path, statuses) = (&operation.path, operation.statuses());
            let mut wanted = vec![408, 500];
            if operation.needs_token() {
                wanted.extend([401, 403, 429, 503]);
            }
            if !operation.told["requestBody"].is_null() {
                wanted.extend([400, 413]);
            }
            if operation.needs_token() && !operation.told["requestBody"].is_null() {
                wanted.extend([415, 422]);
            }
            // An organization that does not exist is another than the active one.
            if path.contains('{') && !path.contains("{slug}") {
                wanted.push(404);
            }
            for status in wanted {
                assert!(statuses.contains(&status), "{} {path}: {status}", operation.method);
            }
            for (status, response) in operation.told["responses"].as_object().unwrap() {
                assert!(response["description"].as_str().is_some_and(|text| !text.is_empty()));
                let error = status.starts_with(['4', '5']);
                let schema = &response["content"]["application/json"]["schema"]["$ref"];
                assert_eq!(error, schema == "#/components/schemas/Error", "{path} {status}");
            }
            if operation.needs_token() {
                let responses = &operation.told["responses"];
                assert!(responses["401"]["headers"]["WWW-Authenticate"].is_object(), "{path}");
                assert!(responses["429"]["headers"]["Retry-After"].is_object(), "{path}");
                assert!(responses["503"]["headers"]["Retry-After"].is_object(), "{path}");
            }
        }
        let scheme = &document["components"]["securitySchemes"]["session"];
        assert_eq!((&scheme["type"], &scheme["scheme"]), (&json!("http"), &json!("bearer")));
    })
    .await;
}

/// Whatever the router has is described, but for pages and their files.
#[test]
fn no_route_is_left_out_of_the_description() {
    // Everything else comes by `routes!`. These are for people.
    for (file, pages) in [("app.rs", 3), ("routes/page.rs", 3)] {
        let source = format!("{}/src/{file}", env!("CARGO_MANIFEST_DIR"));
        let source = fs::read_to_string(source).unwrap();
        let routes: Vec<&str> = source.split(".route(").skip(1).collect();
        assert_eq!(routes.len(), pages, "{file}");
        for route in routes {
            let (path, handler) = route.split_once(", ").unwrap();
            assert!(!path.starts_with("\"/api/"), "not by `routes!`: {route:.60}");
            assert!(file != "app.rs" || handler.starts_with("get(docs::"), "{route:.60}");
        }
    }
}

#[tokio::test]
async fn the_page_that_shows_it_and_its_files_come_from_this_server_alone() {
    World::run(Backend::Sqlite, async |world: World| {
        let _server = world.serve().await;
        let api = world.api();
        let page = api.get("/docs").await;
        assert_eq!(
            (page.status, page.header("content-type")),
            (200, Some("text/html; charset=utf-8"))
        );
        let policy = page.header("content-security-policy").unwrap();
        assert_eq!(
            policy,
            format!(
                "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' \
                 data:; connect-src 'self' http://127.0.0.1:{}; base-uri 'none'; form-action 'none'; \
                 frame-ancestors 'none'",
                world.clerk_port
            )
        );
        assert!(!page.text.contains("http:") && !page.text.contains("https:"));
        for (file, kind) in [
            ("docs.js", "text/javascript"),
            ("docs.css", "text/css"),
            ("swagger-ui-bundle.js", "text/javascript"),
            ("swagger-ui.css", "text/css"),
            ("LICENSE", "text/plain"),
        ] {
            let path = format!("/docs/{file}");
            assert!(page.text.contains(&format!("\"{path}\"")), "{path}");
            let found = api.get(&path).await;
            assert_eq!(found.status, 200, "{path}");
            assert!(found.header("content-type").unwrap().starts_with(kind), "{path}");
        }
        assert!(api.get("/docs/LICENSE").await.text.contains("Apache License"));
        api.get("/docs/none").await.is_error(404, "Not found");
    })
    .await;
}

const MISSING: &str = "00000000-0000-4000-8000-000000000000";

const CONTRACT: [&str; 15] = [
    "DELETE /api/scheduled-posts/{post_id}",
    "DELETE /api/x-accounts/{id}",
    "GET /api/me",
    "GET /api/scheduled-posts",
    "GET /api/x-accounts",
    "GET /healthz",
    "GET /readyz",
    "POST /api/scheduled-posts",
    "POST /api/scheduled-posts/generate-ai",
    "POST /api/webhooks/clerk",
    "POST /api/x-accounts",
    "PUT /api/scheduled-posts/{post_id}",
    "DELETE /api/me/posts",
    "GET /api/admin/members",
    "GET /api/orgs/{slug}/me",
];
