//! Whether an answer declines. Only its first words count, and how long it is: who declines is brief, and a
//! long answer that says what it cannot do is an answer. A prompt that is itself about declining (a letter of
//! refusal, an apology, a translation of one) is never held against the answer.

use super::phrases::{find, words};

/// Words among which a refusal must begin.
const AMONG: usize = 24;
/// Characters of an answer that says outright that it does not help.
const LONGEST: usize = 1_500;
/// Characters of one that only says what it cannot give: a longer one gives something else.
const LONGEST_WEAK: usize = 300;
/// Characters in which a script without spaces declines.
const HEAD_OF_SCRIPT: usize = 60;
const LONGEST_IN_SCRIPT: usize = 200;

/// Says that no help comes.
const STRONG: &[&str] = &[
    "i cannot ~ help|assist with|you|this|that|in|$",
    "i am unable|not ~ help|assist with|you|this|that|in|$",
    "i will not ~ help|assist with|you|this|that|in|$",
    "i cannot ~ comply|fulfill|fulfil|accommodate|oblige",
    "i am unable|not ~ comply|fulfill|fulfil|accommodate",
    "i must|have|need ~ decline|refuse",
    "i respectfully|politely decline|refuse",
    "i decline|refuse to",
    "i am not comfortable ~ helping|assisting|providing|writing|creating|discussing|answering|with",
    "kann * nicht helfen|weiterhelfen|behilflich|nachkommen|unterstützen",
    "ne peux|puis pas * aider|assister|répondre",
    "ne suis pas en mesure",
    "no puedo * ayudarte|ayudarle|ayudar|ayudarlo",
    "no puedo * cumplir|asistir",
    "non posso * aiutarti|aiutarla|aiutare|assisterti",
    "não posso * ajudar|ajudá|atender|auxiliar",
    "kan * niet * helpen",
    "nie mogę * pomóc",
    "не могу * помочь|помогать",
    "не можу * допомогти",
    "kan * inte hjälpa",
    "kan * ikke hjelpe|hjælpe",
    "yardımcı olamam",
];
/// Says what is not given.
const WEAK: &[&str] = &[
    "i cannot ~ provide|create|generate|write|answer|share|discuss|offer|engage|produce|support|participate|respond",
    "i am unable|not ~ provide|create|generate|write|answer|share|discuss|offer|engage|produce|respond",
    "i will not ~ provide|create|generate|write|answer|share|discuss|produce",
    "ich kann * nicht * beantworten|bereitstellen|erstellen|schreiben|geben",
    "kann ich * nicht * beantworten|bereitstellen|erstellen|schreiben|geben",
    "ne peux|puis pas * fournir|donner|créer|écrire|générer",
    "no puedo * proporcionar|responder|crear|escribir|generar|ofrecer",
    "non posso * fornire|rispondere|creare|scrivere|generare",
    "não posso * fornecer|responder|criar|escrever|gerar",
    "nie mogę * odpowiedzieć|udzielić|podać",
    "не могу * ответить|предоставить|создать|написать",
];
/// The same in scripts without spaces, or with endings on the word.
const IN_SCRIPT: &[&str] = &[
    "我无法提供",
    "我不能提供",
    "我无法协助",
    "我不能协助",
    "我无法帮助",
    "我不能帮助",
    "我无法回答",
    "我不能回答",
    "我無法提供",
    "我無法協助",
    "我無法回答",
    "无法满足您的请求",
    "お手伝いできません",
    "お手伝いすることはできません",
    "お答えできません",
    "お答えすることはできません",
    "対応できません",
    "お応えできません",
    "提供できません",
    "提供することはできません",
    "도와드릴 수 없",
    "제공할 수 없",
    "답변할 수 없",
    "답변드릴 수 없",
    "도움을 드릴 수 없",
    "응할 수 없",
    "لا أستطيع المساعدة",
    "لا يمكنني المساعدة",
    "لا أستطيع مساعدتك",
    "لا يمكنني تقديم",
    "לא יכול לעזור",
];
/// In a prompt: a refusal may be what is wanted.
const WANTED: &[&str] = &[
    "declin",
    "refus",
    "reject",
    "turn down",
    "say no",
    "apolog",
    "sorry",
    "cannot",
    "can't",
    "can’t",
    "unable",
    "absag",
    "ablehn",
    "entschuldig",
    "désolé",
    "excus",
    "rechaz",
    "disculp",
    "lo siento",
    "rifiut",
    "scus",
    "recus",
    "desculp",
    "afwijz",
    "weiger",
    "odmow",
    "отказ",
    "извин",
    "拒绝",
    "拒絕",
    "道歉",
    "断る",
    "お断り",
    "거절",
    "사과",
];

/// Whether `text` declines what `prompt` asks. Where more of it may come (`is_ended` false), only what says
/// outright that it does not help counts.
pub(super) fn is_refusal(prompt: &str, text: &str, is_ended: bool) -> bool {
    let length = text.chars().count();
    if length > LONGEST || is_wanted(prompt) || is_a_draft(text) {
        return false;
    }
    let head: String = text.chars().take(400).collect();
    let script: String = head.chars().take(HEAD_OF_SCRIPT).collect();
    if length <= LONGEST_IN_SCRIPT && IN_SCRIPT.iter().any(|phrase| script.contains(phrase)) {
        return true;
    }
    let words = words(&unquoted(&head));
    let begins =
        |phrases: &[&str]| phrases.iter().any(|phrase| find(phrase, &words).is_some_and(|(from, _)| from < AMONG));
    begins(STRONG) || (is_ended && length <= LONGEST_WEAK && begins(WEAK))
}

fn is_wanted(prompt: &str) -> bool {
    let prompt = prompt.to_lowercase();
    WANTED.iter().any(|cue| prompt.contains(cue))
}

/// A letter, or a text that is quoted or code: somebody else speaks.
fn is_a_draft(text: &str) -> bool {
    let start = text.trim_start().trim_start_matches(['*', '#', '_', ' ']).to_lowercase();
    ["dear ", "subject:", "betreff:", "sehr geehrte", "```", "> ", "\"", "“", "„", "«"]
        .iter()
        .any(|cue| start.starts_with(cue))
}

/// Without what stands in double quotes.
fn unquoted(text: &str) -> String {
    let mut is_quoted = false;
    let mut kept = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' => is_quoted = !is_quoted,
            '“' | '„' | '«' | '「' => is_quoted = true,
            '”' | '»' | '」' => is_quoted = false,
            _ if !is_quoted => kept.push(c),
            _ => {}
        }
    }
    kept
}
