//! What stands before several servers: takes each connection to the next one that answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::AbortOnDropHandle;

pub struct Balancer {
    pub url: String,
    _accepting: AbortOnDropHandle<()>,
}

impl Balancer {
    /// Before servers on these ports of loopback.
    pub async fn before(ports: Vec<u16>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let ports = Arc::new(ports);
        let turn = Arc::new(AtomicUsize::new(0));
        let accepting = tokio::spawn(async move {
            loop {
                let (mut client, _) = listener.accept().await.unwrap();
                let (ports, turn) = (Arc::clone(&ports), Arc::clone(&turn));
                tokio::spawn(async move {
                    for _ in 0..ports.len() {
                        let port = ports[turn.fetch_add(1, Ordering::Relaxed) % ports.len()];
                        if let Ok(mut server) = TcpStream::connect(("127.0.0.1", port)).await {
                            // Connections end after a while, so that clients change servers.
                            let passed = copy_bidirectional(&mut client, &mut server);
                            let _ = tokio::time::timeout(Duration::from_secs(3), passed).await;
                            return;
                        }
                    }
                });
            }
        });
        Self { url, _accepting: AbortOnDropHandle::new(accepting) }
    }
}
