//! Something for each visitor met, found by the visitor's number in two steps. It
//! takes memory for those that were met and their neighbours, however many visitors
//! a project has.

use super::too_much;
use crate::error::Result;

/// Visitors that are neighbours.
const PAGE: usize = 256;
/// Groups of neighbours at the most.
const MOST: usize = 40_000;

/// Something for each visitor met.
#[derive(Debug)]
pub struct PerVisitor<T> {
    /// Those with an id of their own, and those without.
    halves: [Vec<Option<Box<[T]>>>; 2],
    pages: usize,
}

impl<T> Default for PerVisitor<T> {
    fn default() -> Self {
        Self {
            halves: [Vec::new(), Vec::new()],
            pages: 0,
        }
    }
}

impl<T: Clone + Default> PerVisitor<T> {
    /// What there is for a visitor.
    pub fn of(&mut self, visitor: u32) -> Result<&mut T> {
        let half = &mut self.halves[(visitor >> 31) as usize];
        let at = (visitor & 0x7fff_ffff) as usize;
        let (page, at) = (at / PAGE, at % PAGE);
        if half.len() <= page {
            half.resize(page + 1, None);
        }
        if half[page].is_none() {
            if self.pages >= MOST {
                return Err(too_much("10,000,000 visitors"));
            }
            self.pages += 1;
        }
        let page = half[page].get_or_insert_with(|| vec![T::default(); PAGE].into());
        Ok(&mut page[at])
    }

    /// What there is for each visitor met, and for some who were not.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        let halves = self.halves.iter().zip([0_u32, 1 << 31]);
        halves.flat_map(|(half, first)| {
            let pages = half.iter().enumerate();
            pages.flat_map(move |(page, own)| {
                let start = first + (page * PAGE) as u32;
                let places = own.iter().flat_map(|own| own.iter()).enumerate();
                places.map(move |(at, own)| (start + at as u32, own))
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_has_a_place() {
        let mut places = PerVisitor::<u32>::default();
        for visitor in [0, 1, 255, 256, 1 << 20, u32::MAX, 1 << 31] {
            *places.of(visitor).unwrap() += visitor ^ 0x5555;
        }
        let met = places.iter().filter(|(_, own)| **own != 0);
        let met: Vec<_> = met.map(|(visitor, own)| (visitor, own ^ 0x5555)).collect();
        assert_eq!(met.len(), 7);
        assert!(met.iter().all(|(visitor, own)| visitor == own));
    }
}
