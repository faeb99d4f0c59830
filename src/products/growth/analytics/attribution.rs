//! Attribution: which channels conversions are owed to.

use std::collections::{BTreeMap, HashMap, HashSet};

use roaring::RoaringBitmap;

use super::Growth;
use super::conversions::{self, Conversion};
use super::model::Model;
use super::sessions::{Cutter, Session, Sink};
use super::window::{Window, asked, persons};
use crate::api::apex::growth::v1 as pb;
use crate::error::{Error, Result};
use crate::events::{Source, Span};
use crate::products::amount;
use crate::products::growth::channels::Channel;
use crate::products::growth::identity::people;
use crate::server::Call;

/// A day, in microseconds.
const DAY: i64 = 86_400 * 1_000_000;
/// Days before a conversion in which touches count.
const LOOKBACK: i32 = 30;
/// A whole conversion, in millionths.
const WHOLE: i64 = 1_000_000;
/// Source of a session that came from nowhere.
const DIRECT: &str = "(direct)";
/// Campaign of a session that is of none.
const NO_CAMPAIGN: &str = "(none)";
/// Touches at the most.
const MOST: usize = 10_000_000;

/// A session of somebody who converted.
#[derive(Debug, Clone, Copy)]
struct Touch {
    who: u32,
    start: i64,
    source: u32,
}

#[derive(Debug, Default)]
struct Touches {
    people: HashMap<u32, u32>,
    found: Vec<Touch>,
}

impl Sink for Touches {
    fn session(&mut self, visitor: u32, session: &Session) {
        if self.found.len() <= MOST {
            self.found.push(Touch {
                who: self.people.get(&visitor).copied().unwrap_or(visitor),
                start: session.start,
                source: session.source,
            });
        }
    }
}

/// What one channel is owed.
#[derive(Debug, Default)]
struct Credit {
    conversions: i64,
    revenue: BTreeMap<u32, i128>,
}

impl Growth {
    pub(super) async fn attribution(
        &self,
        call: &Call,
        request: &pb::GetAttributionRequest,
    ) -> Result<pb::GetAttributionResponse> {
        let project = call.project()?;
        let window = Window::of(asked!(request), &project, self.0.clock.micros())?;
        let (word, model) = Model::of(&request.model)?;
        let key = Key::of(&request.by)?;
        let persons = persons(&request.unit)?;
        let lookback = i64::from(request.lookback_days.unwrap_or(LOOKBACK)) * DAY;
        let mut reading = self.0.events.reading(&project, call.deadline()).await?;
        let only = &request.r#type;
        let mut conversions = conversions::find(&mut reading, project.id, &window, only).await?;
        conversions.retain(|conversion| conversion.visitor != 0);
        let merged = match persons {
            true => people(reading.connection(), project.id).await?,
            false => HashMap::new(),
        };
        reading.only(involved(&mut conversions, &merged));
        let span = Span {
            from: window.from - lookback,
            ..window.span(None)
        };
        let touches = Touches {
            people: merged,
            found: Vec::new(),
        };
        let mut touches = Cutter::run(&mut reading, &span, touches).await?.found;
        if touches.len() > MOST {
            return Err(super::too_much(
                "10,000,000 sessions of those who converted",
            ));
        }
        touches.sort_by_key(|touch| (touch.who, touch.start));
        let sources: HashSet<u32> = touches.iter().map(|touch| touch.source).collect();
        let currencies = conversions.iter().filter_map(|own| own.paid);
        let currencies: HashSet<u32> = currencies.map(|paid| paid.currency).collect();
        let texts = reading
            .texts(sources.iter().chain(&currencies).copied())
            .await?;
        let text = |number: u32| texts.get(&number).map_or("", String::as_str);
        let sources = sources.into_iter();
        let sources: HashMap<u32, Place> = sources
            .map(|source| (source, Place::of(text(source), key)))
            .collect();
        let credits = credit(&conversions, &touches, model, lookback, &sources, key);
        let wanted = match request.currency.as_str() {
            "" => main_currency(&conversions, text),
            code => code.to_uppercase(),
        };
        Ok(pb::GetAttributionResponse {
            model: word.to_owned(),
            channels: rows(credits, &wanted, request.revenues, text),
        })
    }
}

/// What touches are told apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Channel,
    Source,
    Campaign,
}

impl Key {
    fn of(word: &str) -> Result<Self> {
        match word {
            "" | "channel" => Ok(Self::Channel),
            "source" => Ok(Self::Source),
            "campaign" => Ok(Self::Campaign),
            _ => {
                let words = "by must be one of channel, source, campaign";
                Err(Error::invalid_field("by", words))
            }
        }
    }

    /// What a touch from nowhere is called.
    fn nowhere(self) -> &'static str {
        match self {
            Self::Channel => Channel::Direct.word(),
            Self::Source => DIRECT,
            Self::Campaign => NO_CAMPAIGN,
        }
    }
}

