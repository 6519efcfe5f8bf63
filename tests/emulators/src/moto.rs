//! moto's server on a free port.
//!
//! It comes with `pip install 'moto[ec2,s3,server,ssm,sts]'`. It is looked for in the variable
//! `MOTO_SERVER` and then on `PATH`, and a test that needs it fails without it.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use reqwest::Url;

/// Longest that the server may take to start.
const START: Duration = Duration::from_mins(2);

/// moto's server until it is dropped.
#[derive(Debug)]
pub struct Moto {
    process: Child,
    /// Where it answers, for all of its services.
    pub url: Url,
}

impl Drop for Moto {
    fn drop(&mut self) {
        // It may have ended by itself, which the test has noticed then.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A client that talks to loopback only, past any proxy of the environment.
pub(crate) fn http() -> reqwest::Client {
    // Another test of this process may have been first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

impl Moto {
    /// Starts one, and waits until it answers. It knows the real instance types and refuses
    /// others.
    ///
    /// # Panics
    /// If there is no `moto_server`, or it does not start.
    pub async fn start() -> Self {
        let program = std::env::var("MOTO_SERVER").unwrap_or("moto_server".to_owned());
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let process = Command::new(&program)
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .env("MOTO_EC2_ENABLE_INSTANCE_TYPE_VALIDATION", "true")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| {
                panic!(
                    "cannot start {program}: {error}; install it with \
                     pip install 'moto[ec2,s3,server,ssm,sts]' and put it on PATH or into \
                     MOTO_SERVER"
                )
            });
        let url = Url::parse(&format!("http://127.0.0.1:{port}")).unwrap();
        let mut moto = Self { process, url };
        let client = http();
        let started = Instant::now();
        while client.get(moto.url.clone()).send().await.is_err() {
            if let Some(status) = moto.process.try_wait().unwrap() {
                panic!("{program} ended at once: {status}; does {program} -p 5000 work?");
            }
            assert!(started.elapsed() < START, "{program} does not answer");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        moto
    }
}
