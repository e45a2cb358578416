//! A labelled list of pairs: what may be taken for the same, and what must not.

use super::*;

/// Prompts that ask for the same; `+` where that is seen, `-` where it is asked again for safety.
const SAME: &[(char, &str, &str)] = &[
    ('+', "Explain how a hash map works", "explain how a hash map works."),
    ('+', "Explain how a hash map works", "  Explain   how a\nhash map works!! "),
    ('+', "Explain how a hash map works", "EXPLAIN HOW A HASH MAP WORKS"),
    ('+', "Explain how a hash map works", "Please explain how a hash map works"),
    ('+', "Explain how a hash map works", "Could you please explain how a hash map works?"),
    ('+', "Explain how a hash map works", "Can you explain how a hash map works, please?"),
    ('+', "Explain how a hash map works", "Hi, can you explain how a hash map works? Thanks!"),
    ('+', "Explain how a hash map works", "I would like you to explain how the hash map works."),
    ('+', "Explain how a hash map works.", "Hello! Explain how a hash map works. Thank you in advance."),
    ('+', "What is the capital of Australia?", "what's the capital of Australia"),
    ('+', "What is the capital of Australia?", "What is capital of Australia?"),
    ('+', "Write a poem about the sea", "Write me a poem about the sea."),
    ('+', "Give three reasons to learn Latin", "Give me three reasons to learn Latin, please."),
    ('+', "In Python, explain how generators work", "Explain how generators work in Python"),
    ('+', "Write a limerick about autumn with two puns", "With two puns, write a limerick about autumn."),
    ('+', "Why don’t cats like water?", "why don't cats like water"),
    ('+', "Why do cats not like water, and dogs do?", "Why do cats not like water and dogs do"),
    ('+', "Who wrote “Faust”?", "Who wrote \"Faust\"?"),
    ('+', "I can't sleep. Give me advice", "I cannot sleep. Give me advice!"),
    ('+', "¿Qué es una mónada?", "qué es una mónada"),
    ('+', "什么是哈希表？", "什么是哈希表"),
    ('-', "Explain how a hash map works", "How does a hash map work?"),
    ('-', "Explain how a hash map works", "Explain how hash maps work"),
    ('-', "Explain how a hash map works", "Explain the workings of a hash map"),
    ('-', "Explain how a hash map works", "Describe how a hash map works"),
    ('-', "Give three reasons to learn Latin", "Give 3 reasons to learn Latin"),
    ('-', "Translate into French: good morning", "good morning - translate that into French"),
    ('-', "List the planets and their moons", "List the planets, with their moons"),
    ('-', "Why do cats hate water?", "Why is it that cats hate water?"),
    ('-', "Write a well-known joke", "Write a well known joke"),
];

/// Prompts that ask for something else.
const DIFFERENT: &[(&str, &str)] = &[
    ("Translate into French: good morning", "Translate into German: good morning"),
    ("Translate this from French into German", "Translate this from German into French"),
    ("Explain how a hash map works", "Explain how a tree map works"),
    ("Explain how a hash map works", "Explain how a hash map works in Python"),
    ("Explain how a hash map works in Java", "Explain how a hash map works in JavaScript"),
    ("The dog bites the man: write the headline", "The man bites the dog: write the headline"),
    ("Is Postgres faster than MySQL?", "Is MySQL faster than Postgres?"),
    ("Who is the president of France?", "Who was the president of France?"),
    ("Write a haiku about autumn", "Write haikus about autumn"),
    ("Give me a synonym for fast", "Give me synonyms for fast"),
    ("Is it safe to eat this?", "Is it not safe to eat this?"),
    ("Is it safe to eat this?", "Isn't it safe to eat this?"),
    ("Sort these ascending: 3 1 2", "Sort these descending: 3 1 2"),
    ("Sort these ascending: 3 1 2", "Sort these ascending: 3 2 1"),
    ("What is 3 - 4?", "What is 3 + 4?"),
    ("What is 3-4?", "What is 3+4?"),
    ("What is (1 + 2) * 3?", "What is 1 + (2 * 3)?"),
    ("Solve x > 3", "Solve x < 3"),
    ("Solve x = -5", "Solve x = 5"),
    ("Is 1.5 prime?", "Is 15 prime?"),
    ("What is $5 in yen?", "What is €5 in yen?"),
    ("How long does 10 Mb take?", "How long does 10 MB take?"),
    ("Is mW the same as kW?", "Is MW the same as kW?"),
    ("Teach me C", "Teach me C++"),
    ("Teach me C", "Teach me C#"),
    ("Teach me C", "Teach me R"),
    ("What is vitamin a deficiency?", "What is vitamin deficiency?"),
    ("What is vitamin A deficiency?", "What is vitamin B deficiency?"),
    ("What does \"the\" mean?", "What does \"a\" mean?"),
    ("What does the mean?", "What does an mean?"),
    ("How do you say please in Japanese?", "How do you say thanks in Japanese?"),
    ("How do you say please?", "How do you say thanks?"),
    ("Translate: thank you", "Translate: thanks"),
    ("Translate into Latin: please, please", "Translate into Latin: please, thanks"),
    ("Would you recommend Rust?", "Recommend Rust"),
    ("Should I tell her?", "Should she tell me?"),
    ("Write a letter to my boss", "Write a letter to your boss"),
    ("Write a letter to him", "Write a letter to her"),
    ("List the pros of nuclear power", "List the cons of nuclear power"),
    ("Cats or dogs?", "Cats and dogs?"),
    ("Write a text with the letter e", "Write a text without the letter e"),
    ("Say it before lunch", "Say it after lunch"),
    ("Summarize the text", "Rewrite the text"),
    ("Summarize the text", "Summarize the text briefly"),
    ("Summarize the text in one sentence", "Summarize the text in two sentences"),
    ("Write a formal letter", "Write an informal letter"),
    ("Who is leading in the polls, the US or us?", "Who is leading in the polls, us or the US?"),
    ("Explain what IT does for a firm", "Explain what it does for a firm"),
    ("Is this Polish good?", "Is this polish good?"),
    ("Let's eat, grandma: what is wrong?", "Let's eat grandma: what is wrong?"),
    ("Explain how to say dog in German", "In German, explain how to say dog in French"),
    ("In French, explain how to count in German", "In German, explain how to count in French"),
    ("Fix:\nfor x in y:\n    a()\n    b()", "Fix:\nfor x in y:\n    a()\nb()"),
    ("What does `X` do?", "What does `x` do?"),
    ("Is foo_bar set?", "Is Foo_Bar set?"),
    ("What is f(x) for f(x) = x?", "What is f(X) for f(x) = x?"),
    ("把这句话翻译成英文", "把这句话翻译成法文"),
    ("Is water wet? Answer yes or no", "Is water wet, answer? Yes or no"),
    ("How do I get to the bank?", "How do I get from the bank?"),
    ("Name the largest planet", "Name the smallest planet"),
];

