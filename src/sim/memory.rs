//! What the server remembers: how often each prompt was asked of each model, and the beginnings of the
//! answers it gave with their true quality, so that its judge knows what it reads. Both are bounded;
//! the oldest go first. A judge sees previews, cut anywhere: an answer is found by its first characters
//! and accepted when what is there agrees with what was said.

use std::collections::{HashMap, VecDeque};

use super::draw::hash;

/// Answers remembered. A judge asks within seconds; this lasts for seconds at 200 races a second.
const ANSWERS: usize = 4096;
/// Bytes kept of each answer.
const HEAD_BYTES: usize = 480;
/// Prompts whose calls are counted.
const PROMPTS: usize = 16_384;
/// Characters in the keys that an answer is found by, longest first; shorter texts are not recognised.
const KEYS: [usize; 2] = [48, 12];

/// Bounded memory of calls and answers.
#[derive(Debug, Default)]
pub(super) struct Memory {
    calls: HashMap<u64, u32>,
    call_order: VecDeque<u64>,
    answers: HashMap<u64, VecDeque<Known>>,
    answer_order: VecDeque<[Option<u64>; 2]>,
}

#[derive(Clone, Debug)]
struct Known {
    head: std::sync::Arc<str>,
    quality: f64,
}

impl Memory {
    /// Counts a call under `key`; 0 for the first.
    pub(super) fn next_call(&mut self, key: u64) -> u32 {
        if let Some(count) = self.calls.get_mut(&key) {
            *count = count.wrapping_add(1);
            return *count;
        }
        if self.call_order.len() >= PROMPTS
            && let Some(oldest) = self.call_order.pop_front()
        {
            self.calls.remove(&oldest);
        }
        self.call_order.push_back(key);
        self.calls.insert(key, 0);
        0
    }

    /// Remembers an answer and how good it truly is.
    pub(super) fn remember(&mut self, text: &str, quality: f64) {
        let text = text.trim_start();
        if self.answer_order.len() >= ANSWERS
            && let Some(oldest) = self.answer_order.pop_front()
        {
            self.forget(oldest);
        }
        let keys = KEYS.map(|length| key(text, length));
        let head: std::sync::Arc<str> = crate::domain::text::cut(text, HEAD_BYTES).0.into();
        for key in keys.into_iter().flatten() {
            self.answers.entry(key).or_default().push_back(Known { head: head.clone(), quality });
        }
        self.answer_order.push_back(keys);
    }

    fn forget(&mut self, keys: [Option<u64>; 2]) {
        for key in keys.into_iter().flatten() {
            if let Some(bucket) = self.answers.get_mut(&key) {
                bucket.pop_front();
                if bucket.is_empty() {
                    self.answers.remove(&key);
                }
            }
        }
    }

    /// The true quality of the answer that `text` is, or begins; the newest among equals.
    pub(super) fn quality(&self, text: &str) -> Option<f64> {
        let text = text.trim();
        KEYS.iter().find_map(|length| {
            let bucket = self.answers.get(&key(text, *length)?)?;
            let best = bucket.iter().rev().take(64).map(|known| (agreement(&known.head, text), known));
            let (agreed, known) = best.reduce(|best, next| if next.0 > best.0 { next } else { best })?;
            // A few characters at the end may differ: an ellipsis, a trimmed fence.
            (agreed * 10 >= known.head.len().min(text.len()) * 9).then_some(known.quality)
        })
    }
}

fn key(text: &str, length: usize) -> Option<u64> {
    let end =
        text.char_indices().nth(length).map(|(at, _)| at).or((text.chars().count() == length).then_some(text.len()))?;
    Some(hash(&[b"answer", &text.as_bytes()[..end]]))
}

/// Bytes that agree from the start.
fn agreement(a: &str, b: &str) -> usize {
    a.bytes().zip(b.bytes()).take_while(|(x, y)| x == y).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_by_key() {
        let mut memory = Memory::default();
        assert_eq!([memory.next_call(1), memory.next_call(1), memory.next_call(2)], [0, 1, 0]);
    }

    #[test]
    fn a_preview_is_known_by_its_answer() {
        let mut memory = Memory::default();
        let common = "Sorting two merged slices is a matter of keeping ";
        let strong = format!("{common}two cursors and moving the smaller one forward until both are spent.");
        let weak = format!("{common}calm and it depends on many things that one would have to look at.");
        memory.remember(&strong, 0.9);
        memory.remember(&weak, 0.3);
        assert_eq!(memory.quality(&strong[..70]), Some(0.9));
        assert_eq!(memory.quality(&weak[..70]), Some(0.3));
        assert_eq!(memory.quality(&format!("{}…", &strong[..70])), Some(0.9));
        assert_eq!(memory.quality("Sorting two m"), Some(0.3), "the newest where both fit");
        assert_eq!(memory.quality("Sorting three things is another matter altogether, as anyone will say."), None);
        assert_eq!(memory.quality("Sort"), None);
    }

    #[test]
    fn memory_is_bounded() {
        let mut memory = Memory::default();
        for index in 0..3 * ANSWERS {
            memory.remember(&format!("answer {index} says something of some length, more than a key"), 0.5);
            memory.next_call(index as u64 * 7);
        }
        for index in 0..3 * PROMPTS {
            memory.next_call(index as u64);
        }
        assert_eq!(memory.answer_order.len(), ANSWERS);
        assert!(memory.answers.len() <= 2 * ANSWERS);
        assert!(memory.calls.len() <= PROMPTS);
        assert_eq!(memory.quality("answer 0 says something of some length, more"), None);
    }
}
