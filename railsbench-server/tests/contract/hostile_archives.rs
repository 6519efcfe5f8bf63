//! What runners must not get accepted: the attempt goes on, and a good upload still counts.

use reqwest::StatusCode;
use serde_json::json;

use crate::support::{Bench, archive, good_archive, gzip, sha256};

fn tar_entry(path: &[u8], kind: tar::EntryType, link: Option<&str>) -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    header.as_mut_bytes()[..path.len()].copy_from_slice(path);
    header.set_entry_type(kind);
    header.set_size(0);
    header.set_mode(0o644);
    if let Some(link) = link {
        header.set_link_name(link).unwrap();
    }
    header.set_cksum();
    header.as_bytes().to_vec()
}

fn with_metadata(entry: &[u8]) -> Vec<u8> {
    let mut bytes = entry.to_vec();
    bytes.extend(tar_entry(b"metadata.json", tar::EntryType::Regular, None));
    bytes.extend([0; 1024]);
    gzip(&bytes)
}

#[tokio::test]
async fn hostile_archives_are_refused_and_the_attempt_goes_on() {
    let bench = Bench::start().await;
    let token = bench.run("h", 1).await;
    let claimed = bench.claim("h", &token, "a").await;
    let task = claimed["task_id"].as_str().unwrap();
    let url = claimed["upload_url"].as_str().unwrap();
    let missing = bench.complete(task, &token, "a").await.problem(422);
    assert!(missing["detail"].as_str().unwrap().contains("nothing is stored"), "{missing}");

    let regular = tar::EntryType::Regular;
    let mut cut_off = good_archive();
    cut_off.truncate(cut_off.len() / 2);
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("empty", Vec::new()),
        ("not gzip", b"PK\x03\x04 this is no gzip".to_vec()),
        ("not tar", gzip(&[b'x'; 4096])),
        ("cut off", cut_off),
        ("no metadata", archive(&[("output.json", b"{}")])),
        ("metadata in a folder", archive(&[("deep/metadata.json", b"{}")])),
        ("leads out", with_metadata(&tar_entry(b"../../etc/passwd", regular, None))),
        ("absolute", with_metadata(&tar_entry(b"/etc/passwd", regular, None))),
        ("a link", with_metadata(&tar_entry(b"x", tar::EntryType::Symlink, Some("/etc")))),
        ("a hard link", with_metadata(&tar_entry(b"x", tar::EntryType::Link, Some("/etc/passwd")))),
        ("a device", with_metadata(&tar_entry(b"x", tar::EntryType::Char, None))),
        ("a bomb", gzip(&vec![0; 64 << 20])),
    ];
    for (name, bytes) in cases {
        bench.put(url, bytes).await.expect(StatusCode::OK);
        let refused = bench.complete(task, &token, "a").await.problem(422);
        assert_eq!(refused["errors"][0]["field"], "s3_result_key", "{name}: {refused}");
        let view = bench.get("/runs/h").await.expect(StatusCode::OK);
        assert_eq!(view["tasks"][0]["status"], "claimed", "{name}");
        assert_eq!(view["tasks"][0]["failures"], 0, "{name}");
    }
    bench.put(url, good_archive()).await.expect(StatusCode::OK);
    bench.complete(task, &token, "a").await.expect(StatusCode::OK);
}

#[tokio::test]
async fn what_is_said_of_the_upload_must_be_so() {
    let bench = Bench::start().await;
    let token = bench.run("h", 1).await;
    let claimed = bench.claim("h", &token, "a").await;
    let path = format!("/tasks/{}/complete", claimed["task_id"].as_str().unwrap());
    let bytes = good_archive();
    bench.put(claimed["upload_url"].as_str().unwrap(), bytes.clone()).await.expect(StatusCode::OK);
    let other_key = claimed["presigned_urls"]["error_key"].clone();
    for (field, value) in [
        ("size", json!(bytes.len() + 1)),
        ("sha256", json!(sha256(b"something else"))),
        ("sha256", json!("abc")),
        ("s3_result_key", other_key),
        ("s3_result_key", json!("../../etc/passwd")),
    ] {
        let refused = bench.post(&path, &token, &json!({field: value})).await.problem(422);
        assert_eq!(refused["errors"][0]["field"], field, "{refused}");
    }
    let upper = sha256(&bytes).to_uppercase();
    bench.post(&path, &token, &json!({"sha256": upper})).await.expect(StatusCode::OK);
}
