//! Tables of users that were there before: which are taken, and what mends the others.

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend};
use tower_clerk::sea_orm::{Schema, SeaOrmSink, migrate};
use tower_clerk::test_util::{user_created, user_deleted, user_updated};

use crate::sink::schema::row;
use crate::support::database::{count, on_each_database};
use crate::support::sink_service::Server;

on_each_database!(
    a_fitting_table_of_users_is_taken_as_it_is,
    a_table_of_users_that_does_not_fit_is_refused_with_what_would_mend_it,
    what_mends_a_table_loses_nothing_of_a_columns_definition,
    an_index_that_was_broken_off_is_no_key,
);

const T: i64 = 1_649_360_000_000;

/// A table that somebody made long before, by their own lights.
fn older_table(backend: DbBackend) -> &'static str {
    match backend {
        DbBackend::MySql => {
            "CREATE TABLE users (\
               id VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL, \
               email TEXT CHARACTER SET utf8mb4, first_name TEXT CHARACTER SET utf8mb4, \
               last_name TEXT CHARACTER SET utf8mb4, username TEXT CHARACTER SET utf8mb4, \
               image_url LONGTEXT CHARACTER SET utf8mb4, plan VARCHAR(20) NOT NULL DEFAULT 'free', \
               age INT, serial INT NOT NULL AUTO_INCREMENT, KEY (serial), \
               created_at DATETIME NOT NULL, updated_at DATETIME(3) NOT NULL, PRIMARY KEY (id))"
        }
        DbBackend::Postgres => {
            "CREATE TABLE users (\
               id VARCHAR(255) PRIMARY KEY, email VARCHAR, first_name TEXT, last_name TEXT, \
               username TEXT, image_url TEXT, plan VARCHAR(20) NOT NULL DEFAULT 'free', age INT, \
               serial BIGSERIAL, created_at TIMESTAMPTZ NOT NULL DEFAULT now(), \
               updated_at TIMESTAMPTZ NOT NULL)"
        }
        _ => {
            "CREATE TABLE users (\
               id VARCHAR(255) PRIMARY KEY, email TEXT, first_name TEXT, last_name TEXT, \
               username TEXT, image_url CLOB, plan TEXT NOT NULL DEFAULT 'free', age INT, \
               created_at TIMESTAMP NOT NULL, updated_at DATETIME NOT NULL)"
        }
    }
}

async fn a_fitting_table_of_users_is_taken_as_it_is(db: DatabaseConnection) {
    let table = older_table(db.get_database_backend());
    db.execute_unprepared(table).await.unwrap();
    db.execute_unprepared(
        "INSERT INTO users (id, email, plan, age, created_at, updated_at) VALUES \
         ('legacy_7', 'old@example.com', 'paid', 70, '2020-01-01 00:00:00', '2020-01-01 00:00:00'), \
         ('user_1', 'old@example.com', 'paid', 30, '2020-01-01 00:00:00', '2020-01-01 00:00:00')",
    )
    .await
    .unwrap();
    let server = Server::start(db.clone()).await;
    Schema::new().check(&db).await.unwrap();
    server.post_new(&user_updated("user_1", Some("new@example.com"), T)).await;
    server.post_new(&user_created("user_2", Some("new@example.com"), T)).await;
    let kept = row(&db, "SELECT email, plan, age FROM users WHERE id = 'user_1'").await;
    assert_eq!(kept.try_get_by_index::<String>(0).unwrap(), "new@example.com");
    assert_eq!(kept.try_get_by_index::<String>(1).unwrap(), "paid");
    assert_eq!(kept.try_get_by_index::<i32>(2).unwrap(), 30);
    assert_eq!(count(&db, "users").await, 3);
    server.post_new(&user_deleted("user_1")).await;
    assert_eq!(count(&db, "users").await, 2);
}

