//! `apex migrate`.

use std::io::IsTerminal as _;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::output::table;
use super::{Context, Failure, Outcome};
use crate::db::{Db, migrate};

#[derive(Debug, Args)]
pub(super) struct Migrate {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Apply what is missing (the default)
    Up,
    /// Undo the last migrations of one product, which destroys what is in their tables
    ///
    /// Says which tables and columns are destroyed and asks; where nobody can be asked,
    /// --yes is needed. The embedded database is copied beside itself first, as
    /// apex.before-TIME.db, which `apex restore` puts back. Copy PostgreSQL's yourself,
    /// by pg_dump.
    Down {
        /// Which product, as `status` lists it
        #[arg(long)]
        product: String,
        /// How many
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
        steps: u32,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// List migrations
    Status,
}

impl Migrate {
    /// Whether it is about a schema that is there.
    pub(super) fn expects_data(&self) -> bool {
        matches!(self.action, Some(Action::Status | Action::Down { .. }))
    }

    pub(super) async fn run(self, context: &Context) -> Outcome {
        let config = &context.config;
        let status = matches!(self.action, Some(Action::Status));
        let own = match status {
            true => context.require_data().map(|()| None)?,
            false => context.claim()?,
        };
        let db = Db::open(config).await?;
        // On SQLite a running server must not lose its schema, so the data directory
        // is ours until the end. PostgreSQL sees to its own order.
        let embedded = db.engine() == "sqlite";
        let own = own.filter(|_| embedded);
        if embedded && !status && own.is_none() {
            return Err(Failure::Failed("stop the server first".to_owned()));
        }
        let done = self.act(context, &db).await;
        let closed = db.close().await;
        done?;
        Ok(closed?)
    }

    async fn act(self, context: &Context, db: &Db) -> Outcome {
        match self.action {
            None | Some(Action::Up) => migrate::up(db).await?,
            Some(Action::Down {
                product,
                steps,
                yes,
            }) => down(context, db, &product, steps, yes).await?,
            Some(Action::Status) => {}
        }
        let steps = migrate::status(db).await?;
        let json: Value = steps
            .iter()
            .map(|s| json!({"product": s.product, "name": s.name, "applied": s.applied}))
            .collect();
        let row = |step: &migrate::Step| {
            let state = if step.applied { "applied" } else { "pending" };
            vec![step.product.to_owned(), step.name.clone(), state.to_owned()]
        };
        let rows: Vec<_> = steps.iter().map(row).collect();
        context
            .output
            .result(&json, || table(&["PRODUCT", "MIGRATION", "STATE"], &rows));
        Ok(())
    }
}

/// Undoes migrations, once somebody said that what is lost may be lost.
async fn down(context: &Context, db: &Db, product: &str, steps: u32, yes: bool) -> Outcome {
    let known = migrate::status(db).await?;
    let mut own: Vec<_> = (known.iter().filter(|step| step.product == product)).collect();
    if own.is_empty() {
        return Err(Failure::Usage(format!("there is no product `{product}`")));
    }
    own.retain(|step| step.applied);
    let Some(kept) = own.len().checked_sub(steps as usize) else {
        let applied = own.len();
        return Err(Failure::Usage(format!(
            "--steps is {steps}, and {applied} of the migrations of {product} are applied"
        )));
    };
    let undone = own.split_off(kept);
    let names: Vec<_> = undone.iter().map(|step| step.name.as_str()).collect();
    let lost: Vec<_> = (undone.iter().rev())
        .flat_map(|step| migrate::destroyed_by(step))
        .collect();
    let lost = match lost.is_empty() {
        true => "no data".to_owned(),
        false => format!("all that is in {}", lost.join(", ")),
    };
    let told = format!("undoing {} of {product} destroys {lost}", names.join(", "));
    if !yes {
        agreed(context, &told)?;
    }
    if let Some(kept) = db.keep().await? {
        let kept = kept.display();
        context
            .output
            .note(&format!("the database before is kept as {kept}"));
    }
    Ok(migrate::down(db, product, steps).await?)
}

/// Asks whether to go on, if there is somebody to ask.
fn agreed(context: &Context, told: &str) -> Outcome {
    let input = std::io::stdin();
    if !input.is_terminal() {
        return Err(Failure::Usage(format!("{told}; go on with --yes")));
    }
    context.output.note(&format!("{told}. Go on? Type yes:"));
    let mut answer = String::new();
    input.read_line(&mut answer)?;
    match answer.trim() {
        "yes" => Ok(()),
        _ => Err(Failure::Failed("nothing was undone".to_owned())),
    }
}
