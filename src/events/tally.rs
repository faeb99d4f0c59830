//! Adds events up into the rows of the rollup table. An event is counted once, in
//! its finest rows; coarser ones are sums of those, since figures add up.

use std::collections::{BTreeMap, HashMap};

use foldhash::fast::RandomState;

use super::bucket::Level;
use super::figures::Figures;
use super::model::Dimension;
use super::moments::Taken;

/// A row of the rollup table, by the order of its key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key {
    pub(super) project: i64,
    pub(super) level: Level,
    /// Zero is no breakdown.
    pub(super) dimension: i16,
    /// Empty is every name.
    pub(super) name: String,
    pub(super) bucket: i64,
    pub(super) value: String,
    pub(super) audience: i16,
}

/// A key whose texts are numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Place {
    project: i64,
    level: Level,
    dimension: i16,
    name: u32,
    bucket: i64,
    value: u32,
    audience: i16,
}

/// There are many for each event, so what hashes them is quick.
type Sums = HashMap<Place, Figures, RandomState>;

/// Numbers for the texts of a batch; the empty text is zero.
struct Words {
    numbers: HashMap<String, u32, RandomState>,
    texts: Vec<String>,
}

impl Words {
    fn new() -> Self {
        Self {
            numbers: [(String::new(), 0)].into_iter().collect(),
            texts: vec![String::new()],
        }
    }

    fn number(&mut self, text: &str) -> u32 {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let number = self.texts.len() as u32;
        self.numbers.insert(text.to_owned(), number);
        self.texts.push(text.to_owned());
        number
    }
}

/// Adds up events, in every row they belong to.
pub(super) fn tally(events: &[Taken]) -> BTreeMap<Key, Figures> {
    let mut words = Words::new();
    let named = finest(events, &mut words);
    let every = sums(&named, |place| Place { name: 0, ..place });
    let finest = named.into_iter().chain(every);
    let (quarters, broken_down): (Sums, Sums) = finest.partition(|(place, _)| place.dimension == 0);
    let hours = climb(&quarters, Level::Hour);
    let days = climb(&hours, Level::Day);
    let months = climb(&days, Level::Month);
    let broken_down_months = climb(&broken_down, Level::Month);
    let all = [
        quarters,
        hours,
        days,
        months,
        broken_down,
        broken_down_months,
    ];
    let text = |number: u32| words.texts[number as usize].clone();
    let keyed = all.into_iter().flatten().map(|(place, figures)| {
        let key = Key {
            project: place.project,
            level: place.level,
            dimension: place.dimension,
            name: text(place.name),
            bucket: place.bucket,
            value: text(place.value),
            audience: place.audience,
        };
        (key, figures)
    });
    keyed.collect()
}

/// The sums in larger buckets.
fn climb(below: &Sums, level: Level) -> Sums {
    sums(below, |place| Place {
        level,
        bucket: level.floor(place.bucket),
        ..place
    })
}

fn sums(parts: &Sums, of: impl Fn(Place) -> Place) -> Sums {
    let mut sums = Sums::default();
    for (place, figures) in parts {
        sums.entry(of(*place)).or_default().merge(figures);
    }
    sums
}

/// Counts each event in its quarter of an hour, and per breakdown in its day.
fn finest(events: &[Taken], words: &mut Words) -> Sums {
    let mut figures = Sums::default();
    for event in events {
        let (time, money) = (event.time, event.money.as_ref());
        let place = Place {
            project: event.project,
            level: Level::Quarter,
            dimension: 0,
            name: words.number(&event.name),
            bucket: Level::Quarter.floor(time),
            value: 0,
            audience: event.audience.into(),
        };
        let mut add = |place| figures.entry(place).or_default().add(event.visitor, money);
        add(place);
        for dimension in Dimension::ALL {
            let value = dimension.of(&event.page).unwrap_or_default();
            add(Place {
                level: Level::Day,
                dimension: dimension as i16,
                bucket: Level::Day.floor(time),
                value: words.number(&value),
                ..place
            });
        }
    }
    figures
}
