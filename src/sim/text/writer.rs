//! Puts sentences together: picks one that was not used yet, fills in the words of the prompt, and keeps
//! count of how long the answer has become. The share of sentences that speak to the topic is the quality.

use std::collections::HashSet;

use fastrand::Rng;

use super::super::draw;
use super::topic::Topic;
use super::{Brief, bank};

/// How a model likes to write; follows from its name alone.
#[derive(Clone, Copy, Debug)]
struct Habit {
    lists: bool,
    numbered: bool,
    bold: bool,
    first_opening: usize,
}

impl Habit {
    fn of(model: &str) -> Self {
        let mut rng = draw::generator(&[b"habit", model.as_bytes()]);
        Self { lists: rng.bool(), numbered: rng.bool(), bold: rng.bool(), first_opening: rng.usize(..64) }
    }
}

/// An answer in the making.
pub(super) struct Writer<'a> {
    topic: &'a Topic,
    quality: f64,
    habit: Habit,
    budget: usize,
    rng: &'a mut Rng,
    used: HashSet<&'static str>,
    out: String,
}

impl<'a> Writer<'a> {
    pub(super) fn new(brief: &Brief<'_>, topic: &'a Topic, rng: &'a mut Rng) -> Self {
        let habit = Habit::of(brief.model);
        let budget = brief.tokens as usize * 4;
        Self { topic, quality: brief.quality, habit, budget, rng, used: HashSet::new(), out: String::new() }
    }

    /// The answer, without blanks at its end.
    pub(super) fn finish(mut self) -> String {
        self.out.truncate(self.out.trim_end().len());
        self.out
    }

    /// Whether it is to be a good answer.
    pub(super) const fn is_good(&self) -> bool {
        self.quality > 0.55
    }

    /// Whether its author likes lists.
    pub(super) const fn lists(&self) -> bool {
        self.habit.lists
    }

    /// Whether `share` of the length that is wanted has been written.
    pub(super) fn is_long_enough(&self, share: f64) -> bool {
        self.out.len() as f64 >= share * self.budget as f64
    }

    pub(super) const fn topic(&self) -> &Topic {
        self.topic
    }

    pub(super) const fn rng(&mut self) -> &mut Rng {
        self.rng
    }

    /// Text as it is.
    pub(super) fn raw(&mut self, text: &str) {
        self.out.push_str(text);
    }

    /// Starts a new paragraph.
    pub(super) fn paragraph(&mut self) {
        self.out.truncate(self.out.trim_end().len());
        self.out.push_str("\n\n");
    }

    /// The first sentence: the author's favourite more often than not, a hedge where quality is low.
    pub(super) fn opening(&mut self, bank: &'static [&'static str]) {
        if self.rng.f64() > self.quality + 0.25 {
            self.say(bank::HEDGES);
            return;
        }
        let favourite = self.habit.first_opening + usize::from(self.rng.u8(..3));
        let template = bank[favourite % bank.len()];
        self.used.insert(template);
        self.fill(template);
    }

    /// A sentence of `bank`, or an idle one in place of it; false when `bank` is used up.
    pub(super) fn sentence(&mut self, bank: &'static [&'static str]) -> bool {
        if self.rng.f64() < self.quality.powf(0.6) { self.say(bank) } else { self.say(bank::IDLE) }
    }

    /// Up to `count` sentences in a row; false when nothing was left to say.
    pub(super) fn prose(&mut self, bank: &'static [&'static str], count: usize) -> bool {
        let before = self.out.len();
        for _ in 0..count {
            self.sentence(bank);
        }
        self.out.len() > before
    }

    /// A list, numbered or not as its author likes, until the answer is long enough.
    pub(super) fn list(&mut self, bank: &'static [&'static str]) {
        for number in 1..=9 {
            if number > 2 && self.is_long_enough(0.85) {
                break;
            }
            let mark = if self.habit.numbered { format!("{number}. ") } else { "- ".to_owned() };
            let before = self.out.len();
            self.out.push_str(&mark);
            if self.habit.bold && self.quality > 0.4 {
                let word = self.topic.word(self.rng);
                self.out.extend(["**", &capital(&word), ".** "]);
            }
            if !self.sentence(bank) {
                self.out.truncate(before);
                break;
            }
            self.out.truncate(self.out.trim_end().len());
            self.out.push('\n');
        }
    }

    /// The end; poor answers have none.
    pub(super) fn conclusion(&mut self, bank: &'static [&'static str]) {
        if self.rng.f64() < (self.quality - 0.2) * 1.4 {
            self.paragraph();
            self.say(bank);
        }
    }

    /// What the figures of the prompt make together, where it has two.
    pub(super) fn figures(&mut self) {
        if let Some((a, b)) = self.topic.two_figures() {
            let (sum, gap) = (a + b, (a - b).abs());
            let text = match self.rng.u8(..3) {
                0 => format!("The figures to work with are {a} and {b}; together they make {}.", short(sum)),
                1 if b != 0.0 => format!("Taking {a} against {b} gives a ratio of {}.", short(a / b)),
                _ => format!(
                    "Between {a} and {b} there is a gap of {}, and that is what has to be explained.",
                    short(gap)
                ),
            };
            self.out.push_str(&text);
            self.paragraph();
        }
    }

    fn say(&mut self, bank: &'static [&'static str]) -> bool {
        let fresh: Vec<&'static str> = bank.iter().copied().filter(|template| !self.used.contains(template)).collect();
        let Some(template) = self.rng.choice(fresh) else { return false };
        self.used.insert(template);
        self.fill(template);
        true
    }

    /// `{t}` is the topic, `{a}` and `{b}` are two words of the prompt.
    fn fill(&mut self, template: &str) {
        let (a, b) = self.topic.two_words(self.rng);
        let text = template.replace("{t}", &self.topic.phrase).replace("{a}", &a).replace("{b}", &b);
        self.out.push_str(&capital(&text));
        self.out.push(' ');
    }
}

pub(super) fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

fn short(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
