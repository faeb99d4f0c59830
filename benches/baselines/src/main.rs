//! The least a server of Apex's kind can do, to compare it with: an HTTP server that
//! answers a constant, a gRPC server that echoes, HTTP servers that commit every
//! request by itself, and bulk inserts with nothing around them. All single-threaded,
//! with the allocator Apex uses.

mod http;
mod inserts;
mod pool;
mod rpc;
mod store;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, Subcommand};

use pool::Pool;
use store::Store;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Baselines to compare Apex with
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// hyper: reads the body, answers a constant of 100 bytes
    Http { listen: SocketAddr },
    /// tonic: a unary echo
    Rpc { listen: SocketAddr },
    /// hyper and SQLite: one durable transaction per posted event
    OneTransaction { listen: SocketAddr, file: PathBuf },
    /// hyper and PostgreSQL: one insert per posted event, on a pool of 16 connections
    Pooled { listen: SocketAddr, url: String },
    /// SQLite: prepared inserts of an NDJSON file of events, 1,000 per transaction;
    /// prints rows per second
    Inserts {
        file: PathBuf,
        events: PathBuf,
        /// Key rows by the clients' ids instead of time-ordered ones
        #[arg(long)]
        client_ids: bool,
        /// Rows to insert and not count before the figure is taken
        #[arg(long, default_value_t = 0)]
        preload: usize,
    },
}

/// Whatever went wrong; baselines just stop.
type Outcome<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn main() -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        match Arguments::parse().command {
            Command::Http { listen } => http::constant(listen).await,
            Command::Rpc { listen } => rpc::echo(listen).await,
            Command::OneTransaction { listen, file } => {
                http::store(listen, Store::thread(&file)?).await
            }
            Command::Pooled { listen, url } => {
                let pool = Pool::open(&url).await?;
                http::store(listen, Store::Pool(pool.into())).await
            }
            Command::Inserts {
                file,
                events,
                client_ids,
                preload,
            } => inserts::run(&file, &events, client_ids, preload),
        }
    })
}
