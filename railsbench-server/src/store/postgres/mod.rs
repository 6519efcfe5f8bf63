//! A store in PostgreSQL, for many servers at once.
//!
//! * `connection` is the way there, by URL and pool, and `tls` hides what goes over it;
//! * `schema` makes the tables and brings them up to date;
//! * `unit` is one transaction, which holds the runs it changes;
//! * `commands` and `queries` are the changes and reads, `rows` says what is in which column;
//! * `notices` hears from the database what other servers have changed;
//! * `failure` says what may be tried again, and puts what PostgreSQL says into words.

mod commands;
mod connection;
mod failure;
mod notices;
mod queries;
mod rows;
mod schema;
mod tls;
mod unit;

use std::time::Duration;

use async_trait::async_trait;
use deadpool_postgres::{Client, Pool};
use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::Timestamp;
use railsbench_core::id::{Attempt, RunId, TaskId, TokenName};
use railsbench_core::lifecycle::{Command, Task};
use railsbench_core::protocol::{EventRecord, LogPart};
use tokio::sync::broadcast;
use tokio::time::{Instant, sleep, timeout};
use tokio_postgres::IsolationLevel;
use tokio_util::task::AbortOnDropHandle;

use self::connection::Connector;
pub use self::connection::PostgresConfig;
use self::failure::Failure;
use self::notices::Listener;
use self::unit::{Unit, Written};
use super::{
    CHANGES_KEPT, ClaimCommand, Claimed, Created, NewRun, Store, StoreError, StoredRun,
    StoredToken, TaskFilter, TokenHash,
};

/// How long a call is tried again while the database is away. Less than a request may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// The first pause between two tries; each is twice as long as the one before, up to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LAST_PAUSE: Duration = Duration::from_secs(1);

/// How long the database may take to say that it is well.
const PING: Duration = Duration::from_secs(5);

/// A store in PostgreSQL, in the schema `railsbench` of a database.
///
/// Any number of servers may use one database. What one acknowledges is committed and on the
/// disk. A call that the database breaks off is tried again, and never done twice: a change
/// whose commit got no answer is looked for before it is made again.
#[derive(Debug)]
pub struct PostgresStore {
    pool: Pool,
    changes: broadcast::Sender<RunId>,
    _listening: AbortOnDropHandle<()>,
}

/// The pauses between the tries of one call.
struct Patience {
    ends: Instant,
    pause: Duration,
}

impl Patience {
    fn begin() -> Self {
        Self { ends: Instant::now() + PATIENCE, pause: FIRST_PAUSE }
    }

    /// Pauses before another try, or gives the failure back if there is to be none.
    async fn pause_after(&mut self, failure: Failure) -> Result<(), Failure> {
        if !failure.may_pass() || Instant::now() + self.pause > self.ends {
            return Err(failure);
        }
        tracing::debug!(?failure, "the database is asked again");
        // Servers that were cut off together should not come back together.
        sleep(self.pause.mul_f64(rand::random_range(0.5..1.0))).await;
        self.pause = (self.pause * 2).min(LAST_PAUSE);
        Ok(())
    }
}

/// How a try of a change went wrong.
enum Broken<T> {
    /// Nothing was done.
    Undone(Failure),
    /// It may have been done: the answer, and what to look for.
    Unknown(Failure, T, Written),
}

impl<T> From<Failure> for Broken<T> {
    fn from(failure: Failure) -> Self {
        Self::Undone(failure)
    }
}

impl PostgresStore {
    /// Connects to a database, and makes or updates its schema.
    ///
    /// # Errors
    /// [`StoreError::Engine`] if the URL or the CA file is wrong, the database cannot be reached
    /// for a while, does not let this user in, or was made by a newer railsbench.
    pub async fn open(config: &PostgresConfig) -> Result<Self, StoreError> {
        let action = "open its database";
        let connector = Connector::new(config)?;
        let pool = connector.pool(config.connections)?;
        let changes = broadcast::channel(CHANGES_KEPT).0;
        let mut patience = Patience::begin();
        let listener = loop {
            let opened = async {
                schema::prepare(&pool).await?;
                Listener::start(&connector, changes.clone()).await
            };
            match opened.await {
                Ok(listener) => break listener,
                Err(failure) => {
                    let pause = patience.pause_after(failure);
                    pause.await.map_err(|failure| failure.during(action))?;
                }
            }
        };
        let follow = notices::follow(listener, connector, changes.clone());
        let listening = AbortOnDropHandle::new(tokio::spawn(follow));
        Ok(Self { pool, changes, _listening: listening })
    }

