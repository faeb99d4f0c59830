//! The largest pages, referrers, campaigns and the like.

use std::collections::{BTreeMap, HashMap, HashSet};

use roaring::RoaringBitmap;

use super::Growth;
use super::sessions::{Cutter, Session, Sink};
use super::summary::question;
use super::window::{Window, asked};
use crate::api::apex::growth::v1 as pb;
use crate::error::{Error, Result};
use crate::events::{Day, Dimension, Group, Moment, Question, Reading, Source, Walk, Wants};
use crate::products::growth::channels::Channel;
use crate::products::growth::names::PAGE_VIEWS;
use crate::server::Call;

/// Rows answered unless more are asked for.
const DEFAULT_ROWS: usize = 10;

/// What is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum List {
    Pages,
    EntryPages,
    ExitPages,
    Referrers,
    Sources,
    Mediums,
    Campaigns,
    Devices,
    Channels,
    Types,
}

impl List {
    const ALL: [(&'static str, Self); 10] = [
        ("pages", Self::Pages),
        ("entry_pages", Self::EntryPages),
        ("exit_pages", Self::ExitPages),
        ("referrers", Self::Referrers),
        ("sources", Self::Sources),
        ("mediums", Self::Mediums),
        ("campaigns", Self::Campaigns),
        ("devices", Self::Devices),
        ("channels", Self::Channels),
        ("types", Self::Types),
    ];

    fn of(word: &str) -> Result<Self> {
        let mut all = Self::ALL.into_iter();
        let found = all.find(|(own, _)| *own == word);
        found.map(|(_, list)| list).ok_or_else(|| {
            let words: Vec<&str> = Self::ALL.iter().map(|(word, _)| *word).collect();
            let description = format!("list must be one of {}", words.join(", "));
            Error::invalid_field("list", description)
        })
    }

    /// The rollups that hold it.
    fn group(self) -> Option<Group> {
        Some(match self {
            Self::Pages => Group::By(Dimension::Path),
            Self::Referrers => Group::By(Dimension::Referrer),
            Self::Sources => Group::By(Dimension::UtmSource),
            Self::Mediums => Group::By(Dimension::UtmMedium),
            Self::Campaigns => Group::By(Dimension::UtmCampaign),
            Self::Types => Group::Name,
            Self::EntryPages | Self::ExitPages | Self::Devices | Self::Channels => return None,
        })
    }

    /// The text of a number that was counted.
    fn key(self, text: &str) -> String {
        let source = Source::read(text);
        match self {
            Self::Referrers => source.referrer,
            Self::Sources => source.utm_source,
            Self::Mediums => source.utm_medium,
            Self::Campaigns => source.utm_campaign,
            Self::Channels => Channel::of(&source).word().to_owned(),
            Self::Pages | Self::EntryPages | Self::ExitPages | Self::Devices | Self::Types => {
                text.to_owned()
            }
        }
    }

    /// What is counted of a session.
    fn of_session(self, session: &Session) -> u32 {
        match self {
            Self::Pages | Self::EntryPages => session.entry,
            Self::ExitPages => session.exit,
            Self::Devices => session.device,
            Self::Referrers
            | Self::Sources
            | Self::Mediums
            | Self::Campaigns
            | Self::Channels
            | Self::Types => session.source,
        }
    }
}

/// Sessions by what is listed.
struct OfSessions {
    list: List,
    counts: HashMap<u32, i64>,
}

impl Sink for OfSessions {
    fn session(&mut self, _: u32, session: &Session) {
        if session.views > 0 {
            *self
                .counts
                .entry(self.list.of_session(session))
                .or_default() += 1;
        }
    }
}

/// Page views by what is listed, and whose.
struct OfViews {
    of: fn(&Moment) -> u32,
    counts: HashMap<u32, (i64, RoaringBitmap)>,
}

impl Walk for OfViews {
    const ORDERED: bool = false;

