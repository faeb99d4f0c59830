//! Serves any set of descriptors through the product's router, binding and
//! codec, and answers what it understood: the method, the path template that
//! matched, and the request as canonical JSON. For conformance suites only.

#![allow(clippy::print_stdout)]

use std::error::Error;
use std::path::PathBuf;

use apex::conformance::Host;
use clap::Parser;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// Serves any set of descriptors and answers what it understood.
#[derive(Debug, Parser)]
struct Arguments {
    /// Encoded FileDescriptorSet, imports included
    #[arg(long)]
    descriptors: PathBuf,
    /// Address to listen on; port 0 picks one and prints it
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: String,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let descriptors = std::fs::read(&arguments.descriptors)?;
    let host = Host::echo(&descriptors).await?;
    let tcp = TcpListener::bind(&arguments.listen).await?;
    println!("transcode-host listening on http://{}", tcp.local_addr()?);
    let (_running, stop) = watch::channel(false);
    host.serve(tcp, stop).await;
    Ok(())
}
