//! How unlike everything recent a prompt is. Pure: who remembers prompts, and for how long, is the race's
//! business.
//!
//! ```text
//! distance  = 1 − max over recent prompts of the cosine to it      in [0, 1]; 1 where nothing is alike
//! frequency = share of recent prompts whose own distance, when they came, was at least this
//! ```
//!
//! A distance alone means little: short prompts by many people are all far from each other. What is farther
//! than nearly all others were *in this traffic* is new. Neither is known before [`LEAST`] prompts were seen.

use std::collections::VecDeque;

use crate::domain::cache::cosine;

/// Prompts that are remembered.
const REMEMBERED: usize = 512;
/// Prompts before anything is called new.
const LEAST: usize = 64;

/// What is known of a prompt's place among the recent ones.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Novelty {
    /// To the nearest recent prompt, in [0, 1].
    pub distance: f64,
    /// Share of recent prompts that were at least as far from those before them, in [0, 1].
    pub frequency: f64,
    /// Prompts that it was compared with.
    pub seen: usize,
}

/// The directions of recent prompts, each with the distance it had.
#[derive(Clone, Debug, Default)]
pub struct RecentPrompts {
    seen: VecDeque<(Vec<f32>, f64)>,
}

impl RecentPrompts {
    /// How new `direction` (of length 1) is, and takes it in. `None` while too few of the same space are known, and for a
    /// prompt without a direction, which is not taken in.
    pub fn meet(&mut self, direction: Vec<f32>) -> Option<Novelty> {
        if direction.iter().all(|v| *v == 0.0) {
            return None;
        }
        let mut nearest = 0.0_f64;
        let mut seen = 0;
        for other in self.seen.iter().filter_map(|(other, _)| cosine(&direction, other)) {
            nearest = nearest.max(other);
            seen += 1;
        }
        let distance = (1.0 - nearest).clamp(0.0, 1.0);
        let as_far = self.seen.iter().filter(|(_, other)| *other >= distance).count();
        let novelty = (seen >= LEAST).then(|| Novelty { distance, frequency: as_far as f64 / seen as f64, seen });
        if self.seen.len() >= REMEMBERED {
            self.seen.pop_front();
        }
        // The first prompts have nothing to be near to: their distance says nothing about the traffic.
        self.seen.push_back((direction, if seen >= LEAST / 2 { distance } else { 0.0 }));
        novelty
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::text_direction;
    use proptest::prelude::*;

    fn met(recent: &mut RecentPrompts, text: &str) -> Option<Novelty> {
        recent.meet(text_direction(text))
    }

    #[test]
    fn what_is_unlike_everything_in_this_traffic_is_far_and_rare() {
        let mut recent = RecentPrompts::default();
        for n in 0..200 {
            let known = met(&mut recent, &format!("please summarise the quarterly report of branch {n} in two lines"));
            assert_eq!(known.is_some(), n >= LEAST);
        }
        let usual = met(&mut recent, "please summarise the quarterly report of branch 900 in two lines").unwrap();
        assert!(usual.distance < 0.3 && usual.frequency > 0.05, "{usual:?}");
        let new = met(&mut recent, "Schreib ein Gedicht über den Herbst").unwrap();
        assert!(new.distance > 0.8 && new.frequency < 1e-12, "{new:?}");
        let again = met(&mut recent, "Schreib ein Gedicht über den Herbst!").unwrap();
        assert!(again.distance < 0.01, "{again:?}");
    }

    #[test]
    fn a_prompt_without_words_is_neither_new_nor_remembered() {
        let mut recent = RecentPrompts::default();
        assert_eq!(met(&mut recent, "…"), None);
        assert!(recent.seen.is_empty());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4))]

        /// Whatever comes, the numbers are shares, memory is bounded, and what was just met is at no distance.
        #[test]
        fn shares_are_shares(texts in proptest::collection::vec("[a-z]{1,6}( [a-z]{1,6}){0,4}", 66..90)) {
            let mut recent = RecentPrompts::default();
            for text in &texts {
                if let Some(Novelty { distance, frequency, seen }) = met(&mut recent, text) {
                    prop_assert!((0.0..=1.0).contains(&distance) && (0.0..=1.0).contains(&frequency));
                    prop_assert!((LEAST..=REMEMBERED).contains(&seen));
                }
                let again = met(&mut recent, text).map(|novelty| novelty.distance);
                prop_assert!(again.is_none_or(|distance| distance < 1e-3), "{again:?}");
            }
        }
    }
}
