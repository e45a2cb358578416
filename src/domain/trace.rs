//! Identifiers of a run's trace. They follow from the run's id alone, so that what is sent to an endpoint
//! while a run goes, and what is told about it afterwards, name the same spans without a word between them.
//! A trace's id shows its run's: four zeros and the 28 digits.

use super::ids::RunId;
use super::tally::Phase;

/// One call of a run: its phase and its place there (the preview's, the asking's, the attempt's).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallPlace {
    /// The run.
    pub run: RunId,
    /// What it is for.
    pub phase: Phase,
    /// From 0.
    pub nth: u32,
}

/// 128 bits, never 0 but for a run of the epoch's first millisecond without entropy.
#[must_use]
pub fn trace_id(run: RunId) -> u128 {
    u128::from_str_radix(&run.to_string(), 16).unwrap_or(1).max(1)
}

/// The id of the run as a whole.
#[must_use]
pub fn root_span(run: RunId) -> u64 {
    mixed(run, 0)
}

impl CallPlace {
    /// The id of this call; not 0.
    #[must_use]
    pub fn span_id(&self) -> u64 {
        mixed(self.run, 1 + self.phase as u64 + 4 * u64::from(self.nth))
    }

    /// The value of a `traceparent` header (W3C Trace Context, version 00, sampled).
    #[must_use]
    pub fn traceparent(&self) -> String {
        format!("00-{:032x}-{:016x}-01", trace_id(self.run), self.span_id())
    }
}

/// The id of the span of a run's web search; not 0, and no call's: phases take three places of every four.
#[must_use]
pub fn search_span(run: RunId) -> u64 {
    mixed(run, 4)
}

/// Well spread and different for different places (`SplitMix64`, Steele et al. 2014).
#[expect(clippy::cast_possible_truncation, reason = "the low half of the id is the run's entropy")]
fn mixed(run: RunId, place: u64) -> u64 {
    let id = trace_id(run);
    let seed = (id as u64) ^ ((id >> 64) as u64).rotate_left(32);
    let mut z = seed.wrapping_add(place.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (z ^ (z >> 31)).max(1)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::domain::clock::Timestamp;

    #[test]
    fn the_header_has_its_form_and_shows_the_run() {
        let run = RunId::new(Timestamp::from_millis(0x0123_4567_89ab), 0xfeed);
        let place = CallPlace { run, phase: Phase::Answer, nth: 1 };
        let header = place.traceparent();
        let parts: Vec<&str> = header.split('-').collect();
        assert_eq!(parts.iter().map(|part| part.len()).collect::<Vec<_>>(), [2, 32, 16, 2]);
        assert_eq!(parts[1], format!("0000{run}"));
    }

    #[test]
    fn places_of_a_run_differ() {
        let run = RunId::new(Timestamp::from_millis(7), 9);
        let places = Phase::ALL.iter().flat_map(|phase| (0..8).map(|nth| CallPlace { run, phase: *phase, nth }));
        let mut ids: BTreeSet<u64> = places.map(|place| place.span_id()).collect();
        ids.extend([root_span(run), search_span(run)]);
        assert_eq!(ids.len(), 26);
    }
}
