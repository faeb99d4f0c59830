//! A sealed part of the fingerprints: sorted entries in pages, behind a filter.

use sea_orm::{ConnectionTrait, Value};
use xorf::{BinaryFuse16, Descriptor, Filter as _};

use super::dedupe::Entry;
use super::position;
use crate::db::Tx;
use crate::db::sql::{execute, row, rows};
use crate::error::{Error, Result};

/// Entries of a page: 16 bytes each, 8 KiB.
const PAGE: usize = 512;
const ENTRY: usize = 16;

/// A sealed segment; its filter is in memory, its pages are not.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) id: i64,
    /// When its newest event was received.
    pub(super) newest: i64,
    filter: BinaryFuse16,
}

/// What was sealed.
#[derive(Debug)]
pub(super) struct Sealed {
    /// The segments that are new.
    pub(super) segments: Vec<Segment>,
    /// The last position in any segment.
    pub(super) last_seq: i64,
}

/// A segment that is not in the database yet.
pub(super) struct Draft {
    entries: Vec<Entry>,
    filter: BinaryFuse16,
}

impl Draft {
    /// Sorts entries and builds their filter. Takes a while: not for async code.
    pub(super) fn new(mut entries: Vec<Entry>) -> Option<Self> {
        entries.sort_unstable();
        let mut keys: Vec<u64> = entries.iter().map(|entry| entry.fingerprint).collect();
        keys.dedup();
        let filter = BinaryFuse16::try_from(&keys).ok()?;
        Some(Self { entries, filter })
    }

    /// Writes the segment, unless another node sealed the same meanwhile: then its
    /// segments are read, those after the last `known` one.
    pub(super) async fn seal(self, tx: &Tx, newest: i64, known: i64) -> Result<Sealed> {
        let seqs = || self.entries.iter().map(|entry| entry.seq);
        let (first_seq, last_seq) = (seqs().min().unwrap_or(0), seqs().max().unwrap_or(0));
        let before = position::lock_sealed(tx).await?;
        if first_seq <= before {
            return Ok(Sealed {
                segments: Segment::load_after(tx, known).await?,
                last_seq: before,
            });
        }
        let sql = "INSERT INTO event_segment (first_seq, last_seq, newest, entries, filter) \
                   VALUES ($1, $2, $3, $4, $5) RETURNING id";
        let values: [Value; 5] = [
            first_seq.into(),
            last_seq.into(),
            newest.into(),
            (self.entries.len() as i64).into(),
            encode_filter(&self.filter).into(),
        ];
        let row = row(tx, sql, values).await?;
        let row = row.ok_or_else(|| Error::internal("no id of a segment"))?;
        let id: i64 = row.try_get("", "id")?;
        for page in self.entries.chunks(PAGE) {
            let bytes: Vec<u8> = page.iter().flat_map(encode_entry).collect();
            let sql = "INSERT INTO event_segment_page (segment, first, entries) \
                       VALUES ($1, $2, $3)";
            let values = [id.into(), ordered(page[0].fingerprint).into(), bytes.into()];
            execute(tx, sql, values).await?;
        }
        let sql = "UPDATE event_log SET value = $1 WHERE name = 'sealed' AND value < $1";
        execute(tx, sql, [last_seq.into()]).await?;
        let segment = Segment {
            id,
            newest,
            filter: self.filter,
        };
        Ok(Sealed {
            segments: vec![segment],
            last_seq,
        })
    }
}

/// The last position that is sealed, also when its segment is forgotten since:
/// what is older than the window is not to be read again.
pub(super) async fn sealed(tx: &impl ConnectionTrait) -> Result<i64> {
    let sql = "SELECT MAX(value) AS sealed FROM \
               (SELECT value FROM event_log WHERE name = 'sealed' \
               UNION ALL SELECT last_seq FROM event_segment) AS positions";
    match row(tx, sql, []).await? {
        Some(row) => Ok(row.try_get::<Option<i64>>("", "sealed")?.unwrap_or(0)),
        None => Ok(0),
    }
}

impl Segment {
    /// Reads the segments after one, without their pages.
    pub(super) async fn load_after(tx: &impl ConnectionTrait, id: i64) -> Result<Vec<Self>> {
        let sql = "SELECT id, newest, filter FROM event_segment WHERE id > $1 ORDER BY id";
        let found = rows(tx, sql, [id.into()]).await?;
        found
            .into_iter()
            .map(|row| {
                let filter: Vec<u8> = row.try_get("", "filter")?;
                Ok(Self {
                    id: row.try_get("", "id")?,
                    newest: row.try_get("", "newest")?,
                    filter: decode_filter(&filter)
                        .ok_or_else(|| Error::internal("a filter cannot be read"))?,
                })
            })
            .collect()
    }

