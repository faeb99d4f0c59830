//! `apex serve`.

use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use clap::Args;
use tokio::net::{TcpListener, TcpSocket, UnixListener};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::{Context, Failure, Outcome, log};
use crate::app::{self, App};
use crate::clock::Clock;
use crate::config::{Config, ConfigError, Layers};
use crate::owner;
use crate::server::listener::Listener;

#[derive(Debug, Args)]
pub(super) struct Serve {
    /// Address and port, such as 0.0.0.0:3000; port 0 picks a free one and prints it
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// postgres://…; the embedded database when absent
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
    /// Filter of the log, such as info or apex=debug
    #[arg(long, value_name = "FILTER")]
    log: Option<String>,
}

impl Serve {
    /// Lays the flags over the configuration.
    pub(super) fn flags(&self, layers: Layers) -> Result<Layers, ConfigError> {
        layers
            .flag("listen", self.listen.as_deref())?
            .flag("database_url", self.database_url.as_deref())?
            .flag("log", self.log.as_deref())
    }
}

/// Runs the server until it is told to stop.
pub(super) async fn run(context: &Context) -> Outcome {
    let config = &context.config;
    let _log = log::start(config)?;
    for warning in context.layers.warnings() {
        tracing::warn!("{warning}");
    }
    if !config.rate_limit_enabled {
        tracing::warn!("rate limits are off: only for load tests");
    }
    let tls = app::tls(config)?;
    let app = open(config).await?;
    let server = Server::bind(config, tls).await?;
    if let Some((token, before)) = app.account.setup_token().await? {
        // On PostgreSQL another node may have printed one a moment ago.
        let before = match before {
            true => "; it replaces the one printed before, here or by another node",
            false => "",
        };
        context.output.note(&format!(
            "first run: create the first organization with the one-time token {} \
             (POST {}/api/setup, or `apex organization create`){before}",
            token.reveal(),
            server.url
        ));
    }
    context.output.line(&server.greeting(&app));
    server.run(&app).await
}

/// Takes the data directory and puts everything together.
pub(super) async fn open(config: &Config) -> Outcome<App> {
    let owner = owner::claim(&config.data_dir)?.ok_or_else(|| {
        Failure::Failed(format!(
            "another apex process owns {}; stop it, or choose another --data-dir",
            config.data_dir.display()
        ))
    })?;
    Ok(App::open(config, owner, Clock::system()).await?)
}

/// A server that is about to run.
pub(super) struct Server {
    listener: Listener,
    /// What ends it; heard before its address is told to anybody.
    signals: [Signal; 2],
    /// Where it can be reached.
    pub(super) url: String,
}

impl Server {
    /// Binds the port and the operator's socket.
    pub(super) async fn bind(config: &Config, tls: Option<TlsAcceptor>) -> Outcome<Self> {
        let tcp = listen(config.listen).map_err(|error| {
            Failure::Failed(format!("cannot listen on {}: {error}", config.listen))
        })?;
        let scheme = if tls.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{}", tcp.local_addr()?);
        let operator = Some(operator_socket(&config.socket_path())?);
        let listener = Listener { tcp, tls, operator };
        let signals = [
            signal(SignalKind::terminate())?,
            signal(SignalKind::interrupt())?,
        ];
        Ok(Self {
            listener,
            signals,
            url,
        })
    }

    /// The line scripts wait for.
    pub(super) fn greeting(&self, app: &App) -> String {
        format!(
            "apex listening on {} version={} database={} runtime={}",
            self.url,
            env!("CARGO_PKG_VERSION"),
            app.shared.db.engine(),
            app.runtime()
        )
    }

    /// Serves until SIGTERM or SIGINT, then drains; a second signal ends it now.
    pub(super) async fn run(self, app: &App) -> Outcome {
        let (stop, stopping) = watch::channel(false);
        let [mut terminate, mut interrupt] = self.signals;
        tokio::spawn(async move {
            let mut asked = false;
            loop {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
                if asked {
                    std::process::exit(1);
                }
                asked = true;
                let _ = stop.send(true);
            }
        });
        app.serve(self.listener, stopping).await;
        Ok(())
    }
}

/// Binds the port. Connections that come faster than they are accepted wait, as many
/// as the system lets: what it turns away tries again a second later.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // A port that was used a moment ago can be used again.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(4096)
}

/// The socket administrative commands use; only its owner may open it.
fn operator_socket(path: &Path) -> Outcome<UnixListener> {
    // We own the directory, so a socket that is there is a dead process's.
    match std::fs::remove_file(path) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(error.into()),
    }
    let listener = UnixListener::bind(path)
        .map_err(|error| Failure::Failed(format!("cannot make {}: {error}", path.display())))?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}
