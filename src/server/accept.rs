//! `Accept`: which type a caller would rather have. What cannot be understood asks
//! for nothing.

use http::HeaderMap;
use http::header::ACCEPT;

/// How much a type is wanted: its weight in thousandths, then how exactly it is
/// named, since `*/*` beside a name means that the name is preferred.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Wish {
    weight: u16,
    exactness: u8,
}

/// The first of the types, in order of the server's own preference, that the
/// caller wants most.
pub(super) fn best<'t>(headers: &HeaderMap, types: &[&'t str]) -> Option<&'t str> {
    let wishes = types
        .iter()
        .filter_map(|kind| Some((wish(headers, kind)?, *kind)));
    let better = |best: (Wish, &'t str), next: (Wish, &'t str)| match next.0 > best.0 {
        true => next,
        false => best,
    };
    wishes.reduce(better).map(|(_, kind)| kind)
}

/// Whether the caller asks for a type by its name.
pub(super) fn names(headers: &HeaderMap, kind: &str) -> bool {
    wish(headers, kind).is_some_and(|wish| wish.exactness == 2)
}

/// The most exact range that a type is in says how much it is wanted.
fn wish(headers: &HeaderMap, kind: &str) -> Option<Wish> {
    let lines = headers.get_all(ACCEPT).iter();
    let ranges = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','));
    let wishes = ranges.filter_map(|range| {
        let mut parts = range.split(';').map(str::trim);
        let exactness = exactness(parts.next()?, kind)?;
        let weight = parts.find_map(weight).unwrap_or(Some(1000))?;
        Some(Wish { weight, exactness })
    });
    let wish = wishes.max_by_key(|wish| wish.exactness)?;
    (wish.weight > 0).then_some(wish)
}

fn exactness(range: &str, kind: &str) -> Option<u8> {
    if range.eq_ignore_ascii_case(kind) {
        return Some(2);
    }
    if range == "*/*" {
        return Some(0);
    }
    let (family, _) = kind.split_once('/')?;
    let wanted = range.strip_suffix("/*")?;
    wanted.eq_ignore_ascii_case(family).then_some(1)
}

/// The weight, if this parameter is one.
fn weight(parameter: &str) -> Option<Option<u16>> {
    let (name, value) = parameter.split_once('=')?;
    let thousandths = |value: f32| (value * 1000.0) as u16;
    let weight = value.trim().parse().ok().map(thousandths);
    name.trim()
        .eq_ignore_ascii_case("q")
        .then(|| weight.filter(|weight| *weight <= 1000))
}
