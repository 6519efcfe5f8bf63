//! Stands before the daemon's socket, counts the calls, and kills a process at one of them.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

/// When to kill a process: at the call of this number, counted from 1.
#[derive(Debug, Clone, Copy)]
pub struct Death {
    pub call: usize,
    /// Whether the call has its effect; its answer is lost either way.
    pub after_effect: bool,
}

#[derive(Default)]
struct Shared {
    calls: Vec<String>,
    victim: Option<u32>,
}

pub struct Proxy {
    path: PathBuf,
    shared: Arc<Mutex<Shared>>,
}

impl Proxy {
    /// Listens in a folder.
    pub fn start(folder: &Path, death: Death) -> Self {
        let path = folder.join("docker.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let shared = Arc::<Mutex<Shared>>::default();
        let state = Arc::clone(&shared);
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                // Who was killed does not hear the end.
                tokio::spawn(serve(client, death, Arc::clone(&state)));
            }
        });
        Self { path, shared }
    }

    pub fn url(&self) -> String {
        format!("unix://{}", self.path.display())
    }

    pub fn victim(&self, process: u32) {
        self.shared.lock().unwrap().victim = Some(process);
    }

    pub fn calls(&self) -> Vec<String> {
        self.shared.lock().unwrap().calls.clone()
    }
}

/// One call, and the end of the connection: so the next call comes by another one.
async fn serve(mut client: UnixStream, death: Death, shared: Arc<Mutex<Shared>>) -> io::Result<()> {
    let request = read_request(&mut client).await?;
    let text = String::from_utf8_lossy(&request);
    let line = text.lines().next().unwrap_or_default().to_owned();
    let number = {
        let mut shared = shared.lock().unwrap();
        shared.calls.push(line);
        shared.calls.len()
    };
    let deadly = number == death.call;
    if deadly && !death.after_effect {
        kill(&shared).await;
        return Ok(());
    }
    let answer = ask(&request).await?;
    if deadly {
        kill(&shared).await;
        return Ok(());
    }
    client.write_all(&answer).await
}

/// A request, told to be the last one of its connection.
async fn read_request(client: &mut UnixStream) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        if client.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    let length: usize = length.map_or(0, |length| length.trim().parse().unwrap());
    while bytes.len() < end + 4 + length {
        if client.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    bytes.splice(end..end, *b"\r\nconnection: close");
    Ok(bytes)
}

/// What the daemon answers, to the end.
async fn ask(request: &[u8]) -> io::Result<Vec<u8>> {
    let host = std::env::var("DOCKER_HOST").unwrap_or_default();
    let socket = host.strip_prefix("unix://").unwrap_or("/var/run/docker.sock");
    let mut daemon = UnixStream::connect(socket).await?;
    daemon.write_all(request).await?;
    let mut answer = Vec::new();
    daemon.read_to_end(&mut answer).await?;
    Ok(answer)
}

/// Ends the victim, as soon as it is known who that is.
async fn kill(shared: &Mutex<Shared>) {
    let victim = loop {
        if let Some(victim) = shared.lock().unwrap().victim {
            break victim;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    let status = Command::new("kill").args(["-KILL", &victim.to_string()]).status().unwrap();
    assert!(status.success());
}
