//! Strips: what visitors did, in columns. A strip holds events of one name and one UTC
//! day of a project, by visitor and time. Visitors are runs of differences; times and
//! everything else are codes of a fixed width, so that a visitor nobody asks for is
//! passed over without being read. An event takes about seven bytes.

use roaring::RoaringBitmap;

use super::bytes::{Input, Output};
use super::reading::DAY;
use super::{Detail, Moment};
use crate::error::{Error, Result};
use crate::events::model::Audience;
use crate::events::traffic::Traffic;

/// The first byte of a strip; another one is of another version.
const VERSION: u8 = 1;
/// Time as microseconds of the day, or as milliseconds of the day: in so many bytes.
const MICROS: u8 = 5;
const MILLIS: u8 = 4;

/// A strip as it is kept: who, when and how; and where, with what few events have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Strip {
    pub(super) core: Vec<u8>,
    pub(super) places: Vec<u8>,
}

/// Rows, and what few of them have.
#[derive(Debug, Default)]
pub(super) struct Rows {
    pub(super) rows: Vec<Moment>,
    pub(super) details: Vec<Detail>,
}

impl Rows {
    pub(super) fn push(&mut self, mut moment: Moment, detail: Option<Detail>) {
        moment.detail = 0;
        if let Some(detail) = detail {
            self.details.push(detail);
            moment.detail = self.details.len() as u32;
        }
        self.rows.push(moment);
    }
}

/// What is wanted of a strip.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) from: i64,
    pub(super) to: i64,
    pub(super) traffic: Traffic,
    pub(super) only: Option<&'a RoaringBitmap>,
}

impl Wanted<'_> {
    /// Everything.
    pub(super) const ALL: Self = Self {
        from: i64::MIN,
        to: i64::MAX,
        traffic: Traffic::ALL,
        only: None,
    };
}

impl Strip {
    /// Makes a strip of the rows of a day, which are sorted.
    pub(super) fn encode(day: i64, rows: &Rows) -> Self {
        let own = &rows.rows;
        let mut core = Output::new();
        core.byte(VERSION);
        core.number(own.len() as u64);
        let runs = || own.chunk_by(|one, next| one.visitor == next.visitor);
        core.number(runs().count() as u64);
        let mut before = 0;
        for run in runs() {
            core.number(u64::from(run[0].visitor - before));
            core.number(run.len() as u64);
            before = run[0].visitor;
        }
        let start = day * DAY;
        let offsets = || own.iter().map(|row| row.time - start);
        let width = match offsets().all(|offset| offset % 1000 == 0) {
            true => MILLIS,
            false => MICROS,
        };
        core.byte(width);
        for offset in offsets() {
            match width {
                MILLIS => core.bytes(&((offset / 1000) as u32).to_le_bytes()),
                _ => core.bytes(&offset.to_le_bytes()[..5]),
            }
        }
        core.column(own.iter().map(|row| u32::from(row.audience)));
        let mut places = Output::new();
        places.column(own.iter().map(|row| row.source));
        places.column(own.iter().map(|row| row.device));
        places.column(own.iter().map(|row| row.path));
        let detailed = || {
            let numbered = own.iter().enumerate();
            numbered.filter_map(|(at, row)| Some((at, rows.details.get(place(row)?)?)))
        };
        places.number(detailed().count() as u64);
        let mut last = 0;
        for (at, detail) in detailed() {
            places.number((at - last) as u64);
            places.number(detail.goal.into());
            places.number(detail.currency.into());
            places.signed(detail.amount);
            places.signed(detail.units);
            last = at;
        }
        Self {
            core: core.done(),
            places: places.done(),
        }
    }

    /// Adds what is wanted of a strip to rows. Without its places, rows have none.
    pub(super) fn decode(
        core: &[u8],
        places: Option<&[u8]>,
        (day, name): (i64, u32),
        wanted: Wanted<'_>,
        into: &mut Rows,
    ) -> Result<()> {
        let decoded = decode(core, places, (day, name), wanted, into);
        decoded.ok_or_else(|| Error::internal("a strip of events cannot be read"))
    }
}