/// Where a touch came from.
#[derive(Debug)]
struct Place {
    name: String,
    direct: bool,
}

impl Place {
    fn of(text: &str, key: Key) -> Self {
        let source = Source::read(text);
        let named = source_name(&source);
        let name = match key {
            Key::Channel => Channel::of(&source).word(),
            Key::Source => named.unwrap_or(DIRECT),
            Key::Campaign if source.utm_campaign.is_empty() => NO_CAMPAIGN,
            Key::Campaign => &source.utm_campaign,
        };
        Self {
            name: name.to_owned(),
            direct: named.is_none(),
        }
    }
}

/// The name of a source: `utm_source`, else the referrer's host.
fn source_name(source: &Source) -> Option<&str> {
    let names = [&source.utm_source, &source.referrer];
    let named = names.into_iter().find(|name| !name.is_empty());
    named.map(String::as_str)
}

/// The visitors whose sessions count, with all others of the same persons. Conversions
/// become the persons'.
fn involved(conversions: &mut [Conversion], people: &HashMap<u32, u32>) -> RoaringBitmap {
    for conversion in conversions.iter_mut() {
        if let Some(person) = people.get(&conversion.visitor) {
            conversion.visitor = *person;
        }
    }
    let mut involved: RoaringBitmap = conversions.iter().map(|own| own.visitor).collect();
    let others = people
        .iter()
        .filter(|(_, person)| involved.contains(**person));
    let others: Vec<u32> = others.map(|(visitor, _)| *visitor).collect();
    involved.extend(others);
    involved
}

/// Shares conversions out among the touches before them, which are sorted.
fn credit(
    conversions: &[Conversion],
    touches: &[Touch],
    model: Model,
    lookback: i64,
    places: &HashMap<u32, Place>,
    key: Key,
) -> BTreeMap<String, Credit> {
    let mut credits: BTreeMap<String, Credit> = BTreeMap::new();
    let place = |touch: &Touch| places.get(&touch.source);
    for conversion in conversions {
        let order = |touch: &Touch| (touch.who, touch.start);
        let who = conversion.visitor;
        let begin = touches.partition_point(|own| order(own) < (who, conversion.time - lookback));
        let end = touches.partition_point(|own| order(own) <= (who, conversion.time));
        let own = &touches[begin..end.max(begin)];
        let direct = |at: usize| place(&own[at]).is_none_or(|place| place.direct);
        let shares = model.share(WHOLE, own.len(), direct);
        let paid = conversion.paid;
        let amounts = model.share(paid.map_or(0, |paid| paid.amount), own.len(), direct);
        let named = own
            .iter()
            .map(|touch| place(touch).map_or("", |place| &place.name));
        let mut add = |name: &str, share: i64, amount: i64| {
            let credit = credits.entry(name.to_owned()).or_default();
            credit.conversions += share;
            if let Some(paid) = paid {
                *credit.revenue.entry(paid.currency).or_default() += i128::from(amount);
            }
        };
        for ((name, share), amount) in named.zip(shares).zip(amounts) {
            if share != 0 || amount != 0 {
                add(name, share, amount);
            }
        }
        if own.is_empty() {
            add(key.nowhere(), WHOLE, paid.map_or(0, |paid| paid.amount));
        }
    }
    credits
}

/// The currency of most conversions.
fn main_currency<'a>(conversions: &[Conversion], text: impl Fn(u32) -> &'a str) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for paid in conversions.iter().filter_map(|own| own.paid) {
        *counts.entry(text(paid.currency)).or_default() += 1;
    }
    let most = counts
        .into_iter()
        .max_by_key(|(code, count)| (*count, std::cmp::Reverse(*code)));
    most.map(|(code, _)| code.to_owned()).unwrap_or_default()
}

fn rows<'a>(
    credits: BTreeMap<String, Credit>,
    currency: &str,
    all: bool,
    text: impl Fn(u32) -> &'a str,
) -> Vec<pb::ChannelCredit> {
    let mut credits: Vec<(String, Credit)> = credits.into_iter().collect();
    credits.sort_by_key(|(_, credit)| std::cmp::Reverse(credit.conversions));
    let row = |(channel, credit): (String, Credit)| {
        let amounts: BTreeMap<&str, i128> = credit
            .revenue
            .iter()
            .map(|(code, amount)| (text(*code), *amount))
            .collect();
        pb::ChannelCredit {
            channel,
            credited_conversions: credit.conversions as f64 / WHOLE as f64,
            revenue: amounts
                .get(currency)
                .map_or(0.0, |amount| *amount as f64 / 1e6),
            revenues: match all {
                true => amounts
                    .into_iter()
                    .map(|(code, amount)| pb::CurrencyAmount {
                        currency: code.to_owned(),
                        amount: amount::text(code, amount),
                    })
                    .collect(),
                false => Vec::new(),
            },
        }
    };
    credits.into_iter().map(row).collect()
}
