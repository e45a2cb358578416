//! Whether an answer is in another language than its prompt, or than the one that the prompt asks for.
//! Languages of other scripts are told by their letters, those of the Latin script by their commonest words;
//! where neither is clear, nothing is said. Whatever names a language or asks for a translation, without
//! plainly asking for the answer in it, is left alone.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use super::phrases::{find, words};
use crate::domain::chat::ChatRequest;

/// What a text is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    English,
    German,
    French,
    Spanish,
    Italian,
    Portuguese,
    Dutch,
    Chinese,
    Japanese,
    Korean,
    /// Any language in Cyrillic letters.
    Cyrillic,
    Arabic,
    Greek,
    Hebrew,
    Devanagari,
    Thai,
}

use Language::{
    Arabic, Chinese, Cyrillic, Devanagari, Dutch, English, French, German, Greek, Hebrew, Italian, Japanese, Korean,
    Portuguese, Spanish, Thai,
};

/// The commonest words, of which hardly one is another language's.
const COMMON: &[(Language, &str)] = &[
    (
        English,
        "the of and to is that it was for are with they this have from what were when your can said there each which their will how if do not you an be by on at we my me about should would why",
    ),
    (
        German,
        "der die das und ist nicht ich sie mit auf für dem den ein eine einen einer zu von im auch sich wie wird sind oder aber nach bei wenn kann noch nur werden durch wir über zum zur mir was warum bitte",
    ),
    (
        French,
        "le la les des et est une dans que qui pour pas sur avec ce cette sont au aux du nous vous ils elle mais ou par plus être fait comme tout leur ne se sa son je moi quel quelle comment pourquoi",
    ),
    (
        Spanish,
        "el la los las y es una en que de por con para no se del al lo como más pero sus le ya este sí porque esta entre cuando muy sin sobre también me hasta hay donde quien desde todo nos qué cómo son un",
    ),
    (
        Italian,
        "il lo la gli le e è una di che per non con del della dei delle si sono nel alla anche come più ma da un al questo questa ha perché quando molto tra cosa essere dove mi",
    ),
    (
        Portuguese,
        "o os as e é uma em que de por com para não se do da dos das ao no na como mais mas um seu sua ou quando muito nos já eu também só pelo pela até isso ela entre são você",
    ),
    (
        Dutch,
        "de het een en is van dat niet ik op te zijn voor met die aan er om ook als dan maar nog wel naar kan dit hij bij uit door over wordt worden deze heeft hoe wat waarom je",
    ),
];

/// Names of languages in many languages, each of one word, and what asks for a translation.
const NAMED: &str = "english englisch anglais inglés inglese inglês engels \
german deutsch allemand alemán tedesco alemão duits french französisch français francés francese francês frans \
spanish spanisch espagnol español spagnolo espanhol spaans italian italienisch italien italiano italiaans \
portuguese portugiesisch portugais portugués portoghese português portugees dutch niederländisch néerlandais \
holandés olandese nederlands chinese chinesisch chinois chino cinese mandarin japanese japanisch japonais japonés \
giapponese korean koreanisch coréen russian russisch russe ruso russo ukrainian arabic arabisch arabe árabe greek \
griechisch hebrew hebräisch hindi thai latin latein turkish türkisch polish polnisch swedish schwedisch danish \
norwegian finnish vietnamese indonesian czech hungarian romanian bulgarian esperanto language languages sprache \
langue idioma lingua taal multilingual bilingual foreign vocabulary anthem lyrics";
/// Parts of words for the same, for scripts without spaces too.
const TRANSLATES: &[&str] = &[
    "translat",
    "übersetz",
    "traduc",
    "tradui",
    "tradur",
    "traduz",
    "vertaal",
    "vertal",
    "перев",
    "翻译",
    "翻譯",
    "翻訳",
    "번역",
    "ترجم",
    "英语",
    "英文",
    "中文",
    "汉语",
    "日语",
    "英語",
    "日本語",
    "中国語",
    "영어",
    "한국어",
    "русск",
    "английск",
];
/// Asking for the answer in a language: the words before the name.
const ASKED: &[&str] = &[
    "answer|respond|reply|write|explain * in",
    "antworte|antworten|schreibe|erkläre|schreib * auf",
    "réponds|répondez|écris|écrivez * en",
    "responde|responda|escribe|escreva|contesta * en|em",
    "rispondi|scrivi|risponda * in",
    "antwoord|schrijf * in|het",
];
/// Names under which the answer may be asked for.
const NAMES: &[(Language, &str)] = &[
    (English, "english|englisch|anglais|inglés|inglese|inglês|engels"),
    (German, "german|deutsch|allemand|alemán|tedesco|alemão|duits"),
    (French, "french|französisch|français|francés|francese|francês|frans"),
    (Spanish, "spanish|spanisch|espagnol|español|spagnolo|espanhol|spaans"),
    (Italian, "italian|italienisch|italien|italiano|italiaans"),
    (Portuguese, "portuguese|portugiesisch|portugais|portugués|portoghese|português"),
    (Dutch, "dutch|niederländisch|néerlandais|holandés|olandese|nederlands"),
    (Chinese, "chinese|chinesisch|chinois|chino|cinese|mandarin"),
    (Japanese, "japanese|japanisch|japonais|japonés|giapponese"),
    (Korean, "korean|koreanisch|coréen|coreano"),
    (Cyrillic, "russian|russisch|russe|ruso|russo"),
    (Arabic, "arabic|arabisch|arabe|árabe"),
];

