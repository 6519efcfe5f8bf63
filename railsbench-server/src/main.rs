//! The orchestrator as a program of its own: flags, environment and file in, exit code out.

mod options;

use std::process::ExitCode;

use clap::Parser;
use railsbench_server::{Server, ServerConfig, ServerError};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use options::{LogFormat, Options};

/// The flags or the configuration are wrong.
const USAGE: u8 = 2;
/// The machine does not give what is needed.
const ENVIRONMENT: u8 = 3;
/// The server failed.
const INTERNAL: u8 = 4;

fn main() -> ExitCode {
    let options = Options::parse().with_database_url(std::env::var("RAILSBENCH_DATABASE_URL").ok());
    let (config, log_format) = match options.resolve(std::env::var("API_KEY").ok()) {
        Ok(resolved) => resolved,
        Err(error) => return failed(&error, USAGE),
    };
    start_log(log_format);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error, ENVIRONMENT),
    };
    match runtime.block_on(serve(config)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is_configuration() => failed(&error, USAGE),
        Err(error @ (ServerError::Failed(_) | ServerError::DrainTimeout(_))) => {
            failed(&error, INTERNAL)
        }
        Err(error) => failed(&error, ENVIRONMENT),
    }
}

fn failed(error: &dyn std::error::Error, code: u8) -> ExitCode {
    eprintln!("railsbench-server: {error}");
    ExitCode::from(code)
}

/// Logs go to standard error; `RUST_LOG` says how much.
fn start_log(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Text => {
            log.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).init();
        }
        LogFormat::Json => log.json().init(),
    }
}

/// Runs the server until a signal or a failure ends it.
async fn serve(config: ServerConfig) -> Result<(), ServerError> {
    let handler = |kind| {
        signal(kind)
            .map_err(|error| ServerError::Failed(format!("cannot wait for signals: {error}")))
    };
    let mut terminate = handler(SignalKind::terminate())?;
    let mut interrupt = handler(SignalKind::interrupt())?;
    let made_key = config.api_key.is_none().then(|| config.data_dir.join("operator.token"));
    let mut hangup = handler(SignalKind::hangup())?;
    let ca = config.data_dir.join("ca.pem");
    let server = Server::start(config).await?;
    println!("railsbench-server listens on {}", server.url());
    if let Some(path) = made_key {
        println!("The operator token is in {}", path.display());
    }
    if server.ca_certificate().is_some() {
        println!("Clients need the CA certificate in {}", ca.display());
    }
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            () = server.wait() => break,
            _ = hangup.recv() => match server.reload_certificate() {
                Ok(()) => tracing::info!("SIGHUP: the certificate is read again"),
                Err(error) => tracing::warn!(%error, "SIGHUP: the certificate in use stays"),
            },
        }
    }
    tokio::select! {
        ended = server.shutdown() => ended,
        _ = terminate.recv() => Err(ServerError::Failed("told twice to end; requests were cut off".to_owned())),
        _ = interrupt.recv() => Err(ServerError::Failed("told twice to end; requests were cut off".to_owned())),
    }
}
