//! The schema: made once, kept, and refused if it is from the future.

use railsbench_emulators::postgres::Cluster;
use railsbench_server::store::{PostgresConfig, PostgresStore, Store};

use crate::steps::{new_run, open, run_id};

async fn refusal(url: &str) -> String {
    PostgresStore::open(&PostgresConfig::new(url.into())).await.unwrap_err().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_start_together_make_it_once() {
    let cluster = Cluster::start();
    let url = cluster.create_database("bench");
    let stores = futures::future::join_all((0..6).map(|_| open(&url))).await;
    stores[0].create_run(new_run("r", 1)).await.unwrap();
    for store in &stores {
        assert!(store.run(&run_id("r")).await.unwrap().is_some());
    }
    drop(stores);
    let again = open(&url).await;
    assert!(again.run(&run_id("r")).await.unwrap().is_some(), "it is kept");
    assert_eq!(cluster.sql("bench", "SELECT version FROM railsbench.schema_version"), "3");
    let others = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
    assert_eq!(cluster.sql("bench", others), "0", "nothing is put among the tables of others");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_of_a_newer_program_is_refused() {
    let cluster = Cluster::start();
    let url = cluster.create_database("bench");
    drop(open(&url).await);
    cluster.sql("bench", "UPDATE railsbench.schema_version SET version = 99");
    let error = refusal(&url).await;
    assert!(error.contains("version 99") && error.contains("newer railsbench"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_keeps_a_server_out_is_said_with_its_fix() {
    let cluster = Cluster::start();
    let error = refusal(&cluster.url("nowhere")).await;
    assert!(error.contains("does not exist") && error.contains("make the database"), "{error}");
    let url = cluster.create_database("bench");
    let error = refusal(&url.replace("odd", "even")).await;
    assert!(error.contains("password authentication failed"), "{error}");
    assert!(!error.contains("even"), "{error}");
    cluster.sql("postgres", "CREATE ROLE guest LOGIN PASSWORD 'guest'");
    let guest = format!("postgres://guest:guest@127.0.0.1:{}/bench", cluster.port());
    let error = refusal(&guest).await;
    assert!(error.contains("must be allowed to make a schema"), "{error}");
    // Of a schema that is there, its owner's leave is enough.
    drop(open(&url).await);
    cluster.sql(
        "bench",
        "GRANT USAGE ON SCHEMA railsbench TO guest;
         GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA railsbench TO guest",
    );
    open(&guest).await.create_run(new_run("r", 1)).await.unwrap();
}