/// Common words by which a prompt, and an answer, are told, at least.
const OF_PROMPT: usize = 4;
/// The same of a prompt without a letter of the answer's script: nobody writes both by chance.
const OF_PROMPT_IN_LATIN: usize = 2;
const OF_ANSWER: usize = 10;
/// Letters of another script by which they are told, at least.
const LETTERS: usize = 12;
const LETTERS_OF_ANSWER: usize = 40;

/// Of each common word, the languages of [`COMMON`] that have it, a bit each: texts are told in every phase of
/// every run, by all their words.
static LEXICON: LazyLock<HashMap<&str, u8>> = LazyLock::new(|| {
    let mut found: HashMap<&str, u8> = HashMap::new();
    for (place, (_, common)) in COMMON.iter().enumerate() {
        for word in common.split_whitespace() {
            *found.entry(word).or_default() |= 1 << place;
        }
    }
    found
});
static NAMES_OF_ANY: LazyLock<HashSet<&str>> = LazyLock::new(|| NAMED.split_whitespace().collect());

/// Whether `text` is in a language that nobody asked for.
pub(super) fn is_wrong(request: &ChatRequest, text: &str) -> bool {
    let Some(found) = language(super::excerpt(text, super::MOST), OF_ANSWER, LETTERS_OF_ANSWER) else { return false };
    let prompt = request.prompt();
    let prompt = super::excerpt(&prompt, super::MOST);
    if let Some(asked) = asked_for(prompt) {
        return asked != found;
    }
    let names_one = request
        .messages
        .iter()
        .filter(|m| m.role != "assistant")
        .any(|m| is_about_languages(super::excerpt(&m.text(), super::MOST)));
    let least = if SCRIPTS.contains(&found) && is_latin(prompt) { OF_PROMPT_IN_LATIN } else { OF_PROMPT };
    !names_one && language(prompt, least, LETTERS).is_some_and(|own| own != found)
}

/// The one language in which the answer is asked for.
fn asked_for(prompt: &str) -> Option<Language> {
    let lower = prompt.to_lowercase();
    if TRANSLATES.iter().any(|cue| lower.contains(cue)) {
        return None;
    }
    let words = words(prompt);
    let mut named = words.iter().filter(|word| NAMES_OF_ANY.contains(word.as_str()));
    let (Some(_), None) = (named.next(), named.next()) else { return None };
    let is_asked = |names: &str| ASKED.iter().any(|phrase| find(&format!("{phrase} {names}"), &words).is_some());
    NAMES.iter().find(|(_, names)| is_asked(names)).map(|(language, _)| *language)
}

