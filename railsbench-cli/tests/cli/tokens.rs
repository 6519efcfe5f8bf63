//! Tokens of an orchestrator, made and taken back.

use railsbench::server::{Server, ServerConfig};
use secrecy::ExposeSecret;

use super::{Ran, json, run, run_in};

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_made_used_listed_and_revoked() {
    let folder = tempfile::tempdir().unwrap();
    let config = ServerConfig::new("127.0.0.1:0".parse().unwrap(), folder.path().to_owned());
    let server = Box::pin(Server::start(config)).await.unwrap();
    let url = server.url().to_string();
    let key = server.api_key().expose_secret().to_owned();
    tokio::task::spawn_blocking(move || {
        let ask = |key: &str, arguments: &[&str]| -> Ran {
            let place = ["--orchestrator", &url, "--api-key", key];
            run(&[arguments, &place].concat())
        };
        let made = ask(&key, &["token", "create", "ada", "--valid", "2d", "--json"]);
        assert_eq!(made.code, 0, "{}", made.stderr);
        let made = json(&made.stdout);
        assert_eq!((&made["name"], &made["scope"]), (&"ada".into(), &"operator".into()));
        let adas = made["secret"].as_str().unwrap();
        let made = ask(adas, &["token", "create", "wall", "--scope", "reader"]);
        assert_eq!(made.code, 0, "{}", made.stderr);
        let walls = made.stdout.lines().next().unwrap();
        assert!(made.stdout.contains("reader token of wall, until "), "{}", made.stdout);
        let listed = ask(adas, &["token", "list"]);
        assert!(listed.stdout.contains(" ada ") && listed.stdout.contains(" wall "));
        assert!(![adas, walls].iter().any(|secret| listed.stdout.contains(secret)));
        assert_eq!(ask(walls, &["status"]).code, 0);
        let looks_only = ask(walls, &["token", "list"]);
        assert!(looks_only.code == 3 && looks_only.stderr.contains("operator token"));
        let taken = ask(&key, &["token", "create", "ada"]);
        assert_eq!(taken.code, 2);
        assert!(taken.stderr.contains("revoke it first, or choose another name"));
        assert_eq!(ask(&key, &["token", "revoke", "ada"]).code, 0);
        assert_eq!(ask(adas, &["status"]).code, 3);
        let gone = ask(&key, &["token", "revoke", "ada"]);
        assert!(gone.code == 2 && gone.stderr.contains("there is no token ada"), "{}", gone.stderr);
    })
    .await
    .unwrap();
    server.shutdown().await.unwrap();
}

#[test]
fn a_folder_without_runs_has_no_tokens() {
    let folder = tempfile::tempdir().unwrap();
    let listed = run_in(folder.path(), &["token", "list"]);
    assert!(listed.code == 0 && listed.stdout.starts_with("no tokens by name"));
    assert_eq!(run_in(folder.path(), &["token", "revoke", "ada"]).code, 2);
    assert!(!folder.path().join(".railsbench").exists(), "asking makes nothing");
    for (arguments, said) in [
        (["create", "a b", "--valid", "1d"], "token name"),
        (["create", "ada", "--valid", "0d"], "it would have ended already"),
        (["create", "ada", "--valid", "soon"], "e.g. 6h, 90m or 2d"),
    ] {
        let wrong = run_in(folder.path(), &[&["token"], &arguments[..]].concat());
        assert!(wrong.code == 2 && wrong.stderr.contains(said), "{}", wrong.stderr);
    }
}
