//! The command line. Results go to standard output, everything else to standard
//! error; every command that prints a result can print it as JSON.

mod admin;
mod backup;
mod client;
mod config;
mod crm;
mod demo;
mod describe;
mod events;
mod log;
mod mcp;
mod migrate;
mod output;
mod serve;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory as _, Parser, Subcommand};
use clap_complete::Shell;

use crate::app::StartError;
use crate::config::{Config, ConfigError, Layers};
use crate::db;
use crate::owner::{self, Owner};
use output::Output;

/// Accounts, API keys and event analytics on one port, as gRPC, gRPC-Web and JSON REST.
#[derive(Debug, Parser)]
#[command(name = "apex", version, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Args)]
struct Global {
    /// Configuration file; apex.toml in the working directory when there is one
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Embedded database, secrets, operator's socket
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Print results as JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server
    Serve(serve::Serve),
    /// Serve the memory product's tools over standard input and output
    Mcp(mcp::Mcp),
    /// Run the server on made-up data, to try it out
    Demo(demo::Demo),
    /// Apply, undo or list schema migrations
    Migrate(migrate::Migrate),
    /// Organizations
    #[command(subcommand)]
    Organization(admin::Organization),
    /// API keys
    #[command(subcommand)]
    Key(admin::Key),
    /// Projects
    #[command(subcommand)]
    Project(admin::Project),
    /// Users
    #[command(subcommand)]
    User(admin::User),
    /// Import and export events
    #[command(subcommand)]
    Events(events::Events),
    /// Import and export records of the CRM
    #[command(subcommand)]
    Crm(crm::Crm),
    /// Copy the embedded database to a file, also while the server runs
    Backup(backup::Backup),
    /// Put a copy in place of the embedded database
    Restore(backup::Restore),
    /// List every route: REST path, gRPC method, callers, rate group, error shape
    ///
    /// AUTH: `public` is anyone, `api key` a key with the scope behind the colon, `session` a
    /// signed-in user, `operator` the commands of this program over the socket in the data
    /// directory. RATE GROUP: the `[limits]` table of the configuration that counts the
    /// method. ERRORS, the shape of error bodies: `flat` is {"error", "code", "status"},
    /// `nested` is {"error": {"code", "message"}}; /docs of a running server has examples.
    /// Without VERB and PATH a method is gRPC only.
    #[command(verbatim_doc_comment)]
    Routes,
    /// Print the OpenAPI 3.1 document
    Openapi,
    /// Print the effective configuration, secrets masked
    CheckConfig,
    /// Print a completion script for a shell
    Completions {
        /// Which shell
        shell: Shell,
    },
}

impl Command {
    /// Whether it reads, or needs, data that is there.
    fn expects_data(&self) -> bool {
        match self {
            Self::Organization(command) => matches!(command, admin::Organization::List),
            Self::Key(command) => matches!(command, admin::Key::List { .. }),
            Self::Project(command) => matches!(command, admin::Project::List { .. }),
            Self::User(command) => matches!(command, admin::User::List),
            Self::Migrate(migrate) => migrate.expects_data(),
            Self::Events(_) | Self::Crm(_) | Self::Backup(_) => true,
            _ => false,
        }
    }
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// It was used wrongly.
    #[error("{0}")]
    Usage(String),
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// It could not be done.
    #[error("{0}")]
    Failed(String),
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Config(error) => Self::Config(error),
            StartError::Failed(error) => error.into(),
        }
    }
}

impl From<crate::error::Error> for Failure {
    fn from(error: crate::error::Error) -> Self {
        match error.log_cause() {
            Some(cause) => Self::Failed(format!("{error}: {cause}")),
            None => Self::Failed(error.to_string()),
        }
    }
}

impl From<tonic::Status> for Failure {
    fn from(status: tonic::Status) -> Self {
        Self::Failed(status.message().to_owned())
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

impl Failure {
    fn code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Failed(_) => 1,
            Self::Usage(_) => 2,
            Self::Config(_) => 78,
        })
    }
}

type Outcome<T = ()> = Result<T, Failure>;

/// What every command is given.
#[derive(Debug)]
struct Context {
    config: Config,
    layers: Layers,
    output: Output,
    /// Whether the command is for data that is there.
    expects_data: bool,
}

impl Context {
    /// Owns the data directory; `None` where another process does. A command for data
    /// that is there makes nothing where there is none: most likely the directory is
    /// not the one that was meant.
    fn claim(&self) -> Outcome<Option<Owner>> {
        let directory = &self.config.data_dir;
        if !owner::was_claimed(directory) {
            self.require_data()?;
        }
        let own = owner::claim(directory)?;
        // The server knows better where its data is.
        if own.is_some() {
            self.require_data()?;
        }
        Ok(own)
    }

    fn require_data(&self) -> Outcome {
        match db::missing(&self.config).filter(|_| self.expects_data) {
            None => Ok(()),
            Some(file) => Err(Failure::Failed(format!(
                "there is no database at {}; --data-dir says where it is",
                file.display()
            ))),
        }
    }
}

/// Runs the command the process was given.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let output = Output::new(cli.global.json);
    match execute(cli, output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output.failure(&failure.to_string());
            failure.code()
        }
    }
}

fn execute(cli: Cli, output: Output) -> Outcome {
    match &cli.command {
        Command::Routes => return describe::routes(output),
        Command::Openapi => return describe::openapi(output),
        Command::Completions { shell } => {
            clap_complete::generate(*shell, &mut Cli::command(), "apex", &mut std::io::stdout());
            return Ok(());
        }
        _ => {}
    }
    let mut layers = layers(&cli.global)?;
    if let Command::Serve(serve) = &cli.command {
        layers = serve.flags(layers)?;
    }
    let context = Context {
        config: layers.build()?,
        layers,
        output,
        expects_data: cli.command.expects_data(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async move {
        match cli.command {
            Command::Serve(_) => serve::run(&context).await,
            Command::Mcp(mcp) => mcp.run(&context).await,
            Command::Demo(demo) => demo.run(context).await,
            Command::Migrate(migrate) => migrate.run(&context).await,
            Command::Organization(command) => command.run(&context).await,
            Command::Key(command) => command.run(&context).await,
            Command::Project(command) => command.run(&context).await,
            Command::User(command) => command.run(&context).await,
            Command::Events(command) => command.run(&context).await,
            Command::Crm(command) => command.run(&context).await,
            Command::Backup(backup) => backup.run(&context).await,
            Command::Restore(restore) => restore.run(&context).await,
            Command::CheckConfig => config::check(&context),
            Command::Routes | Command::Openapi | Command::Completions { .. } => Ok(()),
        }
    })
}

/// Defaults, file, environment, and the flags every command has.
fn layers(global: &Global) -> Outcome<Layers> {
    let mut layers = Layers::new()?;
    let usual = PathBuf::from("apex.toml");
    let file = global.config.clone().or(usual.exists().then_some(usual));
    if let Some(file) = file {
        layers = layers.file(&file)?;
    }
    layers = layers.environment()?;
    let directory = global
        .data_dir
        .as_ref()
        .map(|path| path.display().to_string());
    Ok(layers.flag("data_dir", directory.as_deref())?)
}