    /// The key that all servers of this database sign URLs with; made at the first call.
    ///
    /// # Errors
    /// [`StoreError::Engine`].
    pub async fn signing_key(&self) -> Result<[u8; 32], StoreError> {
        let mut fresh = [0; 32];
        rand::fill(&mut fresh);
        let action = "keep the key of its URLs";
        let key = self
            .change(action, move |unit| {
                async move { commands::key(unit, "urls", fresh).await }.boxed()
            })
            .await?;
        key.try_into().map_err(|_| StoreError::Engine {
            action,
            detail: "the stored key is not 32 bytes long".to_owned(),
        })
    }

    /// Makes a change in a transaction, again if need be.
    async fn change<T, F>(&self, action: &'static str, work: F) -> Result<T, StoreError>
    where
        T: Send,
        F: for<'u, 't> Fn(&'u mut Unit<'t>) -> BoxFuture<'u, Result<T, Failure>> + Send + Sync,
    {
        let mark = rand::random();
        let mut patience = Patience::begin();
        let mut unknown: Option<(T, Written)> = None;
        loop {
            let failure = match self.try_change(&work, mark, &mut unknown).await {
                Ok(done) => return Ok(done),
                Err(Broken::Undone(failure)) => failure,
                Err(Broken::Unknown(failure, answer, written)) => {
                    unknown = Some((answer, written));
                    failure
                }
            };
            let pause = patience.pause_after(failure);
            pause.await.map_err(|failure| failure.during(action))?;
        }
    }

    async fn try_change<T, F>(
        &self,
        work: &F,
        mark: i64,
        unknown: &mut Option<(T, Written)>,
    ) -> Result<T, Broken<T>>
    where
        F: for<'u, 't> Fn(&'u mut Unit<'t>) -> BoxFuture<'u, Result<T, Failure>> + Send + Sync,
    {
        let mut client = self.pool.get().await.map_err(Failure::from)?;
        let begin = client.build_transaction().isolation_level(IsolationLevel::ReadCommitted);
        let mut unit = Unit::new(begin.start().await.map_err(Failure::from)?, mark);
        if let Some((answer, written)) = unknown.take() {
            match unit.has_written(&written).await {
                Ok(true) => return Ok(answer),
                Ok(false) => {}
                Err(failure) => return Err(Broken::Unknown(failure, answer, written)),
            }
        }
        let answer = match work(&mut unit).await {
            Ok(answer) => answer,
            Err(failure) => {
                // The caller is told when the locks are free. If even that fails, the
                // connection is broken, and PostgreSQL frees them.
                let _ = unit.undo().await;
                return Err(failure.into());
            }
        };
        match unit.commit().await {
            Ok(()) => Ok(answer),
            Err((failure, Some(written))) => Err(Broken::Unknown(failure, answer, written)),
            // No event was written: what was may be written again to the same effect.
            Err((failure, None)) => Err(failure.into()),
        }
    }

    /// Reads, again if need be.
    async fn read<T, F>(&self, action: &'static str, read: F) -> Result<T, StoreError>
    where
        F: Fn(Client) -> BoxFuture<'static, Result<T, Failure>> + Send + Sync,
    {
        let mut patience = Patience::begin();
        loop {
            let answer = match self.pool.get().await {
                Ok(client) => read(client).await,
                Err(error) => Err(error.into()),
            };
            match answer {
                Ok(answer) => return Ok(answer),
                Err(failure) => {
                    let pause = patience.pause_after(failure);
                    pause.await.map_err(|failure| failure.during(action))?;
                }
            }
        }
    }
}

#[async_trait]
impl Store for PostgresStore {
    async fn create_run(&self, run: NewRun) -> Result<Created, StoreError> {
        self.change("make the run", move |unit| {
            let run = run.clone();
            async move { commands::create_run(unit, run).await }.boxed()
        })
        .await
    }

    async fn run(&self, id: &RunId) -> Result<Option<StoredRun>, StoreError> {
        let id = id.clone();
        let read = move |client: Client| {
            let id = id.clone();
            async move { queries::run(&client, &id).await }.boxed()
        };
        self.read("read the run", read).await
    }

    async fn runs(
        &self,
        after: Option<(Timestamp, RunId)>,
        limit: u32,
    ) -> Result<Vec<StoredRun>, StoreError> {
        let read = move |client: Client| {
            let after = after.clone();
            async move { queries::runs(&client, after.as_ref(), limit).await }.boxed()
        };
        self.read("list the runs", read).await
    }

    async fn tasks(
        &self,
        run: &RunId,
        filter: &TaskFilter,
        after: Option<&TaskId>,
        limit: u32,
    ) -> Result<Vec<Task>, StoreError> {
        let asked = (run.clone(), filter.clone(), after.cloned());
        let read = move |client: Client| {
            let (run, filter, after) = asked.clone();
            async move { queries::tasks(&client, &run, &filter, after.as_ref(), limit).await }
                .boxed()
        };
        self.read("list the tasks", read).await
    }

    async fn task(&self, id: &TaskId) -> Result<Option<(StoredRun, Task)>, StoreError> {
        let id = id.clone();
        let read = move |client: Client| {
            let id = id.clone();
            async move { queries::task(&client, &id).await }.boxed()
        };
        self.read("read the task", read).await
    }

    async fn claim(&self, claim: ClaimCommand, now: Timestamp) -> Result<Claimed, StoreError> {
        self.change("claim a task", move |unit| {
            let claim = claim.clone();
            async move { commands::claim(unit, claim, now).await }.boxed()
        })
        .await
    }

    async fn apply(
        &self,
        task: &TaskId,
        command: Command,
        now: Timestamp,
    ) -> Result<Task, StoreError> {
        let task = task.clone();
        self.change("change the task", move |unit| {
            let (task, command) = (task.clone(), command.clone());
            async move { commands::apply(unit, &task, command, now).await }.boxed()
        })
        .await
    }

    async fn stop(&self, run: &RunId, now: Timestamp) -> Result<StoredRun, StoreError> {
        let run = run.clone();
        self.change("stop the run", move |unit| {
            let run = run.clone();
            async move { commands::stop(unit, &run, now).await }.boxed()
        })
        .await
    }

    async fn expire(&self, now: Timestamp, limit: u32) -> Result<u32, StoreError> {
        self.change("expire leases", move |unit| {
            async move { commands::expire(unit, now, limit).await }.boxed()
        })
        .await
    }

    async fn events(
        &self,
        run: &RunId,
        after: u64,
        limit: u32,
    ) -> Result<Vec<EventRecord>, StoreError> {
        let run = run.clone();
        let read = move |client: Client| {
            let run = run.clone();
            async move { queries::events(&client, &run, after, limit).await }.boxed()
        };
        self.read("read the events", read).await
    }

    async fn append_log(&self, task: &TaskId, part: LogPart) -> Result<(), StoreError> {
        let task = task.clone();
        self.change("keep the log", move |unit| {
            let (task, part) = (task.clone(), part.clone());
            async move { commands::append_log(unit, &task, part).await }.boxed()
        })
        .await
    }

    async fn log(
        &self,
        task: &TaskId,
        after: Option<(Attempt, u64)>,
    ) -> Result<Vec<LogPart>, StoreError> {
        let task = task.clone();
        let read = move |client: Client| {
            let task = task.clone();
            async move { queries::log(&client, &task, after).await }.boxed()
        };
        self.read("read the log", read).await
    }

    fn changes(&self) -> broadcast::Receiver<RunId> {
        self.changes.subscribe()
    }

    async fn add_token(&self, token: StoredToken) -> Result<(), StoreError> {
        self.change("keep the token", move |unit| {
            let token = token.clone();
            async move { commands::add_token(unit, &token).await }.boxed()
        })
        .await
    }

    async fn owned_tokens(&self, now: Timestamp) -> Result<Vec<StoredToken>, StoreError> {
        let read =
            move |client: Client| async move { queries::owned_tokens(&client, now).await }.boxed();
        self.read("list the tokens", read).await
    }

    async fn revoke_token(&self, owner: &TokenName) -> Result<bool, StoreError> {
        let owner = owner.clone();
        self.change("revoke the token", move |unit| {
            let owner = owner.clone();
            async move { commands::revoke_token(unit, &owner).await }.boxed()
        })
        .await
    }

    async fn token(
        &self,
        hash: &TokenHash,
        now: Timestamp,
    ) -> Result<Option<StoredToken>, StoreError> {
        let hash = *hash;
        let read =
            move |client: Client| async move { queries::token(&client, hash, now).await }.boxed();
        self.read("look up the token", read).await
    }

    async fn take_token(
        &self,
        hash: &TokenHash,
        now: Timestamp,
    ) -> Result<Option<StoredToken>, StoreError> {
        let hash = *hash;
        // Tried again after a commit without an answer, it may give nothing to its one caller,
        // but never the token to two.
        self.change("take the token", move |unit| {
            async move { commands::take_token(unit, hash, now).await }.boxed()
        })
        .await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        // Tried once: whoever asks wants to know how things are now.
        let asked = timeout(PING, async {
            let client = self.pool.get().await?;
            queries::is_writable(&client).await
        });
        let answer = asked.await.unwrap_or(Err(Failure::Silent));
        if answer.map_err(|failure| failure.during("answer"))? {
            return Ok(());
        }
        let detail = "the database takes no changes now".to_owned();
        Err(StoreError::Engine { action: "write", detail })
    }
}
