//! The form of a prompt, whatever it is about: how many answers it offers to choose from, how many
//! quantities it names, how much of it looks like source, whether it asks. Each in one walk over the text.

/// Answers offered for choice, as far as they are marked in order: `A.`, `B)`, `(c)`, `(1)`, `Option 2:`.
/// 0 where there are fewer than two.
pub(super) fn choices(text: &str) -> usize {
    let mut letters = 0_u32;
    let mut digits = 0_u32;
    let mut at_start = true;
    let mut before = [' '; 2];
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let next = chars.peek().copied().unwrap_or(' ');
        let is_mark = (before[1] == '(' && next == ')') || (at_start && matches!(next, '.' | ')' | ':'));
        if is_mark {
            match c {
                'A'..='H' | 'a'..='h' => letters |= 1 << (u32::from(c.to_ascii_lowercase()) - u32::from('a')),
                '1'..='8' => digits |= 1 << (u32::from(c) - u32::from('1')),
                _ => {}
            }
        }
        let is_label = before == ['n', ' '] && c.is_ascii_digit() && matches!(next, ':' | '.');
        if is_label && ('1'..='8').contains(&c) {
            digits |= 1 << (u32::from(c) - u32::from('1'));
        }
        at_start = c == '\n' || (at_start && matches!(c, ' ' | '\t'));
        before = [before[1], c];
    }
    let run = letters.trailing_ones().max(digits.trailing_ones()) as usize;
    if run >= 2 { run } else { 0 }
}

/// Quantities in digits, at most `limit`; the marks of offered answers are none, nor are years.
pub(super) fn numbers(text: &str, limit: usize) -> usize {
    let is_digit = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_digit());
    let bytes = text.as_bytes();
    let (mut count, mut at) = (0, 0);
    while at < bytes.len() && count < limit {
        let start = at;
        let is_point = |at: usize| matches!(bytes.get(at), Some(b'.' | b',')) && is_digit(bytes.get(at + 1).copied());
        while is_digit(bytes.get(at).copied()) || (at > start && is_point(at)) {
            at += 1;
        }
        if at == start {
            at += 1;
            continue;
        }
        let before = start.checked_sub(1).map(|i| bytes[i]);
        let is_mark = before == Some(b'(') && bytes.get(at) == Some(&b')');
        let in_word = before.is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
        count += usize::from(!is_mark && !in_word && !is_year(&bytes[start..at], before));
    }
    count
}

/// 1500 to 2099 without a currency before it.
fn is_year(number: &[u8], before: Option<u8>) -> bool {
    let is_plain = before.is_none_or(|b| b == b' ' || b == b'\n' || b == b'-');
    is_plain && matches!(number, [b'1', b'5'..=b'9', _, _] | [b'2', b'0', _, _])
}

/// Quantities in words.
pub(super) const NUMBER_WORDS: [&str; 30] = [
    "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "fifteen", "twenty",
    "thirty", "forty", "fifty", "hundred", "thousand", "half", "third", "quarter", "twice", "double", "triple",
    "dozen", "zwei", "drei", "trois", "tres", "doppelt",
];

/// Lines that look like source: how many, at most eight.
pub(super) fn code_lines(text: &str) -> usize {
    const STARTS: [&str; 25] = [
        "fun ",
        "func ",
        "print(",
        "console.",
        "def ",
        "class ",
        "import ",
        "from ",
        "fn ",
        "let ",
        "const ",
        "var ",
        "function ",
        "#include",
        "public ",
        "private ",
        "return ",
        "SELECT ",
        "select ",
        "#!/",
        "@",
        "for ",
        "while ",
        "if ",
        "await ",
    ];
    const ENDS: [char; 3] = ['{', '}', ';'];
    const SIGNS: [&str; 12] = [" FROM ", "=>", "->", "::", "()", "==", "!=", "&&", "||", "+=", "](", "}}"];
    let is_code = |line: &str| {
        let line = line.trim();
        let starts = STARTS.iter().any(|start| line.starts_with(start));
        let ends = line.ends_with(ENDS) || (starts && line.ends_with(':'));
        let signs = SIGNS.iter().any(|sign| line.contains(sign));
        usize::from(starts) + usize::from(ends) + usize::from(signs) >= 2
            || is_assignment(line)
            || line.starts_with("Traceback (")
            || line.starts_with("error[")
    };
    text.lines().filter(|line| is_code(line)).take(8).count()
}

