//! The simulated judge. It is given a [`JudgeTask`] in a user turn like any judge, and grades what this
//! server generated near its true quality; a text it has never seen gets a modest heuristic grade. Now
//! and then it answers with prose, so that whoever asks has to cope with a broken verdict.

use std::collections::{BTreeMap, HashSet};

use fastrand::Rng;

use crate::domain::chat::ChatRequest;
use crate::domain::judging::{JudgeReply, JudgeTask, Scores};

use super::draw::around;
use super::memory::Memory;
use super::scenario::JudgingSpec;

/// The task in `request`, where it holds one: in its newest user turn that is a task, since a retry may
/// add a turn that only complains about the format.
pub(super) fn task(request: &ChatRequest) -> Option<JudgeTask> {
    let turns = request.messages.iter().rev().filter(|m| m.role == "user");
    turns.map(crate::domain::chat::Message::text).find_map(|text| {
        let (start, end) = (text.find('{')?, text.rfind('}')?);
        serde_json::from_str(text.get(start..=end)?).ok()
    })
}

/// The judge's answer: a verdict as JSON, or prose where it is broken.
pub(super) fn answer(task: &JudgeTask, memory: &Memory, spec: &JudgingSpec, rng: &mut Rng) -> String {
    let broken = rng.f64() < spec.broken;
    let reply = grade(task, memory, spec, rng);
    if broken { prose(&reply) } else { serde_json::to_string(&reply).unwrap_or_default() }
}

fn grade(task: &JudgeTask, memory: &Memory, spec: &JudgingSpec, rng: &mut Rng) -> JudgeReply {
    let scores: BTreeMap<String, Scores> = task
        .candidates
        .iter()
        .map(|candidate| {
            let quality = memory.quality(&candidate.text).unwrap_or_else(|| guess(&task.prompt, &candidate.text));
            (candidate.id.clone(), rubric(quality, spec.noise, rng))
        })
        .collect();
    JudgeReply { scores }
}

fn rubric(quality: f64, noise: f64, rng: &mut Rng) -> Scores {
    let overall = around(quality, noise, rng);
    let mut near = |spread: f64| round(around(overall, spread, rng));
    Scores {
        relevance: near(0.08),
        coverage: near(0.12),
        faithfulness: near(0.08),
        hallucination_risk: round(1.0 - near(0.1)),
        overall: round(overall),
    }
}

fn round(score: f64) -> f64 {
    (score * 1000.0).round() / 1000.0
}

/// A modest grade for a text that this server did not write: some length, some words of the prompt.
fn guess(prompt: &str, text: &str) -> f64 {
    let words = |text: &str| -> HashSet<String> {
        text.split(|c: char| !c.is_alphanumeric()).filter(|w| w.len() > 3).take(2000).map(str::to_lowercase).collect()
    };
    let (asked, said) = (words(prompt), words(text));
    if said.is_empty() {
        return 0.0;
    }
    let shared = asked.intersection(&said).count() as f64 / asked.len().clamp(1, 12) as f64;
    let length = (text.len() as f64 / 400.0).min(1.0);
    0.3 + 0.2 * shared.min(1.0) + 0.15 * length
}

fn prose(reply: &JudgeReply) -> String {
    let best = reply.scores.iter().max_by(|a, b| a.1.overall.total_cmp(&b.1.overall)).map_or("A", |(id, _)| id);
    format!(
        "Having read all of them, I would say candidate {best} makes the best impression: it speaks to the question \
         and stays with it. The others have their merits, but I would not put a number on them."
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::chat::Message;
    use crate::domain::judging::Candidate;

    fn two(a: &str, b: &str) -> JudgeTask {
        let candidate = |id: &str, text: &str| Candidate { id: id.to_owned(), text: text.to_owned() };
        JudgeTask {
            prompt: "how do tides work".to_owned(),
            candidates: vec![candidate("A", a), candidate("B", b)],
            search_results: Vec::new(),
        }
    }

    #[test]
    fn grades_follow_the_true_quality() {
        let (good, bad) =
            ("The tides follow the moon because its pull differs.", "Many things are possible and so on.");
        let mut memory = Memory::default();
        memory.remember(good, 0.85);
        memory.remember(bad, 0.35);
        let spec = JudgingSpec { noise: 0.1, broken: 0.0 };
        let mut sum = 0.0;
        for seed in 0..500 {
            let mut rng = Rng::with_seed(seed);
            let text = answer(&two(bad, good), &memory, &spec, &mut rng);
            let reply: JudgeReply = serde_json::from_str(&text).unwrap();
            assert!(reply.scores["B"].overall > reply.scores["A"].overall);
            sum += reply.scores["B"].overall;
        }
        assert!((sum / 500.0 - 0.85).abs() < 0.01, "{sum}");
    }

    #[test]
    fn an_unknown_text_gets_a_modest_grade_and_nothing_gets_nothing() {
        let spec = JudgingSpec { noise: 0.0, broken: 0.0 };
        let task = two("Tides work by the pull of the moon.", "   ");
        let text = answer(&task, &Memory::default(), &spec, &mut Rng::with_seed(1));
        let reply: JudgeReply = serde_json::from_str(&text).unwrap();
        assert!((0.3..0.66).contains(&reply.scores["A"].overall));
        assert!(reply.scores["B"].overall.abs() < 1e-9);
    }

    #[test]
    fn a_broken_verdict_is_prose_at_the_stated_rate() {
        let spec = JudgingSpec { noise: 0.1, broken: 0.1 };
        let mut rng = Rng::with_seed(5);
        let texts =
            (0..5000).map(|_| answer(&two("some words here", "other words"), &Memory::default(), &spec, &mut rng));
        let broken = texts.filter(|text| serde_json::from_str::<JudgeReply>(text).is_err()).count();
        assert!((430..570).contains(&broken), "{broken}");
    }

    #[test]
    fn the_task_is_found_behind_a_complaint_about_its_format() {
        let mut request = ChatRequest::from_prompt(&serde_json::to_string(&two("a", "b")).unwrap());
        assert!(task(&request).is_some());
        request.messages.push(Message::new("assistant", "I like B."));
        request.messages.push(Message::new("user", "Answer with JSON only."));
        assert_eq!(task(&request).unwrap().candidates.len(), 2);
        assert!(task(&ChatRequest::from_prompt("{ not json }")).is_none());
    }
}
