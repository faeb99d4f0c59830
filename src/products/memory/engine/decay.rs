//! How much a memory matters now: its base fades with the days, events nearby add
//! spikes which fade faster, and being spoken of again slows the fading. It follows
//! from what is stored and the time alone, so nothing has to be swept.

use super::days;

/// How memories fade, by the tenant's profile.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Profile {
    /// What is lost in a day, from 0 to 1.
    pub base_rate: f64,
    /// How much being processed slows that, from 0 to 5.
    pub processing_boost: f64,
}

/// A rise of salience at a time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spike {
    /// By how much.
    pub amount: f64,
    /// When, in microseconds.
    pub at: i64,
}

/// What a memory's salience follows from.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct State {
    /// The base score.
    pub base: f64,
    /// How often it was processed, beyond its making.
    pub processed: u32,
    /// When it was made or last processed, in microseconds.
    pub reinforced_at: i64,
    /// Whether it never fades away entirely: pinned, or a life event of
    /// [`LASTING`] or more.
    pub lasting: bool,
}

/// The strength of a life event from which a memory lasts.
pub const LASTING: f64 = 0.4;
/// The share of its base that a lasting memory keeps.
const FLOOR: f64 = 0.05;
/// Days in which a spike falls to 1/e.
const SPIKE_DAYS: f64 = 7.0;

/// What a new life event adds to the memories that share an entity with it.
pub fn spike(event: f64) -> f64 {
    0.2 * event
}

/// The salience that a parent (a domain, an entity) takes from what is below it.
pub fn propagated(parent: f64, child: f64) -> f64 {
    parent.max(0.5 * child)
}

/// Salience now, from 0 to 1.
pub fn salience(state: &State, spikes: &[Spike], profile: &Profile, now: i64) -> f64 {
    let slowed = 1.0 + profile.processing_boost * f64::from(state.processed).ln_1p();
    let rate = profile.base_rate / slowed;
    let held = state.base * (-rate * days(state.reinforced_at, now)).exp();
    let raised: f64 = spikes
        .iter()
        .map(|spike| spike.amount * (-days(spike.at, now) / SPIKE_DAYS).exp())
        .sum();
    let floor = if state.lasting {
        FLOOR * state.base
    } else {
        0.0
    };
    (held + raised).clamp(floor, 1.0)
}

#[cfg(test)]
mod tests {
    use super::super::DAY;
    use super::*;

    const PROFILE: Profile = Profile {
        base_rate: 0.01,
        processing_boost: 0.5,
    };

    fn state() -> State {
        State {
            base: 0.6,
            ..State::default()
        }
    }

    #[test]
    fn half_is_gone_in_sixty_nine_days() {
        let now = 69 * DAY + DAY / 3;
        let salience = salience(&state(), &[], &PROFILE, now);
        assert!((salience - 0.3).abs() < 0.001, "{salience}");
    }

    #[test]
    fn being_processed_slows_it() {
        let often = State {
            processed: 5,
            ..state()
        };
        let now = 90 * DAY;
        assert!(salience(&often, &[], &PROFILE, now) > salience(&state(), &[], &PROFILE, now));
    }

    #[test]
    fn spikes_fade_in_weeks() {
        let spikes = [Spike { amount: 0.1, at: 0 }];
        let week = salience(&state(), &spikes, &PROFILE, 7 * DAY)
            - salience(&state(), &[], &PROFILE, 7 * DAY);
        assert!((week - 0.1 / std::f64::consts::E).abs() < 1e-9);
    }

    #[test]
    fn what_lasts_keeps_a_floor() {
        let lasting = State {
            lasting: true,
            ..state()
        };
        assert_eq!(salience(&lasting, &[], &PROFILE, 9000 * DAY), 0.03);
        assert!(salience(&state(), &[], &PROFILE, 9000 * DAY) < 1e-9);
    }

    #[test]
    fn a_time_before_the_memory_is_its_own_time() {
        let later = State {
            reinforced_at: DAY,
            ..state()
        };
        assert_eq!(salience(&later, &[], &PROFILE, 0), 0.6);
    }
}
