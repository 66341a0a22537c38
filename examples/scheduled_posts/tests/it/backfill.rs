//! `backfill`: users who signed up while no server listened, killed runs, differences, removals.

use sea_orm::{ConnectionTrait as _, DbBackend};

use crate::support::{Backend, Listing, Process, World, on_every_backend};

type Variables = Vec<(String, String)>;

async fn who_signed_up_while_the_server_was_off_is_there_after_a_backfill(world: World) {
    let (_dev_clerk, variables) = world.dev_clerk().await;
    let clerk = world.clerk();
    let ada = clerk.sign_up("ada@example.com").await;
    clerk.sign_up("bob@example.com").await;
    clerk.sign_up("eve@example.com").await;

    let (run, code) = world.backfill("first", &[], &variables).await;
    assert_eq!(code, 0, "{}", run.err());
    shows(&run, &[("users", "3"), ("new or newer", "3"), ("unchanged", "0"), ("unreadable", "0")]);
    shows(&run, &[("resumed", "no, from the start")]);
    assert!(run.out().contains("rows per second"), "{}", run.out());
    assert!(run.err().contains("backfill: 3 of 3 users so far"), "{}", run.err());
    assert_eq!(world.count("users").await, 3);

    clerk.rename(&ada, "Ada").await;
    let (run, code) = world.backfill("second", &[], &variables).await;
    assert_eq!(code, 0, "{}", run.err());
    shows(&run, &[("users", "3"), ("new or newer", "1"), ("unchanged", "2")]);
    let told = [run.out(), run.err()].concat();
    assert!(!told.contains('@'), "{told}");

    let _server = world.serve_with(&variables).await;
    let me = world.api().with_token(&clerk.token(&ada).await).get("/api/me").await.json();
    assert_eq!(me["user"]["email"], "ada@example.com");
}

async fn a_run_that_was_killed_goes_on_after_its_last_page(world: World) {
    let listing = Listing::start(2300, 2).await;
    let variables = variables_of(&listing);
    let mut killed = world.start_backfill("killed", &[], &variables);
    // The third page is asked for when the second is committed.
    listing.asked(3).await;
    killed.kill();
    assert_eq!(world.count("users").await, 1000);

    listing.open();
    let (run, code) = world.backfill("goes-on", &[], &variables).await;
    assert_eq!(code, 0, "{}", run.err());
    let asked = listing.asked(7).await;
    assert_eq!(asked[..3], ["", "user_00500", "user_01000"]);
    assert_eq!(asked[3..], ["user_01000", "user_01500", "user_02000", "user_02300"]);
    shows(&run, &[("users", "2,300"), ("new or newer", "1,300"), ("unchanged", "0")]);
    shows(&run, &[("resumed", "yes, after the 1,000 of an interrupted run")]);
    assert_eq!(world.count("users").await, 2300);
}

async fn fault_s6_an_interrupted_run_of_long_ago_begins_anew_and_says_so(world: World) {
    let listing = Listing::start(700, 1).await;
    let variables = variables_of(&listing);
    let mut killed = world.start_backfill("killed", &[], &variables);
    listing.asked(2).await;
    killed.kill();
    listing.open();
    let db = world.database().await;
    db.execute_unprepared("UPDATE clerk_backfills SET started_at = started_at - 90000000")
        .await
        .unwrap();
    let (run, code) = world.backfill("anew", &[], &variables).await;
    assert_eq!(code, 0, "{}", run.err());
    let anew = "no, from the start: the interrupted run began more than a day ago";
    shows(&run, &[("users", "700"), ("new or newer", "200"), ("resumed", anew)]);
    assert!(entry(&run, "since").ends_with('Z'), "{}", run.out());

    db.execute_unprepared(
        "UPDATE clerk_backfills SET last_user_id = 'user_00500', users = 500, finished = FALSE",
    )
    .await
    .unwrap();
    let (run, code) = world.backfill("from-start", &["--from-start"], &variables).await;
    assert_eq!(code, 0, "{}", run.err());
    shows(&run, &[("users", "700"), ("unchanged", "700"), ("resumed", "no, from the start")]);
    let (run, code) = world.backfill("rewrite", &["--rewrite"], &variables).await;
    assert_eq!(code, 0, "{}", run.err());
    shows(&run, &[("users", "700"), ("new or newer", "700"), ("unchanged", "0")]);
}

