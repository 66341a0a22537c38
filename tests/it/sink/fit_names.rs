//! Names that cannot be used, columns of an application's own that cannot be filled, and what a
//! name finds that is not what it should mean.

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr};
use tower_clerk::sea_orm::{Deletion, Schema, SeaOrmSink, migrate};
use tower_clerk::test_util::{user_created, user_deleted, user_updated};

use crate::sink::schema::row;
use crate::support::database::{count, on_each_database};
use crate::support::sink_service::Server;

on_each_database!(
    a_name_that_is_taken_or_empty_is_refused_everywhere,
    an_own_column_that_nobody_can_leave_out_or_fill_is_refused,
    columns_in_another_case_fit_where_the_database_makes_no_difference,
    a_view_is_called_a_view,
    a_domain_is_taken_for_what_it_is_made_of,
    a_table_further_back_on_the_search_path_is_not_hidden,
);

const T: i64 = 1_649_360_000_000;

fn with(columns: &[&str]) -> Schema {
    columns.iter().fold(Schema::new(), |schema, name| {
        schema.user_column(*name, |user| user.locale.clone().into())
    })
}

async fn a_name_that_is_taken_or_empty_is_refused_everywhere(db: DatabaseConnection) {
    let mut refused = vec![
        ("user_column", with(&["id"])),
        ("user_column", with(&["email"])),
        ("user_column", with(&["updated_at"])),
        ("user_column", with(&["deleted_at"]).on_deletion(Deletion::Mark)),
        ("user_column", with(&["locale", "locale"])),
        ("user_column", with(&[""])),
        ("users_table", Schema::new().users_table("")),
        ("users_table", Schema::new().users_table("clerk_deliveries")),
        ("in_schema", Schema::new().in_schema("")),
        ("with_organizations_in", Schema::new().with_organizations_in("same", "same")),
        ("with_organizations_in", Schema::new().with_organizations_in("", "members")),
        ("with_organizations_in", Schema::new().with_organizations_in("users", "members")),
    ];
    if db.get_database_backend() != DbBackend::Postgres {
        refused.push(("user_column", with(&["Email"])));
        refused.push(("user_column", with(&["locale", "LOCALE"])));
    }
    for (setting, schema) in refused {
        for outcome in [schema.migrate(&db).await, schema.check(&db).await] {
            let error = outcome.unwrap_err();
            assert!(matches!(error, DbErr::Migration(_)), "{error:?}");
            assert!(error.to_string().contains(setting), "{error}");
        }
        let error = SeaOrmSink::with_schema(db.clone(), schema).unwrap_err();
        assert_eq!(error.setting(), setting);
    }
    let made = db.execute_unprepared("SELECT 1 FROM users").await;
    assert!(made.is_err(), "nothing is made for a schema that is refused");
    SeaOrmSink::with_schema(db, with(&["locale", "deleted_at"])).unwrap();
}

async fn an_own_column_that_nobody_can_leave_out_or_fill_is_refused(db: DatabaseConnection) {
    let backend = db.get_database_backend();
    migrate(&db).await.unwrap();
    let add = async |column: &str| {
        db.execute_unprepared(&format!("ALTER TABLE users ADD COLUMN {column}")).await.unwrap();
    };
    let kind = if backend == DbBackend::Sqlite { "VIRTUAL" } else { "STORED" };
    add(&format!("language VARCHAR(9) GENERATED ALWAYS AS ('en') {kind}")).await;
    add("locale VARCHAR(9) NOT NULL DEFAULT ''").await;
    with(&["locale"]).check(&db).await.unwrap();
    let mut cases = vec![("language", "`language` is generated, but the sink must write to it")];
    if backend != DbBackend::Sqlite {
        // SQLite adds no column like that to a table.
        add("region VARCHAR(9) NOT NULL").await;
        cases
            .push(("region", "`region` is required and has no default, but the sink has no value"));
    }
    for (column, problem) in cases {
        let schema = with(&[column]);
        for outcome in [schema.check(&db).await, schema.migrate(&db).await] {
            let refusal = outcome.unwrap_err().to_string();
            assert!(refusal.contains(problem), "{refusal}");
        }
    }
}

