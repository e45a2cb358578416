//! The sentences. `{t}` stands for the topic, `{a}` and `{b}` for words of the prompt; a sentence must read
//! well whatever they are, which is why single words stand in quotation marks.

/// How a poor answer begins.
pub(super) const HEDGES: &[&str] = &[
    "That is an interesting question, and there are many ways to look at it.",
    "It is hard to say in general, but here are some thoughts.",
    "As with many things, it depends.",
    "Sure! There is a lot that could be said here.",
    "I am not entirely certain what is meant, so I will keep this general.",
    "People have different opinions on matters like this one.",
];

/// What a poor answer is filled with.
pub(super) const IDLE: &[&str] = &[
    "There are several factors to keep in mind, and they may vary.",
    "In many situations a balanced approach is the best approach.",
    "Of course, every situation is different.",
    "It is always a good idea to look at this from more than one side.",
    "This has been discussed for a long time, with no clear result.",
    "Generally speaking, the usual considerations apply.",
    "You may want to consult an expert before you decide anything.",
    "More information would be needed to go into detail.",
    "On the one hand there are advantages, on the other hand there are drawbacks.",
    "Something similar comes up in quite different fields, for example in gardening or in team sports.",
    "At the end of the day, what matters is that it works for you.",
    "Both options can be right, depending on the circumstances.",
    "There may also be other things to think of, which I will not go into.",
    "It is worth remembering that nothing is ever perfect.",
];

pub(super) const REASONING_OPENINGS: &[&str] = &[
    "Let me work through {t} one step at a time.",
    "The crux is how “{a}” and “{b}” constrain each other, so I start there.",
    "Start from what is given about {t} and see what follows from it.",
    "Short answer first, then the reasoning: “{a}” decides it, and “{b}” is the distraction.",
    "I will state what is known, derive what follows, and check the result for {t}.",
    "There are two claims hidden in this question; separating them makes {t} tractable.",
];

pub(super) const REASONING_STEPS: &[&str] = &[
    "Write down what is fixed: everything said about “{a}” holds throughout, so it can be treated as a constant.",
    "What varies is “{b}”, and only that; every other quantity follows once it is chosen.",
    "Suppose the opposite for a moment: then “{a}” would contradict what was said about “{b}”, so it cannot hold.",
    "The order of events matters here, because “{b}” can only happen after “{a}” is settled.",
    "Each case can be ruled out in turn until a single one is left for {t}.",
    "Count both sides separately; counting “{a}” and “{b}” together is the usual mistake.",
    "Put in the extreme values: with none of “{a}” the claim is trivial, and with all of it the bound is tight.",
    "The units have to agree, which is a quick check that “{a}” was not mixed up with “{b}”.",
    "From these two facts the middle step follows at once, without any further assumption about {t}.",
    "A small example confirms it: change “{a}” by one and watch how “{b}” responds.",
    "The tempting shortcut fails, since it assumes that “{a}” and “{b}” are independent.",
    "Combine the two relations and solve for the one unknown that is left.",
    "Note the condition under which this is valid; it holds for {t} as it is stated.",
    "Work backwards from the goal: the last step needs “{b}”, and that in turn needs “{a}”.",
];

pub(super) const REASONING_ENDS: &[&str] = &[
    "So the answer follows from “{a}” alone, and the check with “{b}” agrees with it.",
    "Putting the steps together settles {t}, and reading the question again shows that nothing was left out.",
    "Therefore only one possibility is consistent with everything that was said about {t}.",
    "As a last check, running it the other way round from “{b}” leads back to where we started.",
];

pub(super) const RETRIEVAL_OPENINGS: &[&str] = &[
    "According to what was supplied about {t}, the answer can be given directly.",
    "The text answers this where it turns to “{a}”.",
    "Here is what the source says on {t}, and nothing beyond it.",
    "Two places speak to this: one on “{a}” and one on “{b}”.",
    "I looked for “{a}” in what you supplied, and it is addressed explicitly.",
    "In short, and only from the material at hand on {t}:",
];

pub(super) const RETRIEVAL: &[&str] = &[
    "That answers the part about “{a}” without any need to infer.",
    "Nothing elsewhere in the text contradicts it, and the mention of “{b}” is in keeping with it.",
    "The wording is specific: it ties “{a}” to “{b}” and to nothing else.",
    "For {t} this is stated as a fact and not as an estimate.",
    "The surrounding lines give the reason, namely how “{a}” bears on “{b}”.",
    "The source gives no figure beyond this one, so I do not add any.",
    "Anything further about “{b}” would go beyond what was supplied.",
    "Read together with the remark on “{a}”, the meaning is plain.",
    "Where it speaks of “{b}”, it limits the claim to the case that you ask about.",
    "The date and the place given for {t} fit this as well.",
];

pub(super) const RETRIEVAL_ENDS: &[&str] = &[
    "That is all the source has to say on {t}; the rest is left open there.",
    "In one line: “{a}” is answered by the text, and “{b}” is the reason it gives.",
    "So the answer rests on the quoted lines alone.",
];

