//! What a product says of its webhooks: where they and their deliveries are kept, and
//! what follows when one was told.

use crate::db::Tx;
use crate::error::Result;

/// Where webhooks of a product are kept. Both tables have columns of these names beside
/// those every product has: `url`, `status`, `secret`, `former_secret`, `former_until` and
/// `failing_since` of webhooks; `number`, `id`, `webhook`, `message`, `kind`, `body`,
/// `status`, `attempts`, `response_status`, `error`, `created_at`, `since`, `attempted_at`
/// and `finished_at` of deliveries.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tables {
    /// The table of webhooks.
    pub(crate) webhooks: &'static str,
    /// The table of what they are told.
    pub(crate) deliveries: &'static str,
    /// The column with the number of a webhook.
    pub(crate) number: &'static str,
    /// The column with its public id.
    pub(crate) id: &'static str,
    /// The column, of both tables, that says whose they are.
    pub(crate) owner: &'static str,
    /// What owns them, in words: secrets are bound to it.
    pub(crate) whose: &'static str,
}

/// A product that tells webhooks.
pub(crate) trait Office: Send + Sync + 'static {
    /// What the outbox calls its deliveries.
    const TOPIC: &'static str;
    /// Where they are kept.
    const TABLES: Tables;

    /// What something follows from when it was told, or given up.
    const FOLLOWED: &'static [&'static str] = &[];

    /// Does what follows, in the transaction that writes it down.
    fn settled(_tx: &Tx, _settled: &Settled<'_>) -> impl Future<Output = Result<()>> + Send {
        std::future::ready(Ok(()))
    }
}

/// A delivery that is over.
#[derive(Debug)]
pub(crate) struct Settled<'s> {
    /// Whose it is.
    pub(crate) owner: i64,
    /// What it told of.
    pub(crate) kind: &'s str,
    /// The body that was sent.
    pub(crate) body: &'s str,
    /// Why it was given up; `None` of one that was told.
    pub(crate) failure: Option<&'s str>,
    /// When, in microseconds.
    pub(crate) now: i64,
}
