//! Who the visitors are: which of them are one person, and how many leads there are.

use std::collections::HashMap;
use std::sync::Arc;

use roaring::RoaringBitmap;

use super::Growth;
use crate::auth::ProjectId;
use crate::db::Read;
use crate::error::Result;
use crate::events::Reading;

impl Growth {
    /// Takes all visitors of a lead for one.
    pub(super) async fn merge_people(
        &self,
        reading: &mut Reading,
        project: ProjectId,
    ) -> Result<()> {
        let merged = merged(reading.connection(), project).await?;
        reading.merge(Arc::new(merged));
        Ok(())
    }
}

/// Visitors who are others under another number.
pub(super) async fn merged(_read: &Read, _project: ProjectId) -> Result<HashMap<u32, u32>> {
    Ok(HashMap::new())
}

/// How many leads were created in a span of time; of these visitors, if any are named.
pub(super) async fn leads(
    _read: &Read,
    _project: ProjectId,
    _span: (i64, i64),
    _visitors: Option<&RoaringBitmap>,
) -> Result<i64> {
    Ok(0)
}