async fn columns_in_another_case_fit_where_the_database_makes_no_difference(
    db: DatabaseConnection,
) {
    migrate(&db).await.unwrap();
    for (name, other) in [("id", "ID"), ("email", "Email"), ("created_at", "Created_At")] {
        let rename = format!("ALTER TABLE users RENAME COLUMN {name} TO \"{other}\"");
        let rename = match db.get_database_backend() {
            DbBackend::MySql => rename.replace('"', "`"),
            _ => rename,
        };
        db.execute_unprepared(&rename).await.unwrap();
    }
    let schema = with(&["Locale"]);
    let own = "ALTER TABLE users ADD COLUMN locale VARCHAR(9)";
    db.execute_unprepared(own).await.unwrap();
    if db.get_database_backend() == DbBackend::Postgres {
        let refusal = schema.check(&db).await.unwrap_err().to_string();
        for problem in
            ["`id` is missing; `ID` has the unique", "`email` is missing", "`Locale` is missing"]
        {
            assert!(refusal.contains(problem), "{refusal}");
        }
        return;
    }
    schema.check(&db).await.unwrap();
    let server = Server::start_with(db.clone(), schema).await;
    server.sink.ensure_user("user_1").await.unwrap();
    server.post_new(&user_created("user_1", Some("ann@example.com"), T)).await;
    server.post_new(&user_updated("user_1", Some("new@example.com"), T + 1)).await;
    assert_eq!(server.email("user_1").await.as_deref(), Some("new@example.com"));
    server.post_new(&user_deleted("user_1")).await;
    assert_eq!(count(&db, "users").await, 0);
}

async fn a_view_is_called_a_view(db: DatabaseConnection) {
    Schema::new().users_table("people").migrate(&db).await.unwrap();
    db.execute_unprepared("CREATE VIEW users AS SELECT * FROM people").await.unwrap();
    let refusal = Schema::new().check(&db).await.unwrap_err().to_string();
    assert!(refusal.contains("it is a view, but the sink writes to tables only: "), "{refusal}");
    assert!(!refusal.contains("ALTER"), "{refusal}");
}

/// On PostgreSQL.
async fn a_domain_is_taken_for_what_it_is_made_of(db: DatabaseConnection) {
    if db.get_database_backend() != DbBackend::Postgres {
        return;
    }
    migrate(&db).await.unwrap();
    for statement in [
        "CREATE DOMAIN word AS text CHECK (value <> 'x')",
        "CREATE DOMAIN address AS word DEFAULT 'nobody' CHECK (value LIKE '%@%')",
        "CREATE DOMAIN short AS varchar(20)",
        "ALTER TABLE users ALTER COLUMN email TYPE address, ALTER COLUMN id TYPE word",
    ] {
        db.execute_unprepared(statement).await.unwrap();
    }
    let server = Server::start(db.clone()).await;
    server.post_new(&user_created("user_1", Some("ann@example.com"), T)).await;
    assert_eq!(server.email("user_1").await.as_deref(), Some("ann@example.com"));
    db.execute_unprepared("ALTER TABLE users ALTER COLUMN email TYPE short").await.unwrap();
    let refusal = migrate(&db).await.unwrap_err().to_string();
    assert!(refusal.contains("`email` is varchar(20)"), "{refusal}");
}

/// On PostgreSQL.
async fn a_table_further_back_on_the_search_path_is_not_hidden(db: DatabaseConnection) {
    if db.get_database_backend() != DbBackend::Postgres {
        return;
    }
    db.execute_unprepared("CREATE TABLE public.users (id bigint primary key)").await.unwrap();
    // In front of `public` on every connection, as `"$user"` is.
    let user = row(&db, "SELECT current_user::text").await;
    let user: String = user.try_get_by_index(0).unwrap();
    db.execute_unprepared(&format!("CREATE SCHEMA \"{user}\"")).await.unwrap();
    let refusal = migrate(&db).await.unwrap_err().to_string();
    for part in ["`users` is in the schema `public`", "in_schema"] {
        assert!(refusal.contains(part), "{refusal}");
    }
    let made = row(&db, "SELECT COUNT(*) FROM pg_tables WHERE schemaname = current_user").await;
    assert_eq!(made.try_get_by_index::<i64>(0).unwrap(), 0);
    Server::start_with(db, Schema::new().in_schema(user)).await;
}
