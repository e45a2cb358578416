//! Phrases in running text: words in a row, each with alternatives, with room for words between them where
//! a phrase says so. No expressions and no grammar: enough to tell `I cannot really help with that` from
//! `I cannot help but smile`, in languages that put spaces between words.

/// Words that `~` lets pass, at most [`FILLERS_IN_A_ROW`] of them.
const FILLERS: &[&str] = &[
    "actually",
    "also",
    "and",
    "as",
    "conscience",
    "currently",
    "directly",
    "ethically",
    "good",
    "in",
    "just",
    "personally",
    "really",
    "simply",
    "therefore",
    "to",
    "legally",
    "responsibly",
    "safely",
    "respectfully",
    "politely",
    "respectfully",
    "politely",
    "be",
    "able",
];
const FILLERS_IN_A_ROW: usize = 3;
/// Words that `*` lets pass.
const ANY_IN_A_ROW: usize = 5;

/// `text` in lower case as words, without marks; short forms of `I am`, `cannot` and the like are written out.
pub(super) fn words(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let lower = text.to_lowercase().replace(['\u{2019}', '\u{2018}', '\u{02bc}'], "'");
    for word in lower.split(|c: char| !(c.is_alphanumeric() || c == '\'')) {
        match word.trim_matches('\'') {
            "" => {}
            "can't" | "cant" => found.push("cannot".to_owned()),
            "won't" => found.extend(["will", "not"].map(str::to_owned)),
            "i'm" => found.extend(["i", "am"].map(str::to_owned)),
            "i'll" => found.extend(["i", "will"].map(str::to_owned)),
            "not" if found.last().is_some_and(|last| last == "can") => {
                found.pop();
                found.push("cannot".to_owned());
            }
            word => found.push(word.to_owned()),
        }
    }
    found
}

/// Where `phrase` begins and ends in `words`, first place first. A phrase is words with spaces between them;
/// `a|b` is either, `~` up to three filler words, `*` up to five of any kind, `$` the end of the text.
pub(super) fn find(phrase: &str, words: &[String]) -> Option<(usize, usize)> {
    let parts: Vec<&str> = phrase.split(' ').collect();
    (0..words.len()).find_map(|from| Some((from, matched(&parts, words, from)?)))
}

/// Where the phrase ends that begins at `at`.
fn matched(parts: &[&str], words: &[String], at: usize) -> Option<usize> {
    let Some((part, rest)) = parts.split_first() else { return Some(at) };
    let skip = |most: usize, may: &dyn Fn(&str) -> bool| {
        let room = words.get(at..).unwrap_or_default().iter().take(most).take_while(|word| may(word)).count();
        (0..=room).find_map(|skipped| matched(rest, words, at + skipped))
    };
    match *part {
        "~" => skip(FILLERS_IN_A_ROW, &|word| FILLERS.contains(&word)),
        "*" => skip(ANY_IN_A_ROW, &|_| true),
        _ => {
            let word = words.get(at).map(String::as_str);
            let fits = part.split('|').any(|other| word.map_or(other == "$", |word| word == other));
            if fits { matched(rest, words, (at + 1).min(words.len())) } else { None }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phrases_are_found_where_they_are() {
        let rows = [
            ("i cannot ~ help with|$", "Sorry, I can't really help with it", true),
            ("i cannot ~ help with|$", "I can not help.", true),
            ("i cannot ~ help with|$", "I cannot help but smile", false),
            ("i cannot ~ help with|$", "I cannot wait to help with it", false),
            ("kann * nicht helfen", "Dabei kann ich Ihnen leider nicht helfen", true),
            ("kann * nicht helfen", "kann eins zwei drei vier fünf sechs nicht helfen", false),
        ];
        for (phrase, text, is_there) in rows {
            assert_eq!(find(phrase, &words(text)).is_some(), is_there, "{phrase} in {text}");
        }
        assert_eq!(find("b c", &words("a b c d")), Some((1, 3)));
    }
}