/// `name = …` with a bracket or a quote in it.
fn is_assignment(line: &str) -> bool {
    line.split_once(" = ").is_some_and(|(name, value)| {
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '[' | ']');
        !name.is_empty() && name.chars().all(is_name) && value.contains(['(', '[', '{', '"', '\''])
    })
}

/// Words that only programs have: `snake_case`, `camelCase`, `call()`, `some.call(`, `ValueError`, `main.rs`.
pub(super) fn identifiers(text: &str) -> usize {
    text.split_whitespace().filter(|word| is_identifier(word)).take(6).count()
}

fn is_identifier(word: &str) -> bool {
    const EXTENSIONS: [&str; 16] = [
        ".py", ".rs", ".js", ".ts", ".go", ".java", ".cpp", ".sh", ".json", ".yaml", ".yml", ".toml", ".html", ".css",
        ".sql", ".tsx",
    ];
    if matches!(word, "==" | "!=" | "=>" | "->" | "&&" | "||") {
        return true;
    }
    let word = word.trim_start_matches(|c: char| !c.is_alphanumeric());
    let core = word.trim_end_matches(|c: char| !c.is_alphanumeric());
    if word.len() > 80 || core.len() < 3 || core.starts_with("http") {
        return false;
    }
    let bytes = core.as_bytes();
    let pair = |test: fn(u8, u8, u8) -> bool| bytes.windows(3).any(|w| test(w[0], w[1], w[2]));
    let snake = pair(|a, b, c| a.is_ascii_alphanumeric() && b == b'_' && c.is_ascii_alphanumeric());
    let camel = pair(|a, b, c| a.is_ascii_lowercase() && b.is_ascii_uppercase() && c.is_ascii_lowercase());
    let call = word.contains("()")
        || pair(|a, b, c| a.is_ascii_lowercase() && b == b'(' && (c.is_ascii_alphanumeric() || c == b')'));
    let error = core.len() > 5 && (core.ends_with("Error") || core.ends_with("Exception"));
    let file = EXTENSIONS.iter().any(|extension| core.ends_with(extension));
    snake || camel || call || error || file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offered_answers_are_counted_in_every_usual_mark() {
        assert_eq!(choices("Which?\nA. one\nB. two\nC. three\nD. four\nAnswer:"), 4);
        assert_eq!(choices("Choices: (A) one, (B) two, (C) three"), 3);
        assert_eq!(choices("Options:\n  (1) one\n  (2) two"), 2);
        assert_eq!(choices("so _ is big.\nOption 1: the cup\nOption 2: the bag\n"), 2);
        assert_eq!(choices("a) yes\nb) no"), 2);
        assert_eq!(choices("f(a) and g(x) are continuous. A. Smith wrote it."), 0);
        assert_eq!(choices(""), 0);
    }

    #[test]
    fn quantities_are_counted_but_marks_and_names_are_not() {
        assert_eq!(numbers("3 apples at 1.50 and 12,000 pears", 10), 3);
        assert_eq!(numbers("(1) one (2) two x2 utf_8", 10), 0);
        assert_eq!(numbers(&"1 ".repeat(99), 10), 10);
    }

    #[test]
    fn what_only_programs_have() {
        assert_eq!(
            identifiers("the well-known e.g. McDonald, 3.5 (see) http://a_b.org"),
            1,
            "a name may look like one"
        );
        assert_eq!(identifiers("call get_user(), then fooBar in main.rs; ValueError: print(x)"), 5);
        assert_eq!(code_lines("def f(x):\n    return x;\n\nplain words here"), 2);
    }
}