/// Where the detail of a row is.
fn place(row: &Moment) -> Option<usize> {
    (row.detail as usize).checked_sub(1)
}

fn decode(
    core: &[u8],
    places: Option<&[u8]>,
    (day, name): (i64, u32),
    wanted: Wanted<'_>,
    into: &mut Rows,
) -> Option<()> {
    let mut core = Input::new(core);
    if core.byte()? != VERSION {
        return None;
    }
    let count = core.number()? as usize;
    let runs = core.number()? as usize;
    let mut visitors = core.clone();
    for _ in 0..runs {
        core.number()?;
        core.number()?;
    }
    let width = core.byte()?;
    let times = core.bytes(count.checked_mul(width.into())?)?;
    let audiences = core.column(count)?;
    let admitted: Vec<bool> = audiences
        .values()
        .iter()
        .map(|number| wanted.traffic.admits(Audience::from_number(*number as i16)))
        .collect();
    let mut others = places.map(Input::new);
    let mut column = || match &mut others {
        Some(places) => places.column(count).map(Some),
        None => Some(None),
    };
    let (sources, devices, paths) = (column()?, column()?, column()?);
    let start = day.checked_mul(DAY)?;
    let whole = wanted.from <= start && start + DAY <= wanted.to;
    let mut details = Details::new(others)?;
    let (mut visitor, mut begin) = (0_u32, 0_usize);
    // Who is wanted and who is there go up together.
    let mut only = wanted.only.map(RoaringBitmap::iter);
    let mut next = only.as_mut().map(Iterator::next);
    if only.is_none() {
        into.rows.reserve(count);
    }
    for _ in 0..runs {
        visitor = visitor.checked_add(visitors.number()? as u32)?;
        let end = begin.checked_add(visitors.number()? as usize)?;
        if end > count {
            return None;
        }
        if let (Some(only), Some(next)) = (&mut only, &mut next) {
            if next.is_some_and(|next| next < visitor) {
                only.advance_to(visitor);
                *next = only.next();
            }
            if *next != Some(visitor) {
                begin = end;
                continue;
            }
        }
        for at in begin..end {
            let audience = audiences.code(at);
            if !admitted[audience] {
                continue;
            }
            let time = start + time(times, width, at)?;
            if !whole && !(wanted.from..wanted.to).contains(&time) {
                continue;
            }
            let detail = details.of(at)?;
            let moment = Moment {
                time,
                visitor,
                name,
                path: paths.as_ref().map_or(0, |own| own.value(at)),
                source: sources.as_ref().map_or(0, |own| own.value(at)),
                device: devices.as_ref().map_or(0, |own| own.value(at)),
                detail: 0,
                audience: audiences.values()[audience] as u8,
            };
            into.push(moment, detail);
        }
        begin = end;
    }
    (begin == count).then_some(())
}

/// The time of a row within its day.
fn time(times: &[u8], width: u8, at: usize) -> Option<i64> {
    match width {
        MILLIS => {
            let bytes = times.get(4 * at..4 * at + 4)?;
            Some(i64::from(u32::from_le_bytes(bytes.try_into().ok()?)) * 1000)
        }
        MICROS => {
            let mut own = [0; 8];
            own[..5].copy_from_slice(times.get(5 * at..5 * at + 5)?);
            Some(i64::from_le_bytes(own))
        }
        _ => None,
    }
}

/// What few rows have, in their order.
struct Details<'a> {
    input: Option<Input<'a>>,
    left: usize,
    /// The next row that has any.
    next: usize,
}

impl<'a> Details<'a> {
    fn new(mut input: Option<Input<'a>>) -> Option<Self> {
        let left = match &mut input {
            Some(input) => input.number()? as usize,
            None => 0,
        };
        let mut own = Self {
            input,
            left,
            next: 0,
        };
        own.step()?;
        Some(own)
    }

