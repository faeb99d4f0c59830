//! The lines of a file: which item each of them is, and sending them in batches.

use std::fs::File;
use std::io::{BufRead, BufReader, Read as _};
use std::path::Path;

use indicatif::ProgressBar;
use prost::Message as _;
use tokio::sync::mpsc;

use super::intake::Intake;
use crate::api::SCHEMA;
use crate::policy::Profile;
use crate::transcode::json::{DEPTH, Rules, decode, raw};

/// Lines per message, and so per commit.
const BATCH: usize = 1000;

/// What is said of a blank line. Lines are how positions are counted, so it is an
/// item like any other; but it is nothing that was refused.
pub(super) const BLANK: &str = "the line is blank";

/// Reads lines and sends them in batches, those after the `start`th of the first
/// `bytes` of a file.
pub(super) fn send<I: Intake>(
    (file, bytes): (&Path, u64),
    start: i64,
    sender: &mpsc::Sender<I::Step>,
    bar: &ProgressBar,
) -> std::io::Result<()> {
    let mut reader: Box<dyn BufRead> = match file == Path::new("-") {
        true => Box::new(std::io::stdin().lock()),
        false => Box::new(BufReader::with_capacity(1 << 20, File::open(file)?).take(bytes)),
    };
    let mut line = Vec::new();
    let mut number = 0;
    let mut batch = Vec::with_capacity(BATCH);
    bar.set_position(0);
    loop {
        line.clear();
        let read = reader.read_until(b'\n', &mut line)?;
        if read > 0 {
            number += 1;
            bar.inc(read as u64);
            if number > start {
                batch.push(item::<I>(&line));
            }
        }
        if batch.len() == BATCH || (read == 0 && !batch.is_empty()) {
            let message = I::step(String::new(), number, std::mem::take(&mut batch));
            if sender.blocking_send(message).is_err() {
                return Ok(());
            }
        }
        if read == 0 {
            return Ok(());
        }
    }
}

/// The item of a line. One that cannot be read says so itself.
fn item<I: Intake>(line: &[u8]) -> I::Item {
    let refused = I::refused;
    let text = match std::str::from_utf8(line) {
        Ok(text) if text.trim().is_empty() => return refused(BLANK.to_owned()),
        Ok(text) => text,
        Err(_) => return refused("the line is not UTF-8".to_owned()),
    };
    let Some(id) = SCHEMA.find(I::ITEM) else {
        return refused("the item's type is not known".to_owned());
    };
    let mut wire = Vec::with_capacity(text.len());
    match decode::message(&SCHEMA, Rules::of(Profile::Lenient), id, text, &mut wire) {
        Ok(()) => I::Item::decode(wire.as_slice()).unwrap_or_else(|e| refused(e.to_string())),
        Err(fault) => {
            // What is no JSON at all is no object either; that is not what is wrong.
            let syntax = raw::check_any(text, DEPTH).err();
            let fault = syntax.filter(|fault| fault.syntax).unwrap_or(fault);
            refused(fault.of("The line"))
        }
    }
}