/// A change, what is said of it, and whether a statement mends it.
fn unfit(backend: DbBackend) -> Vec<(String, &'static str, bool)> {
    let whole = older_table(backend);
    let changed = |from: &str, to: &str| {
        assert!(whole.contains(from), "{from}");
        whole.replacen(from, to, 1)
    };
    let email = match backend {
        DbBackend::MySql => "email TEXT CHARACTER SET utf8mb4",
        DbBackend::Postgres => "email VARCHAR",
        _ => "email TEXT",
    };
    // SQLite cannot change a column: the table must be made anew.
    let can_alter = backend != DbBackend::Sqlite;
    let mut cases = vec![
        (changed(&format!("{email}, "), ""), "`email` is missing", true),
        (changed(email, &format!("{email} NOT NULL")), "`email` does not allow NULL", can_alter),
        (changed("age INT", "age INT NOT NULL"), "`age` is required and has no", can_alter),
        (changed("age INT", "age INT UNIQUE"), "`age` has the unique index or", false),
    ];
    let also: &[(&str, &str, &str, bool)] = match backend {
        DbBackend::MySql => &[
            ("utf8mb4_bin", "utf8mb4_general_ci", "`id` is varchar(255) utf8mb4_general_ci", true),
            ("id VARCHAR(255)", "id VARCHAR(36)", "`id` is varchar(36)", true),
            (email, "email VARCHAR(100) CHARACTER SET utf8mb4", "`email` is varchar(100)", true),
            (email, "email VARCHAR(100), KEY (email)", "`email` is varchar(100)", false),
            (
                "first_name TEXT CHARACTER SET utf8mb4",
                "first_name TEXT CHARACTER SET latin1 DEFAULT 'x'",
                "`first_name` is text(65535) latin1",
                true,
            ),
            (", PRIMARY KEY (id)", "", "`id` is not unique by itself", true),
            (email, "email TEXT CHARACTER SET utf8mb4 AS (plan)", "`email` is generated", false),
            ("created_at DATETIME", "created_at DATE", "`created_at` is date", true),
            (
                "created_at DATETIME NOT NULL",
                "created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP",
                "`created_at` is timestamp",
                true,
            ),
            ("DATETIME(3) NOT NULL", "TIMESTAMP(3) NULL", "`updated_at` is timestamp", true),
            ("DATETIME(3) NOT NULL", "BIGINT NOT NULL", "`updated_at` is bigint", false),
            ("DATETIME(3) NOT NULL", "DATETIME(3)", "`updated_at` allows NULL", true),
        ],
        DbBackend::Postgres => &[
            ("VARCHAR(255) PRIMARY", "VARCHAR(36) PRIMARY", "`id` is varchar(36)", true),
            ("VARCHAR(255) PRIMARY", "UUID PRIMARY", "`id` is uuid", false),
            ("VARCHAR(255) PRIMARY", "BIGINT PRIMARY", "`id` is int8", false),
            (" PRIMARY KEY", "", "`id` is not unique by itself", true),
            ("PRIMARY KEY", "PRIMARY KEY DEFERRABLE", "`id` is unique only by the defer", true),
            ("VARCHAR(255) P", "VARCHAR(255) COLLATE any_case P", "`id` is varchar(255) pub", true),
            (email, "email VARCHAR(100)", "`email` is varchar(100)", true),
            (email, "email TEXT, EXCLUDE (email WITH =)", "`email` has the exclusion", false),
            (email, "email TEXT GENERATED ALWAYS AS (plan) STORED", "`email` is generated", false),
            (email, "email needed", "`email` does not allow NULL", false),
            ("TIMESTAMPTZ NOT NULL", "TIMESTAMP NOT NULL", "`created_at` is timestamp", true),
            ("TIMESTAMPTZ NOT NULL", "DATE NOT NULL", "`created_at` is date", true),
            ("_at TIMESTAMPTZ NOT NULL)", "_at TIMESTAMPTZ)", "`updated_at` allows NULL", true),
        ],
        _ => &[
            ("id VARCHAR(255)", "id INT", "`id` is int", false),
            ("PRIMARY KEY", "COLLATE NOCASE PRIMARY KEY", "`id` is not compared byte for", false),
            (" PRIMARY KEY", "", "`id` is not unique by itself", true),
            (email, "email TEXT AS (plan)", "`email` is generated", false),
            ("DATETIME NOT NULL", "DATETIME", "`updated_at` allows NULL", false),
        ],
    };
    if backend == DbBackend::MySql {
        // Its keys are shorter.
        let table = changed("utf8mb4 COLLATE utf8mb4_bin", "ascii COLLATE ascii_bin");
        cases.push((format!("{table} ENGINE = MyISAM"), "its engine is MyISAM", true));
    }
    cases.extend(also.iter().map(|(from, to, what, mends)| (changed(from, to), *what, *mends)));
    cases
}

