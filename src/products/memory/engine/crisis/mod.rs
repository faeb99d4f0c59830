//! Triage of words of crisis: phrases in three levels, with guards against turns of
//! speech, denial, quotation and fiction; then the levels of the last messages together
//! say which way to go. It aims to miss little rather than to be quiet, knows English
//! only, and is no diagnosis.

mod level;

use std::collections::VecDeque;

use level::level;

/// What to do about a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Route {
    /// Nothing.
    Pass,
    /// Watch the next messages.
    Monitor,
    /// Add guidance to the conversation.
    Intervene,
    /// A crisis: answer it as one.
    Escalate,
}

impl Route {
    /// As clients see it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Monitor => "monitor",
            Self::Intervene => "intervene",
            Self::Escalate => "escalate",
        }
    }
}

/// What was found in a message and those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Triage {
    /// 0 nothing, 1 hopelessness, 2 ideation or violence suffered, 3 imminent.
    pub level: u8,
    /// Which way to go.
    pub route: Route,
}

impl Triage {
    /// Whether it counts as a crisis.
    pub fn detected(self) -> bool {
        self.level >= 2 || self.route >= Route::Intervene
    }
}

/// The levels of a user's last messages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ring(VecDeque<u8>);

/// Messages that a ring remembers.
pub const REMEMBERED: usize = 10;

impl Ring {
    /// A ring as it was kept, oldest first; what is too much or out of range is left out.
    pub fn of(levels: &[u8]) -> Self {
        let newest = levels.len().saturating_sub(REMEMBERED);
        Self(
            levels[newest..]
                .iter()
                .map(|level| (*level).min(3))
                .collect(),
        )
    }

    /// What to keep, oldest first.
    pub fn levels(&self) -> Vec<u8> {
        self.0.iter().copied().collect()
    }

    /// What a message would mean after those before it.
    pub fn peek(&self, content: &str) -> Triage {
        let level = level(content);
        let before = self
            .0
            .iter()
            .fold(0.0, |sum, level| 0.7 * sum + f64::from(*level));
        let sum = 0.7 * before + f64::from(level);
        let route = match sum {
            _ if level == 3 || sum >= 4.0 => Route::Escalate,
            2.0.. => Route::Intervene,
            1.0.. => Route::Monitor,
            _ => Route::Pass,
        };
        Triage { level, route }
    }

    /// The same, and remembers it.
    pub fn push(&mut self, content: &str) -> Triage {
        let triage = self.peek(content);
        if self.0.len() == REMEMBERED {
            self.0.pop_front();
        }
        self.0.push_back(triage.level);
        triage
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_add_up() {
        let mut ring = Ring::default();
        assert_eq!(ring.push("hello there").route, Route::Pass);
        assert_eq!(ring.push("everything is pointless").route, Route::Monitor);
        assert!(!ring.peek("ok").detected());
        assert_eq!(ring.push("I hate my life").route, Route::Monitor);
        assert_eq!(ring.push("I feel so empty").route, Route::Intervene);
        assert!(ring.push("no hope left").detected());
        for _ in 0..20 {
            ring.push("fine");
        }
        assert_eq!(ring.levels(), [0; REMEMBERED]);
        assert_eq!(Ring::of(&ring.levels()), ring);
        assert_eq!(
            ring.peek("I am going to kill myself tonight").route,
            Route::Escalate
        );
    }
}