    /// Reads which row the next is of.
    fn step(&mut self) -> Option<()> {
        match (&mut self.input, self.left) {
            (Some(input), 1..) => self.next = self.next.checked_add(input.number()? as usize)?,
            _ => self.next = usize::MAX,
        }
        Some(())
    }

    /// That of a row; rows before it are passed over.
    fn of(&mut self, at: usize) -> Option<Option<Detail>> {
        let mut found = None;
        while self.next <= at
            && let Some(input) = &mut self.input
        {
            let detail = Detail {
                goal: input.number()? as u32,
                currency: input.number()? as u32,
                amount: input.signed()?,
                units: input.signed()?,
            };
            found = (self.next == at).then_some(detail);
            self.left -= 1;
            self.step()?;
        }
        Some(found)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn moments(micros: bool) -> impl Strategy<Value = Vec<(Moment, Option<Detail>)>> {
        let detail = (any::<u32>(), any::<u32>(), any::<i64>(), any::<i64>());
        let detail = detail.prop_map(|(goal, currency, amount, units)| Detail {
            goal,
            currency,
            amount,
            units,
        });
        let row = (
            0..DAY / 1000,
            any::<u32>(),
            [0..4_u32, 0..400, 0..70_000],
            0..16_u8,
            proptest::option::weighted(0.2, detail),
        );
        let row = row.prop_map(
            move |(time, visitor, [source, device, path], audience, detail)| {
                let moment = Moment {
                    time: 3 * DAY + time * 1000 + i64::from(micros && time % 3 == 0),
                    visitor: if time % 2 == 0 { visitor % 9 } else { visitor },
                    name: 7,
                    path,
                    source,
                    device,
                    detail: 0,
                    audience,
                };
                (moment, detail)
            },
        );
        proptest::collection::vec(row, 0..300)
    }

    fn rows(moments: &[(Moment, Option<Detail>)]) -> Rows {
        let mut sorted = moments.to_vec();
        sorted.sort_by_key(|(own, _)| (own.visitor, own.time));
        let mut rows = Rows::default();
        for (moment, detail) in sorted {
            rows.push(moment, detail);
        }
        rows
    }

    proptest! {
        #[test]
        fn strips_hold_what_was_put_in(moments in any::<bool>().prop_flat_map(moments)) {
            let rows = rows(&moments);
            let strip = Strip::encode(3, &rows);
            let mut back = Rows::default();
            Strip::decode(&strip.core, Some(&strip.places), (3, 7), Wanted::ALL, &mut back).unwrap();
            prop_assert_eq!(&back.rows, &rows.rows);
            prop_assert_eq!(&back.details, &rows.details);
            // Some of it is what would be left of all of it.
            let only: RoaringBitmap = (0..5).collect();
            let wanted = Wanted {
                from: 3 * DAY + DAY / 3,
                to: 3 * DAY + DAY / 2,
                traffic: Traffic::default(),
                only: Some(&only),
            };
            let mut some = Rows::default();
            Strip::decode(&strip.core, Some(&strip.places), (3, 7), wanted, &mut some).unwrap();
            let mut left = Rows::default();
            for row in rows.rows.iter().filter(|row| {
                (wanted.from..wanted.to).contains(&row.time) && row.audience & 1 == 0 && row.visitor < 5
            }) {
                left.push(*row, place(row).map(|at| rows.details[at]));
            }
            prop_assert_eq!(some.rows, left.rows);
            prop_assert_eq!(some.details, left.details);
            // Bytes that are missing are noticed.
            for cut in 0..strip.core.len() {
                let mut into = Rows::default();
                let cut = Strip::decode(&strip.core[..cut], None, (3, 7), Wanted::ALL, &mut into);
                prop_assert!(cut.is_err());
            }
        }
    }
}