async fn a_table_of_users_that_does_not_fit_is_refused_with_what_would_mend_it(
    db: DatabaseConnection,
) {
    let backend = db.get_database_backend();
    let mut cases = unfit(backend);
    if backend == DbBackend::Postgres {
        db.execute_unprepared("CREATE DOMAIN needed AS text NOT NULL").await.unwrap();
        let any_case = "CREATE COLLATION any_case (provider = icu, locale = 'und-u-ks-level2', \
                        deterministic = false)";
        if db.execute_unprepared(any_case).await.is_err() {
            // A server that was built without it.
            cases.retain(|(table, ..)| !table.contains("any_case"));
        }
    }
    for (table, problem, has_statement) in cases {
        db.execute_unprepared(&table).await.unwrap_or_else(|error| panic!("{table}: {error}"));
        if has_statement {
            db.execute_unprepared(&fill(&table)).await.unwrap();
        }
        let refusal = migrate(&db).await.unwrap_err().to_string();
        assert!(refusal.contains(problem), "{problem}: {refusal}");
        let lines: Vec<&str> = refusal.lines().filter(|line| line.starts_with("  ")).collect();
        assert_eq!(lines.len(), 1, "nothing else is wrong: {refusal}");
        let again = migrate(&db).await.unwrap_err().to_string();
        assert_eq!(again, refusal, "nothing was changed");
        let (_, remedy) = lines[0].split_once(": ").unwrap();
        let is_statement = ["ALTER", "CREATE", "SET "].iter().any(|word| remedy.starts_with(word));
        assert_eq!(is_statement, has_statement, "{remedy}");
        if has_statement {
            let before = kept(&db, &table).await;
            db.execute_unprepared(remedy).await.unwrap_or_else(|error| panic!("{remedy}: {error}"));
            assert_eq!(kept(&db, &table).await, before, "{remedy}");
            migrate(&db).await.unwrap_or_else(|error| panic!("{remedy}: {error}"));
            let server = Server::on(SeaOrmSink::new(db.clone()).unwrap());
            server.post_new(&user_created("user_1", Some("ann@example.com"), T)).await;
            assert_eq!(count(&db, "users WHERE email = 'ann@example.com'").await, 1);
            server.post_new(&user_deleted("user_1")).await;
            db.execute_unprepared("DELETE FROM clerk_user_versions").await.unwrap();
        }
        db.execute_unprepared("DROP TABLE users").await.unwrap();
    }
}

/// A row of somebody's from before.
fn fill(table: &str) -> String {
    let email =
        if table.contains("email ") { ("email, ", "'old@example.com', ") } else { ("", "") };
    let (name, value) = email;
    format!(
        "INSERT INTO users ({name}id, first_name, plan, age, created_at, updated_at) VALUES \
         ({value}'0f61a3c0-0000-4000-8000-00000000000a', 'Zoë', 'paid', 70, '2020-01-02 00:00:00', \
         '2020-07-02 13:14:15.123')"
    )
}

/// What that row holds, as text that does not depend on the columns' types.
async fn kept(db: &DatabaseConnection, table: &str) -> Vec<Option<String>> {
    let email = if table.contains("email ") { "email" } else { "plan" };
    let mut kept = Vec::new();
    for column in ["id", email, "first_name", "plan", "age", "created_at", "updated_at"] {
        let text = match (db.get_database_backend(), column.ends_with("_at")) {
            (DbBackend::MySql, false) => format!("CAST({column} AS CHAR)"),
            (DbBackend::MySql, true) => format!("DATE_FORMAT({column}, '%Y-%m-%d %H:%i:%s.%f')"),
            (DbBackend::Postgres, true) => {
                format!("(EXTRACT(EPOCH FROM {column}) * 1000)::bigint::text")
            }
            (DbBackend::Postgres, false) => format!("CAST({column} AS TEXT) COLLATE \"C\""),
            _ => format!("CAST({column} AS TEXT)"),
        };
        let row = row(db, &format!("SELECT {text} FROM users WHERE plan = 'paid'")).await;
        kept.push(row.try_get_by_index(0).unwrap());
    }
    kept
}

