//! Where log lines wait to be written. A line is added to what is waiting and a
//! thread writes everything at once a moment later, so that no request waits for
//! the disk or wakes another thread for a line of its own. What does not fit is
//! left out and counted.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

/// How long lines gather.
const GATHER: Duration = Duration::from_millis(20);
/// Bytes that may wait, while the output is slow.
const ROOM: usize = 8 << 20;

#[derive(Debug, Default)]
struct Waiting {
    lines: Vec<u8>,
    left_out: u64,
    over: bool,
}

#[derive(Debug, Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    filled: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes lines in. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Lines(Arc<Shared>);

/// Writes what is left when it is dropped.
#[derive(Debug)]
pub(crate) struct Flush {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// Starts writing lines to an output.
pub(super) fn start(output: impl Write + Send + 'static) -> io::Result<(Lines, Flush)> {
    let shared = Arc::new(Shared::default());
    let own = shared.clone();
    let thread = std::thread::Builder::new()
        .name("log".to_owned())
        .spawn(move || run(&own, output))?;
    let flush = Flush {
        shared: shared.clone(),
        thread: Some(thread),
    };
    Ok((Lines(shared), flush))
}

fn run(shared: &Shared, mut output: impl Write) {
    let mut lines = Vec::new();
    loop {
        let waiting = shared.lock();
        let empty = |waiting: &mut Waiting| waiting.lines.is_empty() && !waiting.over;
        let waiting = shared.filled.wait_while(waiting, empty);
        let over = waiting.unwrap_or_else(PoisonError::into_inner).over;
        if !over {
            std::thread::sleep(GATHER);
        }
        let left_out = {
            let mut waiting = shared.lock();
            std::mem::swap(&mut waiting.lines, &mut lines);
            std::mem::take(&mut waiting.left_out)
        };
        // There is nowhere to say that the log cannot be written.
        let _ = output.write_all(&lines);
        if left_out > 0 {
            let _ = writeln!(output, "{left_out} log lines left out: the output is slow");
        }
        let _ = output.flush();
        lines.clear();
        if over {
            return;
        }
    }
}

impl Write for &Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut waiting = self.0.lock();
        if waiting.lines.len() + line.len() > ROOM {
            waiting.left_out += 1;
            return Ok(line.len());
        }
        let first = waiting.lines.is_empty();
        waiting.lines.extend_from_slice(line);
        drop(waiting);
        if first {
            self.0.filled.notify_one();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = &'a Lines;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

impl Drop for Flush {
    fn drop(&mut self) {
        self.shared.lock().over = true;
        self.shared.filled.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Default)]
    struct Output(Arc<Mutex<Vec<u8>>>);

    impl Write for Output {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn every_line_is_written_in_order() {
        let output = Output::default();
        let (lines, flush) = start(output.clone()).unwrap();
        for n in 0..1000 {
            writeln!(&lines, "line {n}").unwrap();
            if n == 500 {
                std::thread::sleep(2 * GATHER);
            }
        }
        drop(flush);
        let text = String::from_utf8(output.0.lock().unwrap().clone()).unwrap();
        let expected: String = (0..1000).map(|n| format!("line {n}\n")).collect();
        assert_eq!(text, expected);
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        let lines = Lines(Arc::default());
        (&lines).write_all(&vec![b'x'; ROOM - 1]).unwrap();
        (&lines).write_all(b"too much").unwrap();
        let waiting = lines.0.lock();
        assert_eq!((waiting.lines.len(), waiting.left_out), (ROOM - 1, 1));
    }
}