async fn fault_s7_a_user_whom_the_database_refuses_is_named_and_the_run_goes_on(world: World) {
    let listing = Listing::start(700, usize::MAX).await;
    let variables = variables_of(&listing);
    assert_eq!(
        world.backfill("empty", &["--remove-gone", "--at-most", "0"], &variables).await.1,
        1
    );
    let db = world.database().await;
    let refuse = match db.get_database_backend() {
        DbBackend::Sqlite => {
            "CREATE TRIGGER refusal BEFORE INSERT ON users WHEN NEW.email = '2@example.com' \
             BEGIN SELECT RAISE(ABORT, 'refusal'); END"
        }
        _ => "ALTER TABLE users ADD CONSTRAINT refusal CHECK (email <> '2@example.com')",
    };
    db.execute_unprepared(refuse).await.unwrap();
    let (run, code) = world.backfill("refused", &[], &variables).await;
    assert_eq!(code, 3, "{}", run.err());
    shows(&run, &[("users", "700"), ("new or newer", "699")]);
    assert!(run.out().starts_with("The database refuses 1 of the users"), "{}", run.out());
    assert!(entry(&run, "refused").starts_with("1  ("), "{}", run.out());
    assert!(entry(&run, "  user_00002:").contains("refusal"), "{}", run.out());
    assert!(!run.out().contains('@'), "{}", run.out());
    assert_eq!(world.count("users").await, 699);
}

async fn fault_s16_a_list_that_is_short_is_told_and_has_its_own_exit_code(world: World) {
    let listing = Listing::start(3, usize::MAX).await;
    let variables = variables_of(&listing);
    listing.counts(4);
    let (run, code) = world.backfill("short", &[], &variables).await;
    assert_eq!(code, 3, "{}", run.err());
    assert!(
        run.out().starts_with("Clerk counts 4 users of ins_many, but listed 3"),
        "{}",
        run.out()
    );
    shows(&run, &[("users", "3"), ("listed", "3 of 4")]);
    let (run, code) = world.backfill("compared", &["--dry-run"], &variables).await;
    assert_eq!(code, 3, "{}", run.err());
    assert!(entry(&run, "listed").starts_with("3 of the 4 users"), "{}", run.out());
    listing.counts(3);
    let (run, code) = world.backfill("whole", &[], &variables).await;
    assert_eq!(code, 0, "{}", run.err());
    shows(&run, &[("listed", "3 of 3")]);
}

async fn a_signal_ends_a_run_at_once_and_the_next_one_goes_on(world: World) {
    let listing = Listing::start(700, 1).await;
    let variables = variables_of(&listing);
    let mut stopped = world.start_backfill("stopped", &[], &variables);
    listing.asked(2).await;
    stopped.terminate();
    assert_eq!(stopped.exit_code().await, 1);
    assert!(stopped.err().contains("Run it again: it goes on"), "{}", stopped.err());
    assert_eq!(world.count("users").await, 500);

    listing.open();
    let (run, code) = world.backfill("goes-on", &[], &variables).await;
    assert_eq!(code, 0, "{}", run.err());
    shows(&run, &[("users", "700"), ("new or newer", "200")]);
}

async fn a_dry_run_says_what_differs_and_changes_nothing(world: World) {
    let (_dev_clerk, variables) = world.dev_clerk().await;
    let clerk = world.clerk();
    let (stays, changes) = (clerk.sign_up("a@example.com").await, clerk.sign_up("b@x.com").await);
    let leaves = clerk.sign_up("c@example.com").await;
    let dry_run = async |name: &str| world.backfill(name, &["--dry-run"], &variables).await;

    let (run, code) = dry_run("no-tables").await;
    assert_eq!(code, 1, "{}", run.err());
    assert!(run.err().contains("a dry run creates nothing"), "{}", run.err());
    assert!(!world.folder().join("posts.db").exists());
    assert_eq!(world.backfill("fill", &[], &variables).await.1, 0);
    long_ago(&world).await;

    let (run, code) = dry_run("none").await;
    assert_eq!(code, 0, "{}", run.err());
    assert!(run.out().starts_with("No difference: the 3 users of ins_"), "{}", run.out());
    for kind in ["missing", "outdated", "deleted", "gone"] {
        shows(&run, &[(kind, "0")]);
    }

    clerk.rename(&changes, "Changed").await;
    assert_eq!(clerk.backend.delete(&format!("/v1/users/{leaves}")).await.status, 200);
    let new = clerk.sign_up("new@example.com").await;
    for name in ["some", "again"] {
        let (run, code) = dry_run(name).await;
        assert_eq!(code, 3, "{}", run.err());
        for (kind, id) in [("missing", &new), ("outdated", &changes), ("gone", &leaves)] {
            assert!(entry(&run, kind).starts_with("1  ("), "{}", run.out());
            assert!(run.out().contains(&format!("\n    {id}")), "{}", run.out());
        }
        shows(&run, &[("deleted", "0")]);
        for step in ["comparing: 3 of 3 users", "looking for users who are gone: 3 users"] {
            assert!(run.err().contains(step), "{}", run.err());
        }
        let told = [run.out(), run.err()].concat();
        assert!(!told.contains(&stays) && !told.contains('@'), "{told}");
    }
    assert_eq!(world.count("users").await, 3);
}

