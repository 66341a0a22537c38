//! Organizations and memberships, by webhooks and by `backfill`, against the dev Clerk.

use sea_orm::ConnectionTrait as _;
use serde_json::{Value, json};

use crate::support::{Clerk, Process, World, on_every_backend, until};

/// Creates an organization of this user, and returns its id.
async fn found(clerk: &Clerk, name: &str, user: &str) -> String {
    let new = json!({ "name": name, "created_by": user });
    let created = clerk.backend.post("/v1/organizations", &new).await;
    assert_eq!(created.status, 200, "{created:?}");
    created.json()["id"].as_str().unwrap().to_owned()
}

/// Makes a user a member, and returns the membership's id.
async fn join(clerk: &Clerk, organization: &str, user: &str) -> String {
    let path = format!("/v1/organizations/{organization}/memberships");
    let joined = clerk.backend.post(&path, &json!({ "user_id": user, "role": "org:member" })).await;
    assert_eq!(joined.status, 200, "{joined:?}");
    joined.json()["id"].as_str().unwrap().to_owned()
}

async fn change(clerk: &Clerk, method: &str, path: &str, body: &Value) {
    let request = clerk.backend.request(method, path).json(body);
    let status = request.send().await.unwrap().status();
    assert_eq!(status, 200, "{method} {path}");
}

/// The line that begins with this name in the summary.
fn line(run: &Process, name: &str) -> String {
    let out = run.out();
    let mut lines = out.lines().filter_map(|line| line.strip_prefix("  ")?.strip_prefix(name));
    lines.next().unwrap_or_else(|| panic!("{name} in {out}")).trim().to_owned()
}

async fn organizations_arrive_by_webhook_and_leave_with_their_members(world: World) {
    let server = world.serve().await;
    let clerk = world.clerk();
    let (ada, bob) = (clerk.sign_up("ada@example.com").await, clerk.sign_up("b@x.com").await);
    let id = found(&clerk, "One", &ada).await;
    join(&clerk, &id, &bob).await;
    let counts = |organizations: i64, memberships: i64| {
        let world = &world;
        until("the rows are there", async move || {
            let both =
                (world.count("organizations").await, world.count("organization_memberships").await);
            (both == (organizations, memberships)).then_some(())
        })
    };
    counts(1, 2).await;
    change(&clerk, "DELETE", &format!("/v1/organizations/{id}/memberships/{bob}"), &json!({}))
        .await;
    counts(1, 1).await;
    change(&clerk, "DELETE", &format!("/v1/organizations/{id}"), &json!({})).await;
    counts(0, 0).await;
    drop(server);
}

