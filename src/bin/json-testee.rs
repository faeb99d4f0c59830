//! The program Google's protobuf conformance runner drives: length-prefixed
//! requests on standard input, answers on standard output. See
//! `scripts/conformance`.

use std::error::Error;
use std::io::{Read as _, Write as _};
use std::path::PathBuf;

use apex::conformance::Testee;
use clap::Parser;

/// Answers the protobuf conformance runner.
#[derive(Debug, Parser)]
struct Arguments {
    /// Encoded FileDescriptorSet of the suite, imports included
    #[arg(long, env = "CONF_DESCRIPTORS")]
    descriptors: PathBuf,
}

fn main() -> Result<(), Box<dyn Error>> {
    let descriptors = std::fs::read(Arguments::parse().descriptors)?;
    let testee = Testee::new(&descriptors)?;
    let (mut input, mut output) = (std::io::stdin().lock(), std::io::stdout().lock());
    let mut length = [0; 4];
    while input.read_exact(&mut length).is_ok() {
        let mut request = vec![0; u32::from_le_bytes(length) as usize];
        input.read_exact(&mut request)?;
        let answer = testee.answer(&request).ok_or("no request of the suite")?;
        output.write_all(&(answer.len() as u32).to_le_bytes())?;
        output.write_all(&answer)?;
        output.flush()?;
    }
    Ok(())
}
