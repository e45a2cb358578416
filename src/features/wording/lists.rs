//! The words that `wording.rs` knows: which say nothing, and which say so much that a direction must not decide
//! about them. Lower case, as they come out of a tidied text. They are no dictionary: a word that is missing among
//! those that say nothing costs a hit, and among the others the direction decides about it. Words are parted by
//! spaces, phrases by `|`.

/// Verbs that ask for an answer: politeness before them says nothing. All of them are among the openings.
pub(super) const REQUESTS: &str = "\
    explain describe give tell show write list create generate compose summarize summarise translate compare \
    convert suggest define outline review rewrite name find solve compute calculate implement fix recommend";

/// Beginnings of a question that ask for what the request behind them says. Without a *please* in it a question of
/// this kind may be meant (*can you translate Latin?*).
pub(super) const ASKING: &str =
    "can you please|could you please|would you please|will you please|please can you|please could you";

/// What says nothing before a request.
pub(super) const POLITE: &str = "please|kindly";

/// Words that open a prompt and are no name, whether in capitals or not (*Will*, *May* and *Mark* are).
pub(super) const OPENINGS: &str = "\
    what what's who who's whom whose when where where's why how how's which is isn't are aren't was wasn't were do \
    does doesn't did didn't can can't could should would has have had explain describe give tell show write list create \
    generate compose summarize summarise translate compare convert suggest define outline review rewrite name \
    find solve compute calculate implement fix recommend if in";

/// Words that speak of words: nothing of such a prompt is taken for empty, not even `the`.
pub(super) const OF_WORDS: &str = "\
    word words article articles grammar grammatical spell spelling pronounce say mean means meaning letter \
    letters sentence sentences phrase difference between translate translation correct proofread syllables \
    rhyme rhymes repeat anagram pronoun stopword contraction contractions expand abbreviate abbreviation \
    acronym capitalize capitalise capitalized capitalised capitalization casing case uppercase lowercase punctuation \
    punctuate question questions exclamation comma colon period apostrophe hyphen hyphenate quote character \
    characters string strings regex regexp pattern glob echo prefix suffix vowel vowels plural typo typos";

/// Contractions and what they stand for.
pub(super) const CONTRACTIONS: &[(&str, &str)] = &[
    ("what's", "what is"),
    ("how's", "how is"),
    ("where's", "where is"),
    ("who's", "who is"),
    ("i'm", "i am"),
    ("you're", "you are"),
    ("don't", "do not"),
    ("doesn't", "does not"),
    ("didn't", "did not"),
    ("isn't", "is not"),
    ("aren't", "are not"),
    ("wasn't", "was not"),
    ("shouldn't", "should not"),
    ("couldn't", "could not"),
    ("wouldn't", "would not"),
    ("won't", "will not"),
    ("can't", "can not"),
    ("cannot", "can not"),
];

/// Words that turn a prompt round, count, or name one side of a pair of which texts hardly show which it is.
pub(super) const TURNS: &str = "\
    not t no never without except non neither nor none nothing nicht kein keine keinen nie ohne ne pas \
    jamais sans nunca sin senza mai more less most least fewer best worst better worse above below over \
    under before after first last next previous up down out on off left right north south east west increase \
    decrease increasing decreasing ascending descending maximum minimum maximize minimize max min highest \
    lowest higher lower high low longest shortest largest smallest biggest fastest slowest oldest newest \
    long short longer shorter big small old new true false yes always only or pros cons advantages \
    disadvantages against active passive formal informal positive negative male female add remove delete \
    insert include exclude enable disable encrypt decrypt encode decode open close start stop buy sell from \
    into past future present he she him her his singular plural internal external legal illegal possible \
    impossible mehr weniger vor nach plus moins avant après más menos was were did will my your and us \
    briefly zero one two three four five six seven eight nine ten eleven twelve dozen hundred thousand \
    million billion once twice half few little double monday tuesday wednesday thursday friday saturday sunday today \
    tomorrow yesterday january february march april may june july august september october november december";

/// Words that compare: which side is which is a matter of order alone.
pub(super) const COMPARING: &str = "than versus vs instead rather als que";

/// Names of languages, of people and of programs.
pub(super) const LANGUAGES: &str = "\
    english french german spanish italian portuguese dutch swedish norwegian danish finnish icelandic polish \
    czech slovak slovenian croatian serbian bosnian bulgarian romanian hungarian greek turkish russian \
    ukrainian belarusian estonian latvian lithuanian irish welsh scottish gaelic catalan basque galician \
    latin hebrew arabic persian farsi kurdish hindi urdu bengali punjabi tamil telugu marathi gujarati \
    kannada malayalam nepali sinhala thai vietnamese khmer lao burmese malay indonesian tagalog filipino \
    chinese mandarin cantonese japanese korean mongolian swahili yoruba igbo hausa zulu xhosa afrikaans \
    amharic somali armenian georgian azerbaijani kazakh uzbek albanian macedonian maltese esperanto yiddish \
    sanskrit british american brazilian mexican european swiss austrian canadian simplified traditional \
    deutsch englisch französisch spanisch italienisch russisch chinesisch japanisch türkisch polnisch \
    anglais français allemand espagnol italien inglés francés alemán español italiano inglese francese \
    tedesco spagnolo portugues português nederlands python java javascript typescript rust go golang c ruby \
    php perl swift kotlin scala haskell ocaml elixir erlang clojure lisp scheme prolog fortran cobol pascal \
    ada lua julia r matlab dart zig nim sql mysql postgres postgresql sqlite bash powershell html css xml \
    json yaml toml csv markdown latex assembly vba excel";

/// Characters of scripts without spaces that name a language or turn a sentence round: 英法德日韩… 不没无…
pub(super) const SIGNS: &str = "英法德日韩韓俄西葡意中泰越阿粤粵语語文不没沒无無非勿未否前后後上下多少大小";

/// Whether `word` is one of `list`.
pub(super) fn has(list: &str, word: &str) -> bool {
    list.split(' ').any(|listed| listed == word)
}