fn is_about_languages(text: &str) -> bool {
    let lower = text.to_lowercase();
    TRANSLATES.iter().any(|cue| lower.contains(cue))
        || words(text).iter().any(|word| NAMES_OF_ANY.contains(word.as_str()))
}

/// What `text` is written in, code left out, where that is clear: by `least` common words, or `letters`
/// letters of a script.
pub(super) fn language(text: &str, least: usize, letters: usize) -> Option<Language> {
    let prose: String = text.split("```").step_by(2).collect::<Vec<_>>().join(" ");
    match of_script(&prose, letters) {
        Script::Told(language) => Some(language),
        Script::Unclear => None,
        Script::Latin => of_words(&prose, least),
    }
}

/// Languages that have a script of their own here.
const SCRIPTS: [Language; 9] = [Chinese, Japanese, Korean, Cyrillic, Arabic, Greek, Hebrew, Devanagari, Thai];

/// What the letters say.
enum Script {
    /// Enough letters of one.
    Told(Language),
    /// Letters of several, or too few.
    Unclear,
    /// Latin, or none, for the most part.
    Latin,
}

/// Whether every letter is one of the Latin script.
fn is_latin(text: &str) -> bool {
    text.chars().filter(|c| c.is_alphabetic()).all(|c| c < '\u{0370}' || ('\u{1e00}'..'\u{1f00}').contains(&c))
}

fn of_script(text: &str, least: usize) -> Script {
    let mut counts = [0usize; SCRIPTS.len()];
    let mut all = 0usize;
    for c in text.chars().filter(|c| c.is_alphabetic()) {
        all += 1;
        let place = match c {
            '\u{4e00}'..='\u{9fff}' | '\u{3400}'..='\u{4dbf}' => 0,
            '\u{3040}'..='\u{30ff}' => 1,
            '\u{ac00}'..='\u{d7af}' | '\u{1100}'..='\u{11ff}' => 2,
            '\u{0400}'..='\u{052f}' => 3,
            '\u{0600}'..='\u{06ff}' => 4,
            '\u{0370}'..='\u{03ff}' => 5,
            '\u{0590}'..='\u{05ff}' => 6,
            '\u{0900}'..='\u{097f}' => 7,
            '\u{0e00}'..='\u{0e7f}' => 8,
            _ => continue,
        };
        counts[place] += 1;
    }
    let foreign: usize = counts.iter().sum();
    if foreign * 10 < all * 3 || foreign == 0 {
        return Script::Latin;
    }
    // Japanese is written with Chinese characters too; a tenth of its own is enough.
    let (han, kana) = (counts[0], counts[1]);
    if kana * 10 >= han + kana && kana > 0 {
        counts = [0, han + kana, counts[2], counts[3], counts[4], counts[5], counts[6], counts[7], counts[8]];
    }
    let most = SCRIPTS.iter().zip(counts).max_by_key(|(_, count)| *count);
    // Mixed with Latin, as technical texts are, it counts where it is the greater part.
    match most {
        Some((language, count)) if count >= least && count * 2 > all => Script::Told(*language),
        _ => Script::Unclear,
    }
}

fn of_words(text: &str, least: usize) -> Option<Language> {
    let words = words(text);
    let known: Vec<u8> = words.iter().filter_map(|word| LEXICON.get(word.as_str()).copied()).collect();
    let hits = |place: usize| known.iter().filter(|of| *of >> place & 1 == 1).count();
    let mut scores: Vec<(usize, Language)> =
        COMMON.iter().enumerate().map(|(place, (language, _))| (hits(place), *language)).collect();
    scores.sort_by_key(|(hits, _)| std::cmp::Reverse(*hits));
    let (best, second) = (scores.first()?, scores.get(1)?);
    // In running text about a third to a half are common words; related languages share up to half of theirs.
    let is_clear = best.0 >= least && best.0 * 5 >= words.len() && best.0 * 10 >= second.0 * 17;
    is_clear.then_some(best.1)
}
