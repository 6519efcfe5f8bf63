//! A way to PostgreSQL that breaks when it is told to: exactly when a transaction commits.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::AbortOnDropHandle;

/// What a client sends to commit.
const COMMIT: &[u8] = b"COMMIT\0";

/// What is lost of the next commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It does not arrive, and the connection breaks for both sides.
    Request,
    /// It is done, and its answer does not arrive.
    Answer,
    /// It does not arrive, and PostgreSQL does not see that the connection broke.
    Client,
}

/// The way; it passes everything until it is told otherwise, and after each fault.
pub struct Meddler {
    pub port: u16,
    fault: Arc<Mutex<Option<Fault>>>,
    _accepting: AbortOnDropHandle<()>,
}

impl Meddler {
    /// A way to PostgreSQL on this port.
    pub async fn before(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = listener.local_addr().unwrap().port();
        let fault: Arc<Mutex<Option<Fault>>> = Arc::default();
        let next = Arc::clone(&fault);
        let accepting = tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                tokio::spawn(pass(client, server, Arc::clone(&next)));
            }
        });
        Self { port: own, fault, _accepting: AbortOnDropHandle::new(accepting) }
    }

    /// Lets the next commit go wrong.
    pub fn arm(&self, fault: Fault) {
        *self.fault.lock().unwrap() = Some(fault);
    }

    /// Whether the last fault has happened.
    pub fn has_fired(&self) -> bool {
        self.fault.lock().unwrap().is_none()
    }
}

async fn pass(client: TcpStream, server: TcpStream, fault: Arc<Mutex<Option<Fault>>>) {
    let (mut from_client, to_client) = client.into_split();
    let (from_server, mut to_server) = server.into_split();
    let swallow = Arc::new(AtomicBool::new(false));
    let answers = tokio::spawn(answer(from_server, to_client, Arc::clone(&swallow)));
    let answers = AbortOnDropHandle::new(answers);
    let mut buffer = vec![0; 1 << 16];
    loop {
        let bytes = match from_client.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(length) => &buffer[..length],
        };
        let commits = bytes.windows(COMMIT.len()).any(|window| window == COMMIT);
        let fault = if commits { fault.lock().unwrap().take() } else { None };
        match fault {
            None => {
                if to_server.write_all(bytes).await.is_err() {
                    return;
                }
            }
            Some(Fault::Request) => return,
            Some(Fault::Answer) => {
                swallow.store(true, Ordering::SeqCst);
                to_server.write_all(bytes).await.unwrap();
                // The commit is done when its answer is there.
                answers.await.unwrap();
                return;
            }
            Some(Fault::Client) => {
                drop((from_client, answers));
                return std::future::pending().await;
            }
        }
    }
}

/// Passes answers on, or takes the next one and ends.
async fn answer(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, swallow: Arc<AtomicBool>) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        if swallow.load(Ordering::SeqCst) || to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}
