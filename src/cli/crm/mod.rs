//! `apex crm`: files of records into the CRM and out of it.

mod export;
mod import;

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};

use super::{Context, Outcome};

/// Commands about the records of the CRM.
#[derive(Debug, Subcommand)]
pub(super) enum Crm {
    /// Import contacts or companies from a file: CSV with headings, or NDJSON
    ///
    /// The file is sent and kept whole, and then imported by the server, which goes on after a
    /// restart of its own; this command waits for it, and can be left. Rows are found again by
    /// external_id, email or phone (companies by external_id, website or name) and change what
    /// is there; others make a record. A file that was imported before is not imported again.
    ///
    /// Rows that are refused are told with the reason, and the exit code is 1; all others are
    /// imported.
    Import {
        /// File to read
        file: PathBuf,
        /// Organization to import into
        #[arg(long)]
        organization: i64,
        /// What the rows are
        #[arg(long, default_value = "contacts")]
        resource: String,
        /// What the file is; by its name, unless said
        #[arg(long, value_enum)]
        format: Option<Format>,
        /// The key rows are found again by; the first that a row has, unless said
        #[arg(long, value_name = "KEY")]
        by: Option<String>,
        /// Leave records that are there as they are
        #[arg(long)]
        keep: bool,
        /// What a heading means where it is no member: `Mail=email`, or `Mail=` for nothing
        #[arg(long = "map", value_name = "HEADING=MEMBER", value_parser = pair)]
        mapping: Vec<(String, Option<String>)>,
    },
    /// Undo an import: remove what it made, put back what it changed, unless changed since
    Undo {
        /// Number of the import
        import: i64,
        /// Organization it was imported into
        #[arg(long)]
        organization: i64,
    },
    /// Export all records of a resource, such as contacts
    Export {
        /// The resource
        resource: String,
        /// Organization to export
        #[arg(long)]
        organization: i64,
        /// What to write
        #[arg(long, value_enum, default_value = "csv")]
        format: Format,
        /// Only records that are found, as lists take it in a URL: `last_name=Doe`
        #[arg(long, default_value = "")]
        query: String,
    },
}

/// What a file is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// Cells, below a line of headings
    Csv,
    /// A JSON object in each line
    Ndjson,
}

impl Format {
    fn word(self) -> String {
        match self {
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
        }
        .to_owned()
    }
}

impl Crm {
    pub(super) async fn run(self, context: &Context) -> Outcome {
        match self {
            Self::Import {
                file,
                organization,
                resource,
                format,
                by,
                keep,
                mapping,
            } => {
                let asked = import::Asked {
                    file,
                    organization,
                    resource,
                    format,
                    by: by.unwrap_or_default(),
                    keep,
                    mapping,
                };
                import::import(context, asked).await
            }
            Self::Undo {
                import,
                organization,
            } => import::undo(context, organization, import).await,
            Self::Export {
                resource,
                organization,
                format,
                query,
            } => export::export(context, organization, (resource, query), format).await,
        }
    }
}

fn pair(text: &str) -> Result<(String, Option<String>), String> {
    let (heading, member) = text
        .split_once('=')
        .ok_or_else(|| "give a heading and what it means, as Mail=email".to_owned())?;
    let member = (!member.is_empty()).then(|| member.to_owned());
    Ok((heading.to_owned(), member))
}
