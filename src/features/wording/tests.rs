//! A labelled list of pairs: what may be taken for the same, and what must not.

use super::*;

/// Prompts that ask for the same; `+` where that is seen, `-` where it is asked again for safety.
const SAME: &[(char, &str, &str)] = &[
    ('+', "Explain how a hash map works", "explain how a hash map works."),
    ('+', "Explain how a hash map works", "  Explain how a hash map works\n"),
    ('+', "Explain how a hash map works", "Please explain how a hash map works"),
    ('+', "Explain how a hash map works", "Could you please explain how a hash map works?"),
    ('+', "What is the capital of Australia?", "what is the capital of Australia"),
    ('+', "Who wrote Faust", "who wrote Faust?"),
    ('+', "Why don't cats like water?", "why don't cats like water"),
    ('+', "Isn't it late?", "isn't it late"),
    ('+', "In Python, how do generators work", "in Python, how do generators work?"),
    ('-', "Explain how a hash map works", "EXPLAIN HOW A HASH MAP WORKS"),
    ('-', "Explain how a hash map works", "Explain how a hash map works!!"),
    ('-', "Explain how a hash map works", "Explain   how a\nhash map works"),
    ('-', "Explain how a hash map works", "Can you explain how a hash map works, please?"),
    ('-', "Explain how a hash map works", "Hi, explain how a hash map works. Thanks!"),
    ('-', "Explain how a hash map works", "Explain how the hash map works."),
    ('-', "What is the capital of Australia?", "What's the capital of Australia"),
    ('-', "What is the capital of Australia?", "what is the capital of australia"),
    ('-', "Write a poem about the sea", "Write me a poem about the sea."),
    ('-', "In Python, explain how generators work", "Explain how generators work in Python"),
    ('-', "Why don’t cats like water?", "why don't cats like water"),
    ('-', "Who wrote “Faust”?", "Who wrote \"Faust\"?"),
    ('-', "I can't sleep. Give me advice", "I cannot sleep. Give me advice!"),
    ('-', "¿Qué es una mónada?", "qué es una mónada"),
    ('-', "什么是哈希表？", "什么是哈希表"),
    ('-', "Explain how a hash map works", "How does a hash map work?"),
    ('-', "Give three reasons to learn Latin", "Give 3 reasons to learn Latin"),
    ('-', "Translate into French: good morning", "good morning - translate that into French"),
    ('-', "List the planets and their moons", "List the planets, with their moons"),
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
    // Case, where it names.
    ("Tell me about The Cure", "Tell me about the cure"),
    ("Tell me about The Cars and their story", "Tell me about cars and their story"),
    ("Tell me about AIDS", "Tell me about aids"),
    ("Tell me about Turkey", "Tell me about turkey"),
    ("Tell me what happened with Orange then", "Tell me what happened with orange then"),
    ("Tell me what happened with Shell then", "Tell me what happened with shell then"),
    ("Tell me what happened with Docker then", "Tell me what happened with docker then"),
    ("Tell me what happened with Chad then", "Tell me what happened with chad then"),
    ("Orange is loud", "orange is loud"),
    ("Will is late", "will is late"),
    ("Apple is found", "apple is found"),
    ("WHO is it?", "Who is it?"),
    ("Who is it?", "Who is It?"),
    ("Write it for May", "Write it for may"),
    ("Is CO a gas", "Is Co a gas"),
    ("mg or Mg", "Mg or mg"),
    ("How much is 5 mW", "How much is 5 MW"),
    ("Convert 3 M to mm", "Convert 3 m to mm"),
    ("Which key is g major", "Which key is G major"),
    ("What is Ph", "What is pH"),
    ("What is i", "What is I"),
    ("Pronounce lead", "Pronounce Lead"),
    ("Fix the casing: paris", "Fix the casing: Paris"),
    ("Is paris spelled right?", "Is Paris spelled right?"),
    ("Write ABC in lower case", "Write abc in lower case"),
    ("How many letters has WORD?", "How many letters has word?"),
    ("Does US law apply to us?", "Does us law apply to US?"),
    // Case, where it is an option.
    ("ls -a", "ls -A"),
    ("What does grep -v do", "What does grep -V do"),
    ("what does chmod +x do", "what does chmod +X do"),
    ("what is chmod a", "what is chmod A"),
    ("Explain the regex \\d", "Explain the regex \\D"),
    // Marks.
    ("What is 5!", "What is 5"),
    ("What is 5!", "What is 5?"),
    ("Compute n!", "Compute n"),
    ("Compute (a + b)!", "Compute (a + b)"),
    ("Solve x?", "Solve x!"),
    ("Shout hello!", "Shout hello"),
    ("You ate?", "You ate!"),
    ("You ate?", "You ate"),
    ("What matches a?", "What matches a."),
    ("What matches the regex abc?", "What matches the regex abc"),
    ("Write how are you?", "Write how are you"),
    ("Is this a question?", "Is this a question"),
    ("How many characters are in abc.", "How many characters are in abc"),
    ("Let's eat, grandma", "Let's eat grandma"),
    ("sum of 1, 2 and 3", "sum of 12 and 3"),
    ("He said: help", "He said: Help?"),
    // Small words.
    ("Why have few friends stayed", "Why have a few friends stayed"),
    ("Why has a number of errors grown", "Why has the number of errors grown"),
    ("Is a hospital near", "Is the hospital near"),
    ("Translate \"the\" into French", "Translate \"a\" into French"),
    ("Which is right: an hour or a hour?", "Which is right: a hour or an hour?"),
    ("What rhymes with an", "What rhymes with a"),
    ("Write a haiku", "Write the haiku"),
    // Contractions.
    ("Expand the contraction don't", "Expand the contraction do not"),
    ("Expand don't", "Expand do not"),
    ("What is don't short for?", "What is do not short for?"),
    ("What's short for?", "What is short for?"),
    ("How do you spell can't?", "How do you spell cannot?"),
    // Courtesy, and where it belongs.
    ("Can you translate Latin?", "Translate Latin"),
    ("Could you write code?", "Write code"),
    ("Hello! Translate that into French", "Translate that into French"),
    ("Write a reply. Thanks", "Write a reply."),
    ("Write yes, please", "Write yes"),
    ("Describe me as a pirate", "Describe as a pirate"),
    ("Is \"Please help me\" polite?", "Is \"help me\" polite?"),
    ("In one sentence, explain why people use rhymes", "Explain why people use rhymes in one sentence"),
    ("In a song, describe what birds do", "Describe what birds do in a song"),
    // Space.
    ("What is \"a  b\"?", "What is \"a b\"?"),
    ("Which of a  b and a b is tidy?", "Which of a b and a  b is tidy?"),
    ("Roses are red\nviolets are blue", "Roses are red violets are blue"),
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
    assert_eq!((seen, SAME.len()), (9, 28), "true paraphrases that are hits");
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
        assert_ne!(wording(LONG_TEXT), wording(&other), "{changed}");
        assert_ne!(exact_parts(LONG_TEXT), exact_parts(&other), "{changed}");
    }
}