async fn organizations_from_before_they_were_kept_are_compared_brought_in_and_removed(
    world: World,
) {
    let (_dev_clerk, variables) = world.dev_clerk().await;
    let clerk = world.clerk();
    let (ada, bob) = (clerk.sign_up("ada@example.com").await, clerk.sign_up("b@x.com").await);
    let (stays, leaves) = (found(&clerk, "One", &ada).await, found(&clerk, "Two", &ada).await);
    let membership = join(&clerk, &stays, &bob).await;
    // The tables of a version that kept users alone.
    let db = world.database().await;
    tower_clerk::sea_orm::migrate(&db).await.unwrap();
    let dry_run = async |name: &str| world.backfill(name, &["--dry-run"], &variables).await;
    let remove = async |name: &str, most: &str| {
        world.backfill(name, &["--remove-gone", "--at-most", most], &variables).await
    };

    let (run, code) = remove("not-filled", "9").await;
    assert_eq!(code, 1, "{}", run.out());
    let (run, code) = dry_run("before").await;
    assert_eq!(code, 3, "{}", run.err());
    assert!(line(&run, "organizations missing").starts_with("2  ("), "{}", run.out());
    assert!(line(&run, "memberships missing").starts_with("3  ("), "{}", run.out());
    let (run, code) = world.backfill("fill", &[], &variables).await;
    assert_eq!(code, 0, "{}", run.err());
    assert!(line(&run, "organizations").starts_with("2  (2 new or newer"), "{}", run.out());
    assert!(line(&run, "memberships").starts_with("3  (3 new or newer"), "{}", run.out());
    let (run, code) = dry_run("after").await;
    assert_eq!(code, 0, "{}", run.err());
    assert!(run.out().starts_with("No difference: the 2 users"), "{}", run.out());
    assert_eq!(line(&run, "memberships"), "3 at Clerk");

    let bob_in_one = format!("/v1/organizations/{stays}/memberships/{bob}");
    let ada_in_one = format!("/v1/organizations/{stays}/memberships/{ada}");
    change(&clerk, "PATCH", &ada_in_one, &json!({ "role": "org:member" })).await;
    change(&clerk, "DELETE", &bob_in_one, &json!({})).await;
    change(&clerk, "DELETE", &format!("/v1/organizations/{leaves}"), &json!({})).await;
    change(&clerk, "PATCH", &format!("/v1/organizations/{stays}"), &json!({ "name": "Uno" })).await;
    // Nothing of the last hour is gone.
    let (run, code) = remove("too-young", "0").await;
    assert_eq!((code, &*run.out()), (0, "No user was removed.\n"), "{}", run.err());
    for table in ["organizations", "organization_memberships"] {
        let long_ago = format!("UPDATE {table} SET created_at = '2020-01-01 00:00:00'");
        db.execute_unprepared(&long_ago).await.unwrap();
    }
    for name in ["some", "again"] {
        let (run, code) = dry_run(name).await;
        assert_eq!(code, 3, "{}", run.err());
        for (kind, id) in [
            ("organizations outdated", &stays),
            ("organizations gone", &leaves),
            ("memberships gone", &membership),
        ] {
            assert!(line(&run, kind).starts_with("1  ("), "{}", run.out());
            assert!(run.out().contains(&format!("\n    {id}")), "{}", run.out());
        }
        assert!(line(&run, "memberships outdated").starts_with("1  ("), "{}", run.out());
        assert!(!run.out().contains("missing   1"), "{}", run.out());
        let told = [run.out(), run.err()].concat();
        assert!(!told.contains('@') && !told.contains("Uno"), "{told}");
    }
    let (run, code) = remove("too-many", "1").await;
    assert_eq!(code, 1);
    assert!(run.err().contains("--at-most: "), "{}", run.err());
    assert_eq!(world.count("organization_memberships").await, 3);
    let (run, code) = remove("two", "2").await;
    assert_eq!(code, 0, "{}", run.err());
    assert_eq!(line(&run, "organizations"), "1 removed, 0 kept, 0 gone already");
    assert_eq!(line(&run, "memberships"), "1 removed, 0 kept, 0 gone already");
    assert_eq!(world.count("organizations").await, 1);
    assert_eq!(world.count("organization_memberships").await, 1);
    let (run, code) = world.backfill("mend", &[], &variables).await;
    assert_eq!(code, 0, "{}", run.err());
    assert_eq!(dry_run("none").await.1, 0);
}

async fn organizations_of_a_killed_backfill_are_gone_on_with(world: World) {
    let (_dev_clerk, variables) = world.dev_clerk().await;
    let clerk = world.clerk();
    let ada = clerk.sign_up("ada@example.com").await;
    for n in 0..25 {
        found(&clerk, &format!("Organization {n}"), &ada).await;
    }
    let mut killed = world.start_backfill("killed", &[], &variables);
    // A test key's requests are a fifth of a second apart: one for each organization.
    until("members are listed", async || killed.err().contains("memberships so far").then_some(()))
        .await;
    killed.kill();
    let before = world.count("organization_memberships").await;
    assert!((1..25).contains(&before), "{before}");

    let (run, code) = world.backfill("goes-on", &[], &variables).await;
    assert_eq!(code, 0, "{}", run.err());
    assert!(line(&run, "resumed").starts_with("yes"), "{}", run.out());
    assert!(line(&run, "organizations").starts_with("25  ("), "{}", run.out());
    let rest = format!("25  ({} new or newer", 25 - before);
    assert!(line(&run, "memberships").starts_with(&rest), "{}", run.out());
    assert_eq!(world.count("organization_memberships").await, 25);
    assert_eq!(world.backfill("compared", &["--dry-run"], &variables).await.1, 0);
}

on_every_backend!(
    organizations_arrive_by_webhook_and_leave_with_their_members,
    organizations_from_before_they_were_kept_are_compared_brought_in_and_removed,
    organizations_of_a_killed_backfill_are_gone_on_with,
);
