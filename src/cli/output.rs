//! What commands print.

use std::fmt::Display;
use std::io::Write as _;

use serde_json::Value;

/// Prints results, for people or for programs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Output {
    json: bool,
}

impl Output {
    pub(super) fn new(json: bool) -> Self {
        Self { json }
    }

    /// Prints a result: as JSON, or as the text made for people.
    pub(super) fn result(self, json: &Value, text: impl FnOnce() -> String) {
        if self.json {
            out(json);
        } else {
            let text = text();
            if !text.is_empty() {
                out(text.trim_end_matches('\n'));
            }
        }
    }

    /// Prints a line that is the same for people and programs.
    pub(super) fn line(self, text: &str) {
        out(text);
    }

    /// Says something beside the result.
    pub(super) fn note(self, text: &str) {
        err(text);
    }

    /// Says why a command failed.
    pub(super) fn failure(self, text: &str) {
        err(format_args!("apex: {text}"));
    }
}

/// A line of results. Whoever reads them may have left, which is no fault of ours
/// and must not end a server.
fn out(line: impl Display) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

fn err(line: impl Display) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Rows under headings, in columns as wide as they need to be.
pub(super) fn table(headings: &[&str], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = headings.iter().map(|heading| heading.len()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let cells = cells
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:width$}"));
        let line = cells.collect::<Vec<_>>().join("  ");
        format!("{}\n", line.trim_end())
    };
    let mut text = line(&mut headings.iter().copied());
    for row in rows {
        text.push_str(&line(&mut row.iter().map(String::as_str)));
    }
    text
}
