//! What a memory is found by: its text, read once. It may be kept beside the text, so
//! that an index is made again without reading every text anew.

use prost::Message;

use super::super::{duplicates, text, times};
use super::signs::{TIMED, flags_of};
use super::{Span, role};

/// By which rules texts are read: one that was read by others is read again.
const EDITION: u32 = 2;
/// Terms of one text that are kept; text is bounded, so few ever reach it.
const TERMS: usize = 4096;

/// What a text is found by.
#[derive(Clone, PartialEq, Message)]
pub struct Reading {
    /// By which rules it was read.
    #[prost(uint32, tag = "1")]
    edition: u32,
    /// Its terms in their order, with spaces between.
    #[prost(string, tag = "2")]
    terms: String,
    /// Who said it, in lower case.
    #[prost(string, tag = "3")]
    pub(super) speaker: String,
    /// First and last days of the times it speaks of, in turn.
    #[prost(sint32, repeated, tag = "4")]
    days: Vec<i32>,
    /// What kind of text it is.
    #[prost(uint32, tag = "5")]
    flags: u32,
    /// What repeats are told by; nought for what is never repeated.
    #[prost(fixed64, tag = "6")]
    pub(super) form: u64,
}

impl Reading {
    /// Reads a text that was said at a time in microseconds. Who said it may be known
    /// otherwise; a name before a colon in the text says it too.
    pub fn of(content: &str, speaker: Option<&str>, at: i64) -> Self {
        let (named, said) = text::speaker(content);
        let told = speaker.filter(|name| !role(name));
        let speaker = told.or(named).or(speaker).unwrap_or_default();
        let times = times::said(said, at);
        let mut flags = flags_of(said);
        if times.timed || !times.spans.is_empty() {
            flags |= TIMED;
        }
        let mut terms = text::terms(said);
        terms.truncate(TERMS);
        Self {
            edition: EDITION,
            terms: terms.join(" "),
            speaker: speaker.trim().to_lowercase(),
            days: times.spans.iter().flat_map(|s| [s.from, s.to]).collect(),
            flags: flags.into(),
            form: duplicates::form(said).map_or(0, |form| form.hash),
        }
    }

    /// One that was kept, if it was read by today's rules.
    pub fn kept(bytes: &[u8]) -> Option<Self> {
        let kept = Self::decode(bytes).ok();
        kept.filter(|reading| reading.edition == EDITION)
    }

    /// The text's terms in their order.
    pub fn terms(&self) -> impl Iterator<Item = &str> {
        self.terms.split(' ').filter(|term| !term.is_empty())
    }

    pub(super) fn spans(&self) -> Box<[Span]> {
        let pairs = self.days.chunks_exact(2);
        let span = |pair: &[i32]| match pair {
            [from, to] => Some(Span {
                from: *from,
                to: *to,
            }),
            _ => None,
        };
        pairs.filter_map(span).collect()
    }

    pub(super) fn flags(&self) -> u8 {
        self.flags as u8
    }
}
