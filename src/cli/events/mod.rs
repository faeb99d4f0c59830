//! `apex events import` and `apex events export`.

mod export;
mod import;
mod intake;
mod lines;
mod past;

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};

use super::{Context, Outcome};

#[derive(Debug, Subcommand)]
pub(super) enum Events {
    /// Import events, one JSON object per line; a file goes on where its last import ended
    ///
    /// How far a file got is kept in the transaction that stores its events. An import
    /// that was stopped goes on where it stopped; a file that was imported before is
    /// not imported again; of one that grew, only what was appended is.
    ///
    /// A file that differs in what was there before is another file. Of its lines,
    /// those with an event_id that is remembered are known already, and so is what was
    /// exported from this very project; lines without an id are imported again.
    /// Standard input is always another file.
    ///
    /// Lines that are refused are told with the reason, and the exit code is 1; all
    /// others are imported. Mend them and append them to the file, or import them by
    /// themselves. Blank lines are skipped.
    Import {
        /// File to read, or - for standard input
        file: PathBuf,
        /// Project to import into, by id or key
        #[arg(long)]
        project: String,
        /// What the lines look like
        #[arg(long, value_enum, default_value = "metrics")]
        format: Format,
    },
    /// Export events, one JSON object per line, in the order they happened
    Export {
        /// Project to export, by id or key
        #[arg(long)]
        project: String,
        /// Only events at or after this: a time as 2024-01-01T10:30:00Z, or the midnight
        /// in UTC that begins a day, as 2024-01-01
        #[arg(long, value_name = "TIME", value_parser = time)]
        from: Option<jiff::Timestamp>,
        /// Only events before this, given likewise
        #[arg(long, value_name = "TIME", value_parser = time)]
        to: Option<jiff::Timestamp>,
    },
}

/// What lines of a file look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// Events and purchases as the metrics product takes them
    Metrics,
    /// Events as the growth product takes them, of pages and of servers
    Growth,
}

impl Events {
    pub(super) async fn run(self, context: &Context) -> Outcome {
        match self {
            Self::Import {
                file,
                project,
                format,
            } => match format {
                Format::Metrics => import::import::<intake::Metrics>(context, &file, project).await,
                Format::Growth => import::import::<intake::Growth>(context, &file, project).await,
            },
            Self::Export { project, from, to } => export::export(context, project, from, to).await,
        }
    }
}

/// A time, or a day for the midnight it begins with.
fn time(text: &str) -> Result<jiff::Timestamp, String> {
    if let Ok(time) = text.parse() {
        return Ok(time);
    }
    // A time of day without an offset is not to be taken for one of the day.
    let day: Option<jiff::civil::Date> = match text.len() {
        10 => text.parse().ok(),
        _ => None,
    };
    let midnight = day.and_then(|day| day.to_zoned(jiff::tz::TimeZone::UTC).ok());
    midnight
        .map(|midnight| midnight.timestamp())
        .ok_or_else(|| "give a day as 2024-01-01, or a time as 2024-01-01T10:30:00Z".to_owned())
}
