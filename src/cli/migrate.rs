//! `apex migrate`.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::output::table;
use super::{Context, Failure, Outcome};
use crate::db::{Db, migrate};
use crate::owner;

#[derive(Debug, Args)]
pub(super) struct Migrate {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Apply what is missing (the default)
    Up,
    /// Undo the last migrations of one product
    Down {
        /// Which product, as `status` lists it
        #[arg(long)]
        product: String,
        /// How many
        #[arg(long, default_value_t = 1)]
        steps: u32,
    },
    /// List migrations
    Status,
}

impl Migrate {
    pub(super) async fn run(self, context: &Context) -> Outcome {
        let config = &context.config;
        let db = match self.action {
            Some(Action::Status) => Db::open(config).await?,
            _ => {
                // On SQLite a running server must not lose its schema.
                let own = owner::claim(&config.data_dir)?;
                let db = Db::open(config).await?;
                if own.is_none() && db.engine() == "sqlite" {
                    return Err(Failure::Failed("stop the server first".to_owned()));
                }
                db
            }
        };
        match self.action {
            None | Some(Action::Up) => migrate::up(&db).await?,
            Some(Action::Down { product, steps }) => {
                let known = migrate::status(&db).await?;
                if !known.iter().any(|step| step.product == product) {
                    return Err(Failure::Usage(format!("there is no product `{product}`")));
                }
                migrate::down(&db, &product, steps).await?;
            }
            Some(Action::Status) => {}
        }
        let steps = migrate::status(&db).await?;
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
