//! The runner's executable, as a machine fetches it.

use railsbench_core::provider::RunnerTarget;
use railsbench_server::RunnerFiles;
use reqwest::{Method, StatusCode};

use crate::support::{Bench, OPERATOR, sha256};

const PATH: &str = "/runner/x86_64-unknown-linux-musl";

/// The head of an executable of 64-bit x86 without libraries, and some content.
fn executable() -> Vec<u8> {
    let mut bytes = vec![0; 64];
    bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
    bytes[18] = 62;
    bytes.extend((0..200_000_u32).map(|number| number.to_le_bytes()[0]));
    bytes
}

async fn bench() -> Bench {
    Bench::start_with(|config| {
        let folder = config.data_dir.join("runners");
        std::fs::create_dir(&folder).unwrap();
        let path = folder.join("railsbench-runner-x86_64-unknown-linux-musl");
        std::fs::write(path, executable()).unwrap();
        config.runners = RunnerFiles::in_folder(&folder).unwrap();
    })
    .await
}

#[tokio::test]
async fn a_runner_fetches_its_executable_with_the_token_of_its_run() {
    let bench = bench().await;
    let token = bench.run("mine", 1).await;
    let answer = bench.request(Method::GET, PATH, &token).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["etag"], format!("\"{}\"", sha256(&executable())));
    assert_eq!(answer.headers()["content-length"], executable().len().to_string());
    assert!(answer.bytes().await.unwrap() == executable());
}

#[tokio::test]
async fn a_transfer_that_broke_off_is_taken_up_again() {
    let bench = bench().await;
    let whole = executable();
    let tag = format!("\"{}\"", sha256(&whole));
    let rest = |tag: &str| {
        bench
            .request(Method::GET, PATH, OPERATOR)
            .header("range", "bytes=150000-")
            .header("if-range", tag)
            .send()
    };
    let answer = rest(&tag).await.unwrap();
    assert_eq!(answer.status(), StatusCode::PARTIAL_CONTENT);
    let end = whole.len() - 1;
    assert_eq!(answer.headers()["content-range"], format!("bytes 150000-{end}/{}", whole.len()));
    assert!(answer.bytes().await.unwrap() == whole[150_000..]);
    let other = rest("\"another version\"").await.unwrap();
    assert_eq!(other.status(), StatusCode::OK);

    let beyond = bench.request(Method::GET, PATH, OPERATOR).header("range", "bytes=9999999-");
    let beyond = beyond.send().await.unwrap();
    assert_eq!(beyond.status(), StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(beyond.headers()["content-range"], format!("bytes */{}", whole.len()));

    let known = bench.request(Method::GET, PATH, OPERATOR).header("if-none-match", tag);
    assert_eq!(known.send().await.unwrap().status(), StatusCode::NOT_MODIFIED);
}

#[tokio::test]
async fn its_sha256_can_be_asked_for_alone() {
    let bench = bench().await;
    let answer = bench.request(Method::HEAD, PATH, OPERATOR).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["etag"], format!("\"{}\"", sha256(&executable())));
    assert!(answer.bytes().await.unwrap().is_empty());
}

#[tokio::test]
async fn what_is_not_at_hand_is_said_with_how_to_build_it() {
    let bench = bench().await;
    let missing = bench.get(&RunnerTarget::ArmMusl.path()).await.problem(404);
    let detail = missing["detail"].as_str().unwrap();
    assert!(detail.contains("--target aarch64-unknown-linux-musl"), "{detail}");
    for path in ["/runner/mips", "/runner/..%2F..%2Fetc%2Fpasswd", "/runner/%ff"] {
        let answer = bench.get(path).await;
        assert!(answer.status.is_client_error(), "{path}: {}", answer.status);
    }
}
