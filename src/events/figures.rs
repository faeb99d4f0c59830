//! Figures of a set of events: how many, by whom, and what was paid. They add up,
//! whatever order their parts come in.

use std::collections::BTreeMap;

use roaring::RoaringBitmap;
use serde_json::json;

use super::model::{COOKIELESS, Money};
use crate::error::{Error, Result};

/// Figures of a set of events.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Figures {
    /// How many events.
    pub events: i64,
    /// What was paid, by currency. Currencies are never added.
    pub revenue: BTreeMap<String, Revenue>,
    /// The numbers of the visitors.
    pub visitors: RoaringBitmap,
}

/// What was paid in one currency.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Revenue {
    /// How many purchases.
    pub purchases: i64,
    /// How many units.
    pub units: i64,
    /// Millionths of the major unit. Many large amounts may add up to more than
    /// 64 bits.
    pub amount: i128,
}

impl Figures {
    /// Adds one event. Visitor zero is nobody.
    pub(super) fn add(&mut self, visitor: u32, money: Option<&Money>) {
        self.events += 1;
        if visitor > 0 {
            self.visitors.insert(visitor);
        }
        if let Some(money) = money {
            let revenue = match self.revenue.get_mut(&money.currency) {
                Some(revenue) => revenue,
                None => self.revenue.entry(money.currency.clone()).or_default(),
            };
            revenue.add(Revenue {
                purchases: 1,
                units: money.units,
                amount: money.amount.into(),
            });
        }
    }

    /// Adds other figures.
    pub fn merge(&mut self, other: &Self) {
        self.events += other.events;
        self.visitors |= &other.visitors;
        for (currency, revenue) in &other.revenue {
            self.revenue
                .entry(currency.clone())
                .or_default()
                .add(*revenue);
        }
    }

    /// How many visitors have no id of their own.
    pub fn cookieless(&self) -> u64 {
        self.visitors.range_cardinality(COOKIELESS..)
    }

    /// The visitors as they are kept.
    pub(super) fn encode_visitors(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.visitors.serialized_size());
        // Writing to memory does not fail.
        let _ = self.visitors.serialize_into(&mut bytes);
        bytes
    }

    /// Adds visitors that were kept.
    pub(super) fn add_visitors(&mut self, bytes: &[u8]) -> Result<()> {
        let kept = RoaringBitmap::deserialize_unchecked_from(bytes).map_err(Error::internal)?;
        self.visitors |= kept;
        Ok(())
    }

    /// What was paid as it is kept; nothing when nothing was.
    pub(super) fn encode_revenue(&self) -> Option<String> {
        if self.revenue.is_empty() {
            return None;
        }
        let parts = self.revenue.iter().map(|(currency, revenue)| {
            let Revenue {
                purchases,
                units,
                amount,
            } = revenue;
            json!([currency, purchases, units, amount.to_string()])
        });
        Some(serde_json::Value::from_iter(parts).to_string())
    }

    /// Adds what was kept.
    pub(super) fn add_revenue(&mut self, text: &str) -> Result<()> {
        let parts: Vec<(String, i64, i64, String)> =
            serde_json::from_str(text).map_err(Error::internal)?;
        for (currency, purchases, units, amount) in parts {
            let amount = amount.parse().map_err(Error::internal)?;
            self.revenue.entry(currency).or_default().add(Revenue {
                purchases,
                units,
                amount,
            });
        }
        Ok(())
    }
}

impl Revenue {
    fn add(&mut self, other: Self) {
        self.purchases += other.purchases;
        self.units = self.units.saturating_add(other.units);
        self.amount += other.amount;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_add_up_and_survive_being_kept() {
        let mut first = Figures::default();
        let paid = Money {
            currency: "EUR".to_owned(),
            amount: i64::MAX,
            units: 2,
        };
        first.add(1, Some(&paid));
        first.add(COOKIELESS + 1, None);
        first.add(0, None);
        let mut second = first.clone();
        second.merge(&first);
        assert_eq!(second.events, 6);
        assert_eq!(second.visitors.len(), 2);
        assert_eq!(second.cookieless(), 1);
        assert_eq!(second.revenue["EUR"].amount, 2 * i128::from(i64::MAX));
        let mut back = Figures {
            events: 6,
            ..Figures::default()
        };
        back.add_visitors(&second.encode_visitors()).unwrap();
        back.add_revenue(&second.encode_revenue().unwrap()).unwrap();
        assert_eq!(back, second);
    }
}
