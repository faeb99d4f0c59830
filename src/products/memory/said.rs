//! Something that was said, as a request brings it, once it is known to be sound.

use sha2::{Digest as _, Sha256};

use prost::Message as _;
use prost_types::Timestamp;

use super::engine::score::Role;
use super::engine::text;
use super::person::speaker_of;
use crate::api::apex::memory::v1 as pb;
use crate::clock::{DAY, MICROS};
use crate::error::{Error, Result};
use crate::products::micros;

/// Longest text, in bytes.
const MAX_TEXT: usize = 32 * 1024;
/// Most bytes of what a caller gives with a memory.
const MAX_METADATA: usize = 4 * 1024;
/// Most bytes of what callers gave with what was said again: the newest are kept.
pub(super) const MAX_MERGED: usize = 16 * 1024;

/// Something that was said. It stands in no log.
pub(super) struct Said {
    pub(super) user_id: String,
    pub(super) content: String,
    pub(super) session: String,
    pub(super) role: Role,
    pub(super) speaker: String,
    pub(super) at: i64,
    pub(super) metadata: String,
    /// The caller's name for the request, and what it names.
    pub(super) key: Option<(String, Vec<u8>)>,
}

impl std::fmt::Debug for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Said").finish_non_exhaustive()
    }
}

impl Said {
    /// Reads a request.
    pub(super) fn of(request: pb::IngestRequest, now: i64) -> Result<Self> {
        let digest = Sha256::digest(request.encode_to_vec()).to_vec();
        let key = request.idempotency_key.clone();
        Ok(Self {
            at: time("timestamp", request.timestamp, now)?.unwrap_or(now),
            content: self::text("content", &request.content)?.to_owned(),
            speaker: speaker(request.speaker, &request.metadata)?,
            metadata: flat(request.metadata)?,
            user_id: request.user_id,
            session: request.session_id,
            role: match request.role.as_str() {
                "assistant" => Role::Assistant,
                _ => Role::User,
            },
            key: Some((key, digest)).filter(|(key, _)| !key.is_empty()),
        })
    }

    /// What was said, without the name a line of a transcript begins with.
    pub(super) fn words(&self) -> &str {
        text::speaker(&self.content).1
    }

    /// Who said it, as the index is told.
    pub(super) fn speaker(&self) -> Option<&str> {
        speaker_of(&self.speaker, self.role_word())
    }

    /// Who said it, as the database and callers have it.
    pub(super) fn role_word(&self) -> &'static str {
        match self.role {
            Role::User => "user",
            Role::Assistant => "assistant",
        }
    }
}

/// Longest name of who speaks, in bytes.
const MAX_SPEAKER: usize = 100;

/// Who speaks: as the request says, or what is given with it.
fn speaker(named: String, metadata: &str) -> Result<String> {
    if !named.is_empty() || metadata.is_empty() {
        return Ok(named);
    }
    let members: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(metadata).unwrap_or_default();
    let named =
        ["speaker", "name"].map(|name| (name, members.get(name).and_then(|own| own.as_str())));
    let fits = |name: &str| (1..=MAX_SPEAKER).contains(&name.len());
    for (member, named) in named {
        let Some(named) = named.map(str::trim).filter(|name| fits(name)) else {
            continue;
        };
        if named.contains('\0') {
            // One of the databases could not keep it.
            let field = format!("metadata.{member}");
            let words = format!("{field} must not contain U+0000");
            return Err(Error::invalid_field(field, words));
        }
        return Ok(named.to_owned());
    }
    Ok(String::new())
}

/// The earliest time that can be shown: the year 1.
const EARLIEST: i64 = -62_135_596_800 * MICROS;

/// A time a caller gives, if one is given.
pub(super) fn time(field: &str, given: Option<Timestamp>, now: i64) -> Result<Option<i64>> {
    let Some(given) = given else {
        return Ok(None);
    };
    let at = micros(&given);
    let at = at.ok_or_else(|| Error::invalid_field(field, format!("{field} is not valid")))?;
    bounded(field, at, now).map(Some)
}

/// A time that can be shown, and is not of the future but for clocks that are wrong.
pub(super) fn bounded(field: &str, at: i64, now: i64) -> Result<i64> {
    let wrong = |words| {
        Err(Error::invalid_field(
            field,
            format!("{field} must not be {words}"),
        ))
    };
    match at {
        _ if at < EARLIEST => wrong("before the year 1"),
        _ if at > now + DAY => wrong("more than 24 hours ahead"),
        _ => Ok(at),
    }
}

/// A text without the spaces around it, if it is not too long.
pub(super) fn text<'t>(field: &str, given: &'t str) -> Result<&'t str> {
    let text = given.trim();
    match text.len() {
        0 => Err(Error::invalid_field(field, format!("{field} is required"))),
        1..=MAX_TEXT => Ok(text),
        _ => Err(Error::invalid_field(
            field,
            format!("{field} must have at most {MAX_TEXT} bytes"),
        )),
    }
}

/// An object whose members are plain values, or nothing.
pub(super) fn flat(metadata: String) -> Result<String> {
    if metadata.len() > MAX_METADATA {
        let words = format!("metadata must have at most {MAX_METADATA} bytes");
        return Err(Error::invalid_field("metadata", words));
    }
    if metadata.is_empty() {
        return Ok(metadata);
    }
    let members: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&metadata)
        .map_err(|_| Error::invalid_field("metadata", "metadata must be an object"))?;
    let nested = members
        .iter()
        .find(|(_, own)| own.is_object() || own.is_array());
    match nested {
        Some((name, _)) => Err(Error::invalid_field(
            format!("metadata.{name}"),
            format!("metadata.{name} must be a plain value: metadata is flat"),
        )),
        None => Ok(metadata),
    }
}

/// An array of such objects, or nothing.
pub(super) fn merged(array: String) -> Result<String> {
    let wrong = || {
        let words = "merged_metadata must be an array of objects, of 16 KiB at most";
        Error::invalid_field("merged_metadata", words)
    };
    if array.is_empty() {
        return Ok(array);
    }
    if array.len() > MAX_MERGED {
        return Err(wrong());
    }
    let all: Vec<serde_json::Map<String, serde_json::Value>> =
        serde_json::from_str(&array).map_err(|_| wrong())?;
    match all.is_empty() {
        true => Ok(String::new()),
        false => Ok(array),
    }
}