/// Ninety words that many prompts may be about.
const LONG_TEXT: &str = "The committee met on a rainy morning in the old town hall to discuss the proposal for a new \
    library, which had been delayed for several years because of disagreements about funding, location and design. \
    Several members argued that the building should be placed near the river, where land was cheap, while others \
    feared floods and asked for a site beside the school. After two hours the chair proposed to ask an engineer for \
    a report, and the members agreed to meet again in the spring, when costs would be known and the mayor was back.";

#[test]
fn of_prompts_that_ask_for_the_same_most_are_seen_and_of_others_none() {
    let is_same = |a: &str, b: &str| wording(a) == wording(b);
    for (seen, a, b) in SAME {
        assert_eq!(is_same(a, b), *seen == '+', "{a} | {b}\n{} | {}", wording(a), wording(b));
    }
    let seen = SAME.iter().filter(|(seen, ..)| *seen == '+').count();
    assert_eq!((seen, SAME.len()), (21, 30), "true paraphrases that are hits");
    for (a, b) in DIFFERENT {
        assert!(!is_same(a, b), "{a} | {b}: {}", wording(a));
    }
}

#[test]
fn the_same_holds_beside_a_text_of_any_length() {
    let around = |prompt: &str| [format!("{prompt}\n\n{LONG_TEXT}"), format!("{LONG_TEXT}\n\n{prompt}")];
    for (a, b) in DIFFERENT {
        for (a, b) in around(a).iter().zip(&around(b)) {
            assert_ne!(wording(a), wording(b));
            assert_ne!(exact_parts(a), exact_parts(b), "an embedding would not see it either");
        }
    }
    for (changed, to) in [("cheap", "dear"), ("agreed", "refused"), ("in the spring", "in spring"), ("years", "weeks")]
    {
        let other = LONG_TEXT.replace(changed, to);
        let is_same = wording(LONG_TEXT) == wording(&other);
        assert_eq!(is_same, changed == "in the spring", "{changed}: an article says nothing");
    }
}

#[test]
fn beside_an_embedding_what_it_hardly_sees_is_the_same() {
    assert_eq!(exact_parts("Is 17 prime? Do NOT guess 18."), ["17", "not", "18"]);
    assert_eq!(exact_parts("Turn this from French into German"), ["from", "french", "into", "german"]);
    assert_eq!(exact_parts("hello there"), Vec::<String>::new());
    assert_eq!(exact_parts("Explain how it works"), exact_parts("How does it work?"), "the embedding decides");
    assert_eq!(exact_parts("Is A better than B?"), ["is A better than B"]);
    assert_ne!(exact_parts("把这句话翻译成英文"), exact_parts("把这句话翻译成法文"));
    let missed: Vec<_> = DIFFERENT.iter().filter(|(a, b)| exact_parts(a) == exact_parts(b)).collect();
    assert!(missed.len() <= 7, "left to the embedding: {} {missed:#?}", missed.len());
}

#[test]
fn what_is_tidied_is_tidy() {
    for text in SAME.iter().flat_map(|(_, a, b)| [*a, *b]).chain(DIFFERENT.iter().flat_map(|(a, b)| [*a, *b])) {
        let once = wording(text);
        assert!(!once.is_empty());
        if !once.starts_with('\n') {
            assert!(!once.contains("  ") && once.trim() == once, "{once:?}");
        }
    }
    for odd in ["", "   ", "?!", "…", "\u{feff}", "a", "the", "please", "'", "hi,", "in Python,"] {
        assert!(!wording(odd).contains('\n'), "{odd:?}");
    }
    assert_ne!(wording("?"), wording("!"));
}