    /// Removes segments.
    pub(super) async fn forget(tx: &Tx, ids: &[i64]) -> Result<()> {
        for id in ids {
            let sql = "DELETE FROM event_segment_page WHERE segment = $1";
            execute(tx, sql, [(*id).into()]).await?;
            execute(
                tx,
                "DELETE FROM event_segment WHERE id = $1",
                [(*id).into()],
            )
            .await?;
        }
        Ok(())
    }

    /// Whether the fingerprint may be among them; wrong once in 65,536.
    pub(super) fn may_hold(&self, fingerprint: u64) -> bool {
        self.filter.contains(&fingerprint)
    }

    /// The positions of the events with this fingerprint. A run of equal ones may
    /// begin on the page before.
    pub(super) async fn find(
        &self,
        look: &impl ConnectionTrait,
        fingerprint: u64,
    ) -> Result<Vec<i64>> {
        let sql = "SELECT entries FROM event_segment_page WHERE segment = $1 AND first <= $2 \
                   ORDER BY first DESC LIMIT 2";
        let values = [self.id.into(), ordered(fingerprint).into()];
        let mut found = Vec::new();
        for row in rows(look, sql, values).await? {
            let bytes: Vec<u8> = row.try_get("", "entries")?;
            let entries = bytes.chunks_exact(ENTRY).filter_map(decode_entry);
            found.extend(
                entries
                    .filter(|e| e.fingerprint == fingerprint)
                    .map(|e| e.seq),
            );
        }
        Ok(found)
    }
}

/// A signed number that orders as the fingerprint does.
fn ordered(fingerprint: u64) -> i64 {
    (fingerprint ^ (1 << 63)) as i64
}

fn encode_entry(entry: &Entry) -> [u8; ENTRY] {
    let mut bytes = [0; ENTRY];
    bytes[..8].copy_from_slice(&entry.fingerprint.to_le_bytes());
    bytes[8..].copy_from_slice(&entry.seq.to_le_bytes());
    bytes
}

fn decode_entry(bytes: &[u8]) -> Option<Entry> {
    let (fingerprint, seq) = bytes.split_at_checked(8)?;
    Some(Entry {
        fingerprint: u64::from_le_bytes(fingerprint.try_into().ok()?),
        seq: i64::from_le_bytes(seq.try_into().ok()?),
    })
}

/// The filter as bytes: its descriptor, then its fingerprints.
fn encode_filter(filter: &BinaryFuse16) -> Vec<u8> {
    let descriptor = &filter.descriptor;
    let mut bytes = descriptor.seed.to_le_bytes().to_vec();
    for part in [
        descriptor.segment_length,
        descriptor.segment_length_mask,
        descriptor.segment_count_length,
    ] {
        bytes.extend_from_slice(&part.to_le_bytes());
    }
    bytes.extend(filter.fingerprints.iter().flat_map(|f| f.to_le_bytes()));
    bytes
}

fn decode_filter(bytes: &[u8]) -> Option<BinaryFuse16> {
    let (seed, rest) = bytes.split_first_chunk()?;
    let (segment_length, rest) = rest.split_first_chunk()?;
    let (segment_length_mask, rest) = rest.split_first_chunk()?;
    let (segment_count_length, rest) = rest.split_first_chunk()?;
    let fingerprints = rest
        .chunks_exact(2)
        .map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
    Some(BinaryFuse16 {
        descriptor: Descriptor {
            seed: u64::from_le_bytes(*seed),
            segment_length: u32::from_le_bytes(*segment_length),
            segment_length_mask: u32::from_le_bytes(*segment_length_mask),
            segment_count_length: u32::from_le_bytes(*segment_count_length),
        },
        fingerprints: fingerprints.collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_survive_their_encoding() {
        let entries: Vec<Entry> = (0..5000_u64)
            .map(|n| Entry {
                fingerprint: n.wrapping_mul(0x9e37_79b9_7f4a_7c15),
                seq: n as i64,
            })
            .collect();
        let draft = Draft::new(entries.clone()).unwrap();
        let filter = decode_filter(&encode_filter(&draft.filter)).unwrap();
        assert!(
            entries
                .iter()
                .all(|entry| filter.contains(&entry.fingerprint))
        );
        let wrong = (0..100_000_u64)
            .filter(|n| filter.contains(&(n | 1 << 62)))
            .count();
        assert!(wrong < 20, "{wrong} false matches");
        assert!(decode_filter(&[0; 5]).is_none());
    }
}