#[test]
fn beside_an_embedding_what_it_hardly_sees_is_the_same() {
    assert_eq!(exact_parts("Is 17 prime? Do NOT guess 18."), ["17", "NOT", "18"]);
    assert_eq!(exact_parts("Turn this from French into German"), ["Turn", "from", "French", "into", "German"]);
    assert_eq!(exact_parts("hello there"), Vec::<String>::new());
    assert_eq!(exact_parts("Explain how it works"), exact_parts("How does it work?"), "the embedding decides");
    assert_eq!(exact_parts("Is A better than B?"), ["is A better than B?"]);
    assert_ne!(exact_parts("把这句话翻译成英文"), exact_parts("把这句话翻译成法文"));
    let missed: Vec<_> = DIFFERENT.iter().filter(|(a, b)| exact_parts(a) == exact_parts(b)).collect();
    assert!(missed.len() <= 23, "left to the embedding: {} {missed:#?}", missed.len());
}

#[test]
fn beside_an_embedding_what_is_put_otherwise_is_left_to_it() {
    for (a, b) in [
        ("Explain how a hash map works", "Explain how the hash map works!"),
        ("Why don’t cats like water?", "Why do cats not like water"),
        ("What is the capital of Australia?", "What's the capital of Australia"),
        ("什么是哈希表？", "什么是哈希表"),
    ] {
        assert_eq!(exact_parts(a), exact_parts(b), "{a} | {b}");
    }
}

#[test]
fn odd_texts_are_no_more_than_odd() {
    for odd in [
        "",
        "   ",
        "?!",
        "…",
        "\u{feff}",
        "a",
        "the",
        "please",
        "Please ",
        "'",
        "hi,",
        "What",
        "What?",
        "é",
        "Pl\u{eb}ase",
    ] {
        assert_eq!(wording(odd), wording(odd.trim()), "{odd:?}");
        let _ = exact_parts(odd);
    }
    assert_ne!(wording("?"), wording("!"));
    assert!(lists::REQUESTS.split(' ').all(|verb| lists::has(lists::OPENINGS, verb)));
}
