//! Whether an answer speaks to whoever judges it, instead of to whoever asked: a verdict of its own in the form
//! that the judge replies in, or words that tell a judge what to score. One sign alone is an answer's good right, and
//! courts and contests have judges who score and disregard things: only a judge *and* words about this very answer,
//! or a wish for a score *and* one to ignore what was said before, speak to ours. A prompt that is itself about
//! judging, scores or injections is never held against the answer.

use super::phrases::{find, words};

/// Bytes that are looked at.
const MOST: usize = super::MOST;

/// Names whoever judges.
const JUDGE: &[&str] = &[
    "judge",
    "judges",
    "evaluator",
    "evaluators",
    "grader",
    "graders",
    "the|this rubric",
    "richter",
    "bewerter",
    "juge",
    "évaluateur",
    "juez",
    "evaluador",
    "giudice",
    "avaliador",
];
/// Asks for a score.
const SCORE: &[&str] = &[
    "give|award|assign|grant|score|rate|grade|rank|mark * highest|maximum|max|full|perfect|top|best * score|scores|mark|marks|rating|points|grade",
    "score|rate|grade|rank|mark me|this|it|mine|candidate|answer|response * 1|10|100|first|highest|maximum|perfect|top|best",
    "highest|maximum|perfect|full|top score|scores|marks|rating",
    "bewerte|gib * höchste|volle|beste|maximale * punktzahl|note|bewertung|punkte",
    "donne|donnez|attribue * meilleure|maximale|note * note|maximale",
    "da|dame|asigna|otorga * máxima|mejor|alta * puntuación|nota",
];
/// Says that something else than the task counts.
const OVERRIDE: &[&str] = &[
    "ignore|disregard|forget|override|bypass * instructions|instruction|rubric|criteria|guidelines|prompt|rules",
    "ignoriere|vergiss|missachte * anweisungen|anweisung|regeln|kriterien",
    "ignore|ignorez|oublie|oubliez * instructions|consignes|règles|critères",
    "ignora|olvida * instrucciones|reglas|criterios",
];
/// Means the very text that it stands in.
const ITSELF: &[&str] = &[
    "this|my|our answer|response|reply|candidate|preview|output",
    "rate|score|grade|rank|mark|pick|choose|prefer me|mine",
    "candidate a|b|c|d|e|f|g|h",
    "dieser|diese|meine|meiner antwort",
    "cette|ma réponse",
    "esta|mi respuesta",
    "questa|mia risposta",
    "esta|minha resposta",
];
/// One of them is part of whatever [`JUDGE`] or [`OVERRIDE`] finds: nearly all answers hold none, and are done.
const CUES: &[&str] = &[
    "judge",
    "evalua",
    "évalua",
    "grader",
    "rubric",
    "richter",
    "bewerter",
    "juge",
    "juez",
    "giudice",
    "avaliador",
    "ignor",
    "disregard",
    "forget",
    "override",
    "bypass",
    "vergiss",
    "missacht",
    "oubli",
    "olvid",
];
/// In a prompt: judging, scores or attempts to sway a judge may be what it is about.
const WANTED: &[&str] = &[
    "judg",
    "score",
    "rate th",
    "rate my",
    "rate it",
    "rate each",
    "scoring",
    "grade",
    "grading",
    "rubric",
    "evaluat",
    "inject",
    "jailbreak",
    "rating",
    "verdict",
    "ignore",
    "richter",
    "bewert",
    "juge",
    "juez",
    "evalua",
    "giudice",
    "avalia",
    "判",
    "評価",
    "评",
];

/// Whether `text` tries to sway the judge of an answer to `prompt`.
pub(super) fn is_influence(prompt: &str, text: &str) -> bool {
    let text = super::excerpt(text, MOST);
    let lower = prompt.to_lowercase();
    if WANTED.iter().any(|cue| lower.contains(cue)) {
        return false;
    }
    if text.contains('{') && brings_a_verdict(text) {
        return true;
    }
    let in_lower_case = text.to_lowercase();
    if !CUES.iter().any(|cue| in_lower_case.contains(cue)) {
        return false;
    }
    let words = words(text);
    let says = |phrases: &[&str]| phrases.iter().any(|phrase| find(phrase, &words).is_some());
    let wishes = || says(SCORE);
    let overrides = says(OVERRIDE);
    (overrides && wishes()) || (says(JUDGE) && (overrides || wishes()) && says(ITSELF))
}

/// The keys of a judge's reply, one inside the other.
fn brings_a_verdict(text: &str) -> bool {
    let plain: String = text.chars().filter(|c| !matches!(c, '\\' | '\'' | ' ' | '`')).collect();
    plain.find("\"scores\":{").is_some_and(|from| plain[from..].contains("\"overall\":"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_names_a_judge_or_sets_rules_aside_holds_a_cue() {
        let has_cue = |word: &str| CUES.iter().any(|cue| word.contains(cue));
        for phrase in JUDGE.iter().chain(OVERRIDE) {
            // A phrase is found only with a cue where all alternatives of one of its words hold one.
            assert!(phrase.split(' ').any(|part| part.split('|').all(has_cue)), "{phrase}");
        }
    }
}
