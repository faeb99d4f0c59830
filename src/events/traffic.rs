//! Which kinds of traffic a question is about.

use super::model::{Audience, Environment};

/// Whether machines count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Bots {
    /// Humans only.
    #[default]
    Exclude,
    /// Both.
    Include,
    /// Machines only.
    Only,
}

/// The kinds of traffic asked for: humans everywhere, unless said otherwise.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Whether machines count.
    pub bots: Bots,
    /// Only this installation; all of them when `None`.
    pub environment: Option<Environment>,
}

impl Traffic {
    /// Everything.
    pub const ALL: Self = Self {
        bots: Bots::Include,
        environment: None,
    };

    /// Whether an event of this audience is asked for.
    pub fn admits(self, audience: Audience) -> bool {
        let bots = match self.bots {
            Bots::Exclude => !audience.bot,
            Bots::Include => true,
            Bots::Only => audience.bot,
        };
        bots && self
            .environment
            .is_none_or(|own| own == audience.environment)
    }

    /// The same as a condition of a statement, to follow others.
    pub(super) fn condition(self, column: &str) -> String {
        if self == Self::ALL {
            return String::new();
        }
        let admitted = (0..=Audience::LAST).filter(|n| self.admits(Audience::from_number(*n)));
        let numbers: Vec<String> = admitted.map(|number| number.to_string()).collect();
        format!(" AND {column} IN ({})", numbers.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_name_what_is_admitted() {
        assert_eq!(Traffic::ALL.condition("a"), "");
        let humans = " AND a IN (0, 2, 4, 6, 8, 10, 12, 14)";
        assert_eq!(Traffic::default().condition("a"), humans);
        let preview = Traffic {
            bots: Bots::Only,
            environment: Some(Environment::Preview),
        };
        assert_eq!(preview.condition("a"), " AND a IN (3, 11)");
    }
}