/// On MySQL, which changes a column by its whole definition alone.
async fn what_mends_a_table_loses_nothing_of_a_columns_definition(db: DatabaseConnection) {
    if db.get_database_backend() != DbBackend::MySql {
        return;
    }
    let columns = [
        ("balance", "DECIMAL(10,2)", "COMMENT 'it''s NOT NULL'", "12.34"),
        ("big", "BIGINT UNSIGNED", "", "18446744073709551615"),
        ("kind", "ENUM('a','NOT NULL','c''')", "", "'NOT NULL'"),
        ("since", "DATETIME(6)", "COMMENT ''", "'1900-01-01 00:00:00.123456'"),
        ("note", "VARCHAR(20) CHARACTER SET latin1 COLLATE latin1_german1_ci", "", "'é'"),
        ("bits", "BIT(3)", "CHECK (bits < 7)", "b'101'"),
        ("raw", "VARBINARY(9)", "", "x'00ff'"),
    ];
    for (table, null) in [("users", "NOT NULL"), ("mended", "NULL")] {
        let more =
            columns.map(|(name, its_type, more, _)| format!("{name} {its_type} {null} {more}, "));
        let create = older_table(DbBackend::MySql)
            .replacen("age INT", &format!("{} age INT", more.concat()), 1)
            .replacen("users", table, 1);
        db.execute_unprepared(&create).await.unwrap();
    }
    let names = columns.map(|(name, ..)| name).join(", ");
    let values = columns.map(|(.., value)| value).join(", ");
    db.execute_unprepared(&format!(
        "INSERT INTO users ({names}, id, created_at, updated_at) \
         VALUES ({values}, 'x', '2020-01-01', '2020-01-01')"
    ))
    .await
    .unwrap();
    let held = format!("SELECT HEX(CONCAT_WS('|', {names})) FROM users");
    let before = row(&db, &held).await.try_get_by_index::<String>(0).unwrap();

    let refusal = migrate(&db).await.unwrap_err().to_string();
    let lines: Vec<&str> = refusal.lines().filter(|line| line.starts_with("  ")).collect();
    assert_eq!(lines.len(), columns.len(), "{refusal}");
    for line in lines {
        let (_, remedy) = line.split_once(": ").unwrap();
        db.execute_unprepared(remedy).await.unwrap_or_else(|error| panic!("{remedy}: {error}"));
    }
    migrate(&db).await.unwrap();
    assert_eq!(row(&db, &held).await.try_get_by_index::<String>(0).unwrap(), before);
    let shown = async |table: &str| {
        let shown = row(&db, &format!("SHOW CREATE TABLE {table}")).await;
        let shown = shown.try_get_by_index::<String>(1).unwrap();
        shown.lines().filter(|line| line.starts_with("  `")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(shown("users").await, shown("mended").await);
}

/// On PostgreSQL.
async fn an_index_that_was_broken_off_is_no_key(db: DatabaseConnection) {
    if db.get_database_backend() != DbBackend::Postgres {
        return;
    }
    let table = older_table(DbBackend::Postgres).replacen(" PRIMARY KEY", " NOT NULL", 1);
    db.execute_unprepared(&table).await.unwrap();
    for _ in 0..2 {
        let insert = "INSERT INTO users (id, created_at, updated_at) VALUES ('x', now(), now())";
        db.execute_unprepared(insert).await.unwrap();
    }
    let index = "CREATE UNIQUE INDEX CONCURRENTLY users_id ON users (id)";
    db.execute_unprepared(index).await.unwrap_err();
    db.execute_unprepared("DELETE FROM users").await.unwrap();
    let refusal = migrate(&db).await.unwrap_err().to_string();
    let invalid = "`users_id` is invalid: its creation failed or has not finished: REINDEX";
    assert!(refusal.contains(invalid), "{refusal}");
    db.execute_unprepared("REINDEX INDEX \"users_id\"").await.unwrap();
    migrate(&db).await.unwrap();
}