    fn day(&mut self, day: Day<'_>) -> Result<()> {
        for row in day.rows {
            let (count, visitors) = self.counts.entry((self.of)(row)).or_default();
            *count += 1;
            visitors.insert(row.visitor);
        }
        Ok(())
    }
}

impl Growth {
    pub(super) async fn top(
        &self,
        call: &Call,
        request: &pb::ListTopRequest,
    ) -> Result<pb::ListTopResponse> {
        let project = call.project()?;
        let window = Window::of(asked!(request), &project, self.0.clock.micros())?;
        let list = List::of(&request.list)?;
        let by_sessions = match request.count.as_str() {
            "" | "page_views" => matches!(list, List::EntryPages | List::ExitPages),
            "sessions" => list != List::Types,
            _ => {
                let words = "count must be one of page_views, sessions";
                return Err(Error::invalid_field("count", words));
            }
        };
        let limit = request.limit.map_or(DEFAULT_ROWS, |limit| limit as usize);
        let mut reading = self.0.events.reading(&project, call.deadline()).await?;
        let rows = match (by_sessions, list.group()) {
            (true, _) => {
                let sink = OfSessions {
                    list,
                    counts: HashMap::new(),
                };
                let sink = Cutter::run(&mut reading, &window.span(None), sink).await?;
                let counts = sink.counts.into_iter();
                let counts = counts.map(|(number, count)| (number, (count, None)));
                named(&mut reading, list, counts.collect()).await?
            }
            (false, Some(group)) => {
                let mut question = question(project.id, &window);
                question.group = group;
                if list != List::Types {
                    question.names = PAGE_VIEWS.map(str::to_owned).to_vec();
                }
                rolled_up(&reading, question, limit).await?
            }
            (false, None) => {
                let views = OfViews {
                    of: match list {
                        List::Devices => |row| row.device,
                        _ => |row| row.source,
                    },
                    counts: HashMap::new(),
                };
                let names = PAGE_VIEWS.map(str::to_owned).to_vec();
                let views = reading.walk(&window.span(Some(names)), views).await?;
                let counts = views.counts.into_iter();
                let counts = counts.map(|(number, (n, who))| (number, (n, Some(who))));
                named(&mut reading, list, counts.collect()).await?
            }
        };
        let mut rows: Vec<(String, Count)> = rows
            .into_iter()
            .filter(|(key, _)| !key.is_empty())
            .collect();
        rows.sort_by(|(a, (n, _)), (b, (m, _))| m.cmp(n).then_with(|| a.cmp(b)));
        rows.truncate(limit);
        Ok(pb::ListTopResponse {
            rows: rows
                .into_iter()
                .map(|(key, (count, visitors))| pb::TopRow {
                    key,
                    count,
                    visitors: visitors.map(|mut visitors| {
                        visitors.remove(0);
                        visitors.len() as i64
                    }),
                })
                .collect(),
            period: Some(window.message()),
        })
    }
}

/// How many, and whose.
type Count = (i64, Option<RoaringBitmap>);

/// Counts by the texts of their numbers. Several numbers may have the same.
async fn named(
    reading: &mut Reading,
    list: List,
    counts: Vec<(u32, Count)>,
) -> Result<BTreeMap<String, Count>> {
    let texts = reading
        .texts(counts.iter().map(|(number, _)| *number))
        .await?;
    let mut named: BTreeMap<String, Count> = BTreeMap::new();
    for (number, (count, visitors)) in counts {
        let text = texts.get(&number).map_or("", String::as_str);
        let (sum, all) = named.entry(list.key(text)).or_default();
        *sum += count;
        if let Some(visitors) = visitors {
            *all.get_or_insert_default() |= visitors;
        }
    }
    Ok(named)
}

/// The largest groups of rollups. Which they are is told by their counts alone; sets
/// of visitors are read only of those.
async fn rolled_up(
    reading: &Reading,
    mut question: Question,
    limit: usize,
) -> Result<BTreeMap<String, Count>> {
    // One more: those without a value are left out.
    question.top = Some(limit + 1);
    let counts = reading.ask(&question).await?.into_iter();
    let mut largest: Vec<(String, i64)> = counts.map(|((_, key), own)| (key, own.events)).collect();
    largest.sort_by(|(a, n), (b, m)| m.cmp(n).then_with(|| a.cmp(b)));
    largest.truncate(limit + 1);
    question.top = None;
    question.only = Some(
        largest
            .into_iter()
            .map(|(key, _)| key)
            .collect::<HashSet<_>>(),
    );
    question.wants = Wants {
        visitors: true,
        revenue: false,
    };
    let figures = reading.ask(&question).await?.into_iter();
    Ok(figures
        .map(|((_, key), own)| (key, (own.events, Some(own.visitors))))
        .collect())
}
