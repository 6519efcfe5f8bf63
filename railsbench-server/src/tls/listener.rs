//! Connections that have shaken hands.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::serve::Listener;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// How long a client may take to shake hands.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// How many handshakes may be under way; further clients wait in the system's queue.
const HANDSHAKES: usize = 1024;

type Connection = (TlsStream<TcpStream>, SocketAddr);

/// Accepts connections and shakes hands with many clients at once, so that a slow one keeps
/// nobody waiting.
pub(crate) struct TlsListener {
    tcp: TcpListener,
    acceptor: TlsAcceptor,
    patience: Duration,
    handshakes: JoinSet<Option<Connection>>,
}

impl TlsListener {
    pub(crate) fn new(tcp: TcpListener, config: rustls::ServerConfig) -> Self {
        Self {
            tcp,
            acceptor: TlsAcceptor::from(Arc::new(config)),
            patience: HANDSHAKE_TIMEOUT,
            handshakes: JoinSet::new(),
        }
    }
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> Connection {
        loop {
            tokio::select! {
                (stream, address) = Listener::accept(&mut self.tcp),
                    if self.handshakes.len() < HANDSHAKES =>
                {
                    let acceptor = self.acceptor.clone();
                    self.handshakes.spawn(shake_hands(acceptor, self.patience, stream, address));
                }
                Some(ended) = self.handshakes.join_next() => {
                    if let Ok(Some(connection)) = ended {
                        return connection;
                    }
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }
}

/// Gives nothing if the client takes too long, cannot agree, or wanted no more than the handshake.
async fn shake_hands(
    acceptor: TlsAcceptor,
    patience: Duration,
    stream: TcpStream,
    address: SocketAddr,
) -> Option<Connection> {
    // Small answers must not wait for more to come; without it they only come later.
    let _ = stream.set_nodelay(true);
    match timeout(patience, acceptor.accept(stream)).await {
        #[cfg(feature = "acme")]
        Ok(Ok(stream)) if stream.get_ref().1.alpn_protocol() == Some(super::current::CHALLENGE) => {
            tracing::debug!(%address, "an ACME server has looked at a proof");
            None
        }
        Ok(Ok(stream)) => Some((stream, address)),
        Ok(Err(error)) => {
            tracing::debug!(%address, %error, "no handshake");
            None
        }
        Err(_) => {
            tracing::debug!(%address, "no handshake in time");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;
    use crate::tls::current::Current;

    #[tokio::test]
    async fn a_client_that_says_nothing_is_let_go() {
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = tcp.local_addr().unwrap();
        let config = rustls::ServerConfig::builder_with_provider(crate::tls::provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(Current::default()));
        let listener = TlsListener::new(tcp, config);
        let mut listener = TlsListener { patience: Duration::from_millis(20), ..listener };
        let accepting = tokio::spawn(async move { listener.accept().await });
        let mut silent = TcpStream::connect(address).await.unwrap();
        let mut heard = Vec::new();
        silent.read_to_end(&mut heard).await.unwrap();
        assert_eq!(heard, Vec::<u8>::new());
        accepting.abort();
    }
}
