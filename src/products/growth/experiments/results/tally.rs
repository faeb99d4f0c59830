//! What exposed visitors did: whether they converted and what they paid, before and
//! after they saw a variant first.

use std::collections::HashMap;

use super::goal::Conversions;
use crate::api::apex::growth::v1 as pb;
use crate::error::Result;
use crate::events::{Day, Exposure, Walk};

/// Millionths of a unit of money.
const MILLIONTHS: f64 = 1e6;

/// A walk through what exposed visitors did.
#[derive(Debug)]
pub(super) struct Tally {
    /// By visitor.
    pub(super) exposures: Vec<Exposure>,
    pub(super) conversions: Conversions,
    /// Number of the name of purchases.
    pub(super) purchase: u32,
    /// How long after and how long before an exposure things count.
    pub(super) after: i64,
    pub(super) before: i64,
    /// Whether each exposed visitor converted, after and before.
    pub(super) converted: Vec<(bool, bool)>,
    /// What was paid, by currency and place among the exposures.
    pub(super) paid: HashMap<u32, HashMap<u32, Paid>>,
}

/// What a visitor paid in a currency.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Paid {
    /// Millionths.
    amount: i128,
    orders: u32,
    /// Millionths, before the exposure.
    amount_before: i128,
}

impl Walk for Tally {
    fn day(&mut self, day: Day<'_>) -> Result<()> {
        // Both are by visitor, so who is looked for comes after who was found.
        let mut at = 0;
        for own in day.rows.chunk_by(|one, next| one.visitor == next.visitor) {
            let Some(first) = own.first() else {
                continue;
            };
            at += before(&self.exposures[at..], first.visitor);
            let exposure = self.exposures.get(at);
            let Some(exposure) = exposure.filter(|own| own.visitor == first.visitor) else {
                continue;
            };
            let exposed = exposure.time;
            for row in own {
                let since = row.time.saturating_sub(exposed);
                let is_after = (0..self.after).contains(&since);
                if !is_after && !(-self.before..0).contains(&since) {
                    continue;
                }
                let detail = day.detail(row);
                if self.conversions.has(row, detail.map_or(0, |own| own.goal)) {
                    match is_after {
                        true => self.converted[at].0 = true,
                        false => self.converted[at].1 = true,
                    }
                }
                if let Some(money) = detail.filter(|own| own.currency != 0)
                    && row.name == self.purchase
                {
                    let of_currency = self.paid.entry(money.currency).or_default();
                    let paid = of_currency.entry(at as u32).or_default();
                    match is_after {
                        true => {
                            paid.amount += i128::from(money.amount);
                            paid.orders += 1;
                        }
                        false => paid.amount_before += i128::from(money.amount),
                    }
                }
            }
        }
        Ok(())
    }
}

/// How many exposures are of visitors before one: found in steps that double, for it is
/// not far.
fn before(exposures: &[Exposure], visitor: u32) -> usize {
    let is_before = |at: usize| exposures.get(at).is_some_and(|own| own.visitor < visitor);
    let mut step = 1;
    while is_before(step) {
        step *= 2;
    }
    let (low, high) = (step / 2, exposures.len().min(step));
    low + exposures[low..high].partition_point(|own| own.visitor < visitor)
}

/// Sums of a variant over its visitors.
#[derive(Debug, Clone, Default)]
pub(super) struct Sums {
    pub(super) visitors: i64,
    pub(super) conversions: i64,
    pub(super) buyers: i64,
    pub(super) orders: i64,
    pub(super) revenue: f64,
    /// Of revenue per visitor.
    pub(super) revenue_cuped: pb::VariationSums,
    /// Of revenue per order.
    pub(super) per_order: pb::VariationSums,
    /// Of conversion, 0 or 1.
    pub(super) conversion_cuped: pb::VariationSums,
}

impl Tally {
    /// The currency most orders were paid in, and who paid how often.
    pub(super) fn currencies(&self) -> Vec<(u32, u64)> {
        let orders =
            |paid: &HashMap<u32, Paid>| paid.values().map(|own| u64::from(own.orders)).sum();
        let mut all: Vec<_> = self
            .paid
            .iter()
            .map(|(own, paid)| (*own, orders(paid)))
            .collect();
        all.sort_unstable_by_key(|(currency, orders)| (std::cmp::Reverse(*orders), *currency));
        all
    }

    /// Sums of every variant; `variants` says which each visitor belongs to.
    pub(super) fn sums(
        &self,
        count: usize,
        currency: u32,
        variant: impl Fn(&Exposure) -> Option<usize>,
    ) -> Vec<Sums> {
        let none = HashMap::new();
        let paid = self.paid.get(&currency).unwrap_or(&none);
        let mut all = vec![Sums::default(); count];
        for (at, (exposure, (after, before))) in
            self.exposures.iter().zip(&self.converted).enumerate()
        {
            let Some(sums) = variant(exposure).and_then(|variant| all.get_mut(variant)) else {
                continue;
            };
            sums.visitors += 1;
            sums.conversions += i64::from(*after);
            let [now, then] = [after, before].map(|own| f64::from(u8::from(*own)));
            add(&mut sums.conversion_cuped, now, then);
            let Some(paid) = paid.get(&(at as u32)) else {
                continue;
            };
            let amount = paid.amount as f64 / MILLIONTHS;
            sums.revenue += amount;
            sums.buyers += i64::from(paid.orders > 0);
            sums.orders += i64::from(paid.orders);
            add(
                &mut sums.revenue_cuped,
                amount,
                paid.amount_before as f64 / MILLIONTHS,
            );
            add(&mut sums.per_order, amount, f64::from(paid.orders));
        }
        all
    }
}

/// Adds a visitor's figure and the other one that goes with it.
fn add(sums: &mut pb::VariationSums, figure: f64, other: f64) {
    sums.sum += figure;
    sums.sum_squares += figure * figure;
    sums.pre_sum += other;
    sums.pre_sum_squares += other * other;
    sums.sum_product += figure * other;
}