async fn who_is_gone_is_removed_with_everything_and_never_more_than_allowed(world: World) {
    let (_dev_clerk, variables) = world.dev_clerk().await;
    let clerk = world.clerk();
    let remove = async |name: &str, most: &str, variables: &Variables| {
        world.backfill(name, &["--remove-gone", "--at-most", most], variables).await
    };

    let (run, code) = remove("not-filled", "5", &variables).await;
    assert_eq!(code, 1);
    assert!(
        run.err().contains("\n--remove-gone: the database must have been filled"),
        "{}",
        run.err()
    );

    let ids = [clerk.sign_up("a@example.com").await, clerk.sign_up("b@example.com").await];
    let stays = clerk.sign_up("stays@example.com").await;
    assert_eq!(world.backfill("fill", &[], &variables).await.1, 0);
    let server = world.serve_with(&variables).await;
    for id in ids.iter().chain([&stays]) {
        world.api().with_token(&clerk.token(id).await).account("@handle").await;
    }
    drop(server);
    for id in &ids {
        assert_eq!(clerk.backend.delete(&format!("/v1/users/{id}")).await.status, 200);
    }

    // Clerk's list may lag behind.
    let (run, code) = remove("too-young", "0", &variables).await;
    assert_eq!((code, &*run.out()), (0, "No user was removed.\n"));
    long_ago(&world).await;

    let (run, code) = remove("too-many", "1", &variables).await;
    assert_eq!(code, 1);
    assert!(run.err().contains("\n--at-most: more users are gone than that"), "{}", run.err());
    let other = variables_of(&Listing::start(3, 9).await);
    for options in [&["--remove-gone", "--at-most", "5"][..], &[], &["--dry-run"]] {
        let (run, code) = world.backfill("other", options, &other).await;
        assert_eq!(code, 1);
        let told = "\nCLERK_SECRET_KEY and DATABASE_URL: do not belong together";
        assert!(format!("\n{}", run.err()).contains(told), "{}", run.err());
    }
    assert_eq!(world.count("users").await, 3);

    let (run, code) = remove("two", "2", &variables).await;
    assert_eq!(code, 0, "{}", run.err());
    assert_eq!(run.out(), "Removed 2 users whom Clerk no longer has.\n");
    assert_eq!((world.count("users").await, world.count("x_accounts").await), (1, 1));
    let (run, code) = remove("none", "2", &variables).await;
    assert_eq!((code, &*run.out()), (0, "No user was removed.\n"));
}

async fn fault_s15_an_operator_takes_back_that_a_user_was_deleted(world: World) {
    let listing = Listing::start(3, usize::MAX).await;
    let variables = variables_of(&listing);
    assert_eq!(world.backfill("fill", &[], &variables).await.1, 0);
    let db = world.database().await;
    let bury = "UPDATE clerk_user_versions SET deleted = TRUE WHERE id = 'user_00002'";
    db.execute_unprepared(bury).await.unwrap();
    db.execute_unprepared("DELETE FROM users WHERE id = 'user_00002'").await.unwrap();

    let (run, code) = world.backfill("other", &["--revive", "user_00001"], &variables).await;
    assert_eq!(code, 1);
    assert!(run.err().contains("--revive: the database does not have"), "{}", run.err());
    let (run, code) = world.backfill("revive", &["--revive", "user_00002"], &variables).await;
    assert_eq!(code, 0, "{}", run.err());
    assert!(run.out().starts_with("The deletion was taken back."), "{}", run.out());
    let (run, code) = world.backfill("again", &[], &variables).await;
    assert_eq!(code, 0, "{}", run.err());
    shows(&run, &[("new or newer", "1"), ("unchanged", "2")]);
    assert_eq!(world.count("users").await, 3);
}

async fn what_keeps_a_backfill_from_starting_is_told_by_variable(world: World) {
    let (_dev_clerk, variables) = world.dev_clerk().await;
    let api = variables.iter().find(|(name, _)| name == "CLERK_API_URL").unwrap().1.as_str();
    let key = ("CLERK_SECRET_KEY", "sk_test_canary");
    for (name, code, variables, told) in [
        (
            "empty",
            2,
            vec![],
            &["CLERK_SECRET_KEY: is not set", "start `scheduled-posts dev-clerk`"],
        ),
        (
            "no-key",
            2,
            vec![("CLERK_API_URL", api)],
            &["CLERK_SECRET_KEY: is not set", "API keys\n"],
        ),
        (
            "both",
            2,
            vec![("CLERK_SECRET_KEY", "canary"), ("CLERK_API_URL", "http://canary.example")],
            &["CLERK_SECRET_KEY: must be", "CLERK_API_URL: must be"],
        ),
        (
            "wrong-key",
            1,
            vec![key, ("CLERK_API_URL", api)],
            &["\nCLERK_SECRET_KEY: the Backend API refuses it.", "401 Unauthorized"],
        ),
        (
            "no-api",
            1,
            vec![key, ("CLERK_API_URL", &format!("{api}/elsewhere"))],
            &["\nCLERK_API_URL: the answers are not those of", "404 Not Found"],
        ),
    ] {
        let variables: Variables =
            variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        let (run, ended) = world.backfill(name, &[], &variables).await;
        assert_eq!(ended, code, "{}", run.err());
        let lines = format!("\n{}", run.err());
        for text in told {
            assert!(lines.contains(text), "{name}: {text} in {lines}");
        }
        assert!(!run.err().contains("canary"), "{}", run.err());
        let made = world.folder().join("posts.db").exists();
        assert!(code != 2 || !made, "{name}");
    }
}

