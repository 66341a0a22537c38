//! A server whose role has rights on rows alone.

use sea_orm::{ConnectionTrait, Database, DatabaseConnection};
use tower_clerk::sea_orm::{Schema, UserStatus};
use tower_clerk::test_util::{user_created, user_deleted};

use crate::support::database::{Backend, Place, on_each_server};
use crate::support::sink_service::Server;

on_each_server!(fault_s13_a_role_that_may_not_create_tables_serves_what_another_has_migrated);

const T: i64 = 1_649_360_000_000;
const ROLE: &str = "tower_clerk_rows_alone";

/// Opens a connection as a role that may read and write rows, and do nothing else.
async fn with_rights_on_rows(owner: &DatabaseConnection, place: &Place) -> DatabaseConnection {
    let (before_user, after) = place.url.split_once("://").unwrap();
    let (_, host) = after.split_once('@').unwrap_or(("", after));
    let database = host.rsplit('/').next().unwrap().split('?').next().unwrap();
    let grants = match place.backend {
        Backend::MySql => vec![
            format!("CREATE OR REPLACE USER {ROLE} IDENTIFIED BY 'canary'"),
            format!("GRANT SELECT, INSERT, UPDATE, DELETE ON `{database}`.* TO {ROLE}"),
        ],
        _ => vec![
            format!("DROP ROLE IF EXISTS {ROLE}"),
            format!("CREATE ROLE {ROLE} LOGIN PASSWORD 'canary'"),
            "REVOKE CREATE ON SCHEMA public FROM PUBLIC".to_owned(),
            format!(
                "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {ROLE}"
            ),
        ],
    };
    for grant in grants {
        owner.execute_unprepared(&grant).await.unwrap();
    }
    Database::connect(format!("{before_user}://{ROLE}:canary@{host}")).await.unwrap()
}

async fn forget_role(owner: &DatabaseConnection, backend: Backend) {
    let forget = match backend {
        Backend::MySql => format!("DROP USER {ROLE}"),
        _ => format!("DROP OWNED BY {ROLE}; DROP ROLE {ROLE}"),
    };
    owner.execute_unprepared(&forget).await.unwrap();
}

async fn fault_s13_a_role_that_may_not_create_tables_serves_what_another_has_migrated(
    place: Place,
) {
    let owner = place.pool(1).await;
    let schema = || Schema::new().with_organizations();
    schema().migrate(&owner).await.unwrap();
    let role = with_rights_on_rows(&owner, &place).await;
    assert!(role.execute_unprepared("CREATE TABLE mine (id INTEGER)").await.is_err());

    // `start_with` migrates, as servers do.
    let server = Server::start_with(role.clone(), schema()).await;
    server.post_new(&user_created("user_1", Some("ann@example.com"), T)).await;
    assert_eq!(server.email("user_1").await.as_deref(), Some("ann@example.com"));
    server.post_new(&user_deleted("user_1")).await;
    assert_eq!(server.sink.user_status("user_1").await.unwrap(), UserStatus::Deleted);

    // Where something is to be made, it is said who may not.
    owner.execute_unprepared("DELETE FROM clerk_migrations").await.unwrap();
    let error = schema().migrate(&role).await.unwrap_err().to_string();
    assert!(error.contains("denied"), "{error}");
    let _closed = role.close().await;
    forget_role(&owner, place.backend).await;
}