pub(super) const WRITING_OPENINGS: &[&str] = &[
    "On the morning when {t} came up again, nobody expected it to matter for long.",
    "There is a moment, just before “{a}” turns into “{b}”, that deserves more attention than it gets.",
    "Let me begin with something plain: {t} has been on our minds for a while.",
    "Dear all, a few lines about {t}, as promised, and no longer than they need to be.",
    "**{t}**: a draft, meant to be read aloud once before it is changed.",
    "Nobody ever thanks you for “{a}”, and that is exactly where this begins.",
];

pub(super) const WRITING: &[&str] = &[
    "It started with “{a}”, the way such things do, quietly and with the door left open.",
    "What stays with me is how “{b}” changed the light in the room without anyone getting up.",
    "You have carried “{a}” through a season that offered few reasons to, and it has not gone unseen.",
    "Short words carry this best: “{a}” first, then “{b}”, then a pause.",
    "By evening the talk had come round to {t}, and for once nobody looked at the clock.",
    "We do not promise everything; we promise “{a}”, on time, and a person who picks up the phone.",
    "There was a smell of rain, and of something that “{b}” had left behind.",
    "If there is one thing to take from {t}, let it be that small and regular beats grand and late.",
    "She folded the note about “{a}” twice and put it where it would be found.",
    "Here is what changes for you: “{b}” becomes simpler, and “{a}” no longer waits for a signature.",
    "And yet, under the noise, “{a}” kept its own slow time.",
    "The plan is plain enough to fit on a card, and “{b}” is the first line of it.",
    "Ask anyone who was there about {t} and they will lower their voice before they smile.",
    "It is not a loud thing, “{b}”, but it lasts.",
];

pub(super) const WRITING_ENDS: &[&str] = &[
    "And that, in the end, is what {t} was always going to be about.",
    "With thanks, and with the kettle on,",
    "Tomorrow it will be “{b}” again, and we will be ready for it.",
    "I would keep the last line as it is, and cut the second if it has to be shorter.",
];

pub(super) const OTHER_OPENINGS: &[&str] = &[
    "Good question; with {t} a few simple things make most of the difference.",
    "Here is what I would do about {t}, in the order in which it pays off.",
    "The easiest way into {t} is to begin with “{a}” and leave the rest for later.",
    "Happy to help with {t}.",
    "For {t} I would keep it small: one thing today, one thing next week.",
    "In a nutshell, “{a}” matters most here and “{b}” can wait.",
];

pub(super) const OTHER: &[&str] = &[
    "Begin with “{a}”, since it costs nothing and tells you at once whether you are on the right track.",
    "Set aside a fixed quarter of an hour for “{b}”; what has a time gets done.",
    "Ask someone who has dealt with {t} before, and listen for what they would not do again.",
    "If “{a}” and “{b}” get in each other's way, give “{a}” the first turn.",
    "Keep a note of what you tried about {t}, so that you do not try it twice.",
    "A cheap version of “{b}” is fine to begin with; you will know later what is worth more.",
    "Watch out for the common trap of doing everything about {t} at once.",
    "Weather, season and mood all play into “{a}”, so give it a second chance on another day.",
    "For two or three people this works as it is; for more, double “{b}” and begin earlier.",
    "Should “{a}” not be at hand, nearly anything similar will do.",
    "Locals tend to do “{b}” early in the morning, and they have a point.",
    "It helps to decide beforehand when {t} is good enough.",
];

pub(super) const OTHER_ENDS: &[&str] = &[
    "If you tell me a little more about “{a}”, I can be more exact about {t}.",
    "Enjoy, and do not worry about getting “{b}” right at the first try.",
    "That should get you a long way with {t}.",
];

pub(super) const CODING_OPENINGS: &[&str] = &[
    "Here is a compact version for {t}.",
    "The safest approach to {t} is a small function with one responsibility.",
    "The bug hides where “{a}” meets “{b}”; the version below makes that explicit.",
    "I would write {t} like this, with the edge cases first:",
    "A direct solution for {t}, without dependencies:",
    "Two things matter for {t}: correct handling of the empty case, and a single pass over the data.",
];

pub(super) const CODING_NOTES: &[&str] = &[
    "It runs in linear time, since each “{a}” is looked at once.",
    "The empty input is handled before the loop, so “{b}” never sees it.",
    "Errors are returned and not swallowed, so a caller of {t} can decide.",
    "I kept “{a}” out of the signature on purpose; it can be added without breaking callers.",
    "A test should cover an empty input, one element, duplicates of “{b}”, and the largest size you expect.",
    "If {t} is called often, keep the lookup table between the calls.",
    "Ties between “{a}” and “{b}” keep their order, which makes the output repeatable.",
    "Nothing here allocates inside the loop except for the result itself.",
    "The name says what it returns; comments are left for why.",
    "For concurrent use, guard “{b}” or give each worker its own copy.",
    "The original failed because it changed “{a}” while iterating over it.",
];

pub(super) const CODING_ENDS: &[&str] = &[
    "Run it once on your own data for {t} before you rely on it.",
    "With that, “{a}” and “{b}” are both covered by the tests above.",
    "If you need it for larger inputs, the same shape works as a stream.",
];