/// These say it to the person, and need no database.
#[tokio::test]
async fn help_and_misuse_say_what_there_is() {
    World::run(Backend::Sqlite, help_and_misuse).await;
}

async fn help_and_misuse(world: World) {
    let (help, code) = world.backfill("help", &["--help"], &[]).await;
    assert_eq!(code, 0);
    for text in ["--dry-run", "--remove-gone", "--at-most <N>", "CLERK_SECRET_KEY", "3 --dry-run"] {
        assert!(help.out().contains(text), "{text} in {}", help.out());
    }
    for (name, options) in [
        ("no-number", &["--remove-gone"][..]),
        ("lone-number", &["--at-most", "3"]),
        ("not-named", &["--remove-gone", "3"]),
        ("both", &["--dry-run", "--remove-gone", "--at-most", "3"]),
        ("dry-rewrite", &["--dry-run", "--rewrite"]),
        ("dry-revive", &["--dry-run", "--revive", "user_1"]),
        ("dry-from-start", &["--dry-run", "--from-start"]),
        ("negative", &["--remove-gone", "--at-most", "-1"]),
    ] {
        let (run, code) = world.backfill(name, options, &[]).await;
        assert_eq!(code, 2, "{}", run.err());
    }
    assert!(!world.folder().join("posts.db").exists());
}

#[tokio::test]
async fn the_line_that_a_server_with_a_dev_clerk_prints_works() {
    World::run(Backend::Sqlite, printed_line).await;
}

async fn printed_line(world: World) {
    let server = world.serve().await;
    world.clerk().user(&world.api(), "me@example.com").await;
    let variables = variables_in_the_line(&server.out());
    let (run, code) = world.backfill("printed", &[], &variables).await;
    assert_eq!(code, 0, "{}", run.err());
    shows(&run, &[("users", "1")]);
}

/// The variables in the line with which a server shows how its own dev Clerk is asked.
pub(crate) fn variables_in_the_line(out: &str) -> Variables {
    let line = out.lines().find(|line| line.ends_with(" backfill")).expect(out).trim();
    let variables = line.split(' ').map_while(|word| word.split_once('='));
    variables.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// A live key, for its pace.
pub(crate) fn variables_of(listing: &Listing) -> Variables {
    let url = ("CLERK_API_URL".to_owned(), listing.url.clone());
    vec![url, ("CLERK_SECRET_KEY".to_owned(), "sk_live_many".to_owned())]
}

/// Makes all users old enough to be gone.
async fn long_ago(world: &World) {
    let db = world.database().await;
    let long_ago = "UPDATE users SET created_at = '2020-01-01 00:00:00'";
    db.execute_unprepared(long_ago).await.unwrap();
}

/// What stands behind a name in the summary.
fn entry(run: &Process, name: &str) -> String {
    let out = run.out();
    let mut lines = out.lines().filter_map(|line| line.strip_prefix("  ")?.strip_prefix(name));
    lines.next().unwrap_or_else(|| panic!("{name} in {out}")).trim().to_owned()
}

#[track_caller]
fn shows(run: &Process, entries: &[(&str, &str)]) {
    for (name, value) in entries {
        assert_eq!(entry(run, name), *value, "{name}");
    }
}

on_every_backend!(
    who_signed_up_while_the_server_was_off_is_there_after_a_backfill,
    a_run_that_was_killed_goes_on_after_its_last_page,
    fault_s6_an_interrupted_run_of_long_ago_begins_anew_and_says_so,
    fault_s7_a_user_whom_the_database_refuses_is_named_and_the_run_goes_on,
    fault_s16_a_list_that_is_short_is_told_and_has_its_own_exit_code,
    a_signal_ends_a_run_at_once_and_the_next_one_goes_on,
    a_dry_run_says_what_differs_and_changes_nothing,
    who_is_gone_is_removed_with_everything_and_never_more_than_allowed,
    fault_s15_an_operator_takes_back_that_a_user_was_deleted,
    what_keeps_a_backfill_from_starting_is_told_by_variable,
);
