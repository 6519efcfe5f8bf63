//! What a runner uploads is looked at before it counts, and what is fetched stays in its folder.

use railsbench::collect::fetch_results;
use secrecy::ExposeSecret;

use crate::support::{ServerProcess, archive, mock_config, run_id};

#[tokio::test]
async fn only_a_readable_result_completes_a_task() {
    let folder = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(&folder.path().join("server"), &[]);
    let id = run_id("hostile");
    let token = server.client.create_run(&mock_config(1), &id).await.unwrap().run_token.unwrap();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let post = async |path: String, body: serde_json::Value| {
        let url = server.client.url().join(&path).unwrap();
        let request = http.post(url).bearer_auth(token.expose_secret()).json(&body);
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json::<serde_json::Value>().await.unwrap())
    };
    let claim = serde_json::json!({"provider": "local", "instance_type": "host"});
    let (_, task) = post("/runs/hostile/tasks/claim".to_owned(), claim).await;
    let upload = task["upload_url"].as_str().unwrap().to_owned();
    let complete = format!("/tasks/{}/complete", task["task_id"].as_str().unwrap());
    let nothing = serde_json::json!({});

    let (status, problem) = post(complete.clone(), nothing.clone()).await;
    assert_eq!(status, 422, "nothing was uploaded: {problem}");

    let mut bomb = vec![0; 64 << 20];
    bomb[..2].copy_from_slice(b"{}");
    let metadata = ("metadata.json", b"{}".as_slice());
    let hostile: [(&str, Vec<u8>); 7] = [
        ("empty", Vec::new()),
        ("not gzip", b"hello".to_vec()),
        ("no metadata", archive(&[("output.txt", b"x")])),
        ("escaping name", archive(&[metadata, ("../../escaped", b"x")])),
        ("absolute name", archive(&[metadata, ("/tmp/escaped", b"x")])),
        ("metadata elsewhere", archive(&[("deep/metadata.json", b"{}")])),
        ("torn", archive(&[metadata, ("output.txt", &bomb[..4096])])[..60].to_vec()),
    ];
    for (name, body) in hostile {
        let put = http.put(&upload).body(body).send().await.unwrap();
        // An empty upload may be refused at once.
        assert!(put.status().is_success() || name == "empty", "{name}: {}", put.status());
        let (status, problem) = post(complete.clone(), nothing.clone()).await;
        assert_eq!(status, 422, "{name}: {problem}");
        assert!(problem["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{problem}");
    }

    // The attempt has gone on all the while, and a good archive completes it.
    let good = archive(&[metadata, ("output.txt", b"fine"), ("extra/../odd", b"x")]);
    let put = http.put(&upload).body(good).send().await.unwrap();
    assert!(put.status().is_success());
    let (status, _) = post(complete.clone(), nothing.clone()).await;
    assert_eq!(status, 422, "a name with .. in the middle is hostile too");
    let good = archive(&[metadata, ("output.txt", b"fine")]);
    assert!(http.put(&upload).body(good).send().await.unwrap().status().is_success());
    let (status, answer) = post(complete.clone(), nothing).await;
    assert_eq!(status, 200, "{answer}");

    let results = folder.path().join("results");
    let folders = fetch_results(&server.client, &id, &results).await.unwrap();
    assert_eq!(folders, [results.join("hostile/host-1")]);
    assert_eq!(std::fs::read(folders[0].join("output.txt")).unwrap(), b"fine");
}
