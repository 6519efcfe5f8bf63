//! A cloud that answers from a list, and remembers what it was asked.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Response, StatusCode, Uri};
use railsbench_core::id::ProviderName;
use railsbench_providers::rest::{FixedToken, PlainDialect, RestClient, RetryPolicy};

pub const TOKEN: &str = "t0ken";

/// What was asked.
#[derive(Debug, Clone)]
pub struct Asked {
    pub method: String,
    pub uri: Uri,
    pub headers: HeaderMap,
    pub body: String,
}

/// What is answered.
#[derive(Debug, Clone, Default)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
    /// Never, after having heard the call.
    pub hangs: bool,
}

pub fn reply(status: u16, body: &str) -> Reply {
    Reply { status, body: body.to_owned(), ..Reply::default() }
}

#[derive(Default)]
pub struct Shared {
    pub asked: Mutex<Vec<Asked>>,
    replies: Mutex<VecDeque<Reply>>,
    busy: AtomicUsize,
    pub busiest: AtomicUsize,
}

pub struct Cloud {
    pub url: String,
    pub shared: Arc<Shared>,
}

impl Cloud {
    /// Answers with these in turn, and then always with 200 and `{}`.
    pub async fn start(replies: impl IntoIterator<Item = Reply>) -> Self {
        let shared = Arc::new(Shared::default());
        shared.replies.lock().unwrap().extend(replies);
        let router = Router::new().fallback(answer).with_state(shared.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/base/", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, shared }
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.shared.asked.lock().unwrap().clone()
    }

    pub fn client(&self) -> RestClient {
        let provider = ProviderName::new("cloud").unwrap();
        RestClient::new(provider, &self.url.parse().unwrap(), Arc::new(PlainDialect))
            .unwrap()
            .with_retry(quick())
            .with_tokens(Arc::new(FixedToken::new(TOKEN.to_owned().into())))
    }
}

/// Waits that a test has time for.
pub fn quick() -> RetryPolicy {
    RetryPolicy {
        attempts: 4,
        first_wait: Duration::from_millis(1),
        longest_wait: Duration::from_millis(2),
        ..RetryPolicy::default()
    }
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response<String> {
    let busy = shared.busy.fetch_add(1, Ordering::SeqCst) + 1;
    shared.busiest.fetch_max(busy, Ordering::SeqCst);
    let (parts, body) = request.into_parts();
    let body: Bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    shared.asked.lock().unwrap().push(Asked {
        method: parts.method.to_string(),
        uri: parts.uri,
        headers: parts.headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
    });
    let next = shared.replies.lock().unwrap().pop_front();
    let reply = next.unwrap_or_else(|| reply(200, "{}"));
    if reply.hangs {
        std::future::pending::<()>().await;
    }
    tokio::time::sleep(Duration::from_millis(2)).await;
    shared.busy.fetch_sub(1, Ordering::SeqCst);
    let mut response = Response::new(reply.body);
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap();
    for (name, value) in reply.headers {
        response.headers_mut().insert(name, value.parse().unwrap());
    }
    response
}
