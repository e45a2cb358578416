//! Answers from a supplied document: a good one quotes the sentences that share words with the question,
//! a poor one quotes others, or says that there is nothing.

use std::collections::HashSet;

use super::bank;
use super::topic::{is_content, sentences};
use super::writer::Writer;

/// Fewer sentences than this are a question without a document.
const DOCUMENT: usize = 4;

pub(super) fn write(writer: &mut Writer<'_>, prompt: &str) {
    let all: Vec<&str> = sentences(prompt).into_iter().take(60).collect();
    writer.opening(bank::RETRIEVAL_OPENINGS);
    writer.paragraph();
    if all.len() >= DOCUMENT {
        let ranked = by_relevance(&all);
        quote(writer, &ranked);
    }
    while !writer.is_long_enough(0.85) && writer.prose(bank::RETRIEVAL, 2) {}
    writer.conclusion(bank::RETRIEVAL_ENDS);
}

/// Sentences of the document, the ones nearest to the question first. The question is the sentence with a
/// question mark, or else the last.
fn by_relevance<'a>(all: &[&'a str]) -> Vec<&'a str> {
    let question = all.iter().rposition(|s| s.ends_with('?')).unwrap_or(all.len() - 1);
    let asked: HashSet<String> = content(all[question]).collect();
    let others = all.iter().enumerate().filter(|(index, s)| *index != question && !s.ends_with([':', '?']));
    let mut scored: Vec<(usize, &str)> =
        others.map(|(_, s)| (content(s).filter(|word| asked.contains(word)).count(), *s)).collect();
    scored.sort_by_key(|(shared, _)| std::cmp::Reverse(*shared));
    scored.into_iter().map(|(_, s)| s).collect()
}

fn content(sentence: &str) -> impl Iterator<Item = String> + '_ {
    let words = sentence.split(|c: char| !(c.is_alphanumeric() || c == '-'));
    words.filter(|word| is_content(word)).map(|word| word.to_lowercase().trim_end_matches('s').to_owned())
}

fn quote(writer: &mut Writer<'_>, ranked: &[&str]) {
    let wanted = if writer.is_good() { 2 } else { 1 };
    for place in 0..wanted.min(ranked.len()) {
        // A good answer takes the nearest sentences, a poor one any.
        let index = if writer.is_good() { place } else { writer.rng().usize(..ranked.len()) };
        let lead = ["The document says: ", "The relevant line is ", "It states that ", "Here is the place: "];
        let lead = lead[writer.rng().usize(..lead.len())];
        writer.raw(&format!("{lead}“{}” ", without_label(ranked[index])));
        writer.sentence(bank::RETRIEVAL);
        writer.paragraph();
    }
}

/// `sentence` without the label that stands before a document.
fn without_label(sentence: &str) -> &str {
    const LABELS: [&str; 7] = ["Passage:", "Document:", "Context:", "Excerpt:", "Notes:", "Article:", "Source:"];
    LABELS.iter().find_map(|label| sentence.strip_prefix(label)).map_or(sentence, str::trim_start)
}
