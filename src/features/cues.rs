//! What words say about a prompt's intent: phrases with weights, in English (other languages are in
//! `cues_abroad.rs`). A phrase is lower-case words with single spaces; `*` at the end of a word matches any
//! ending; phrases of one row are parted by `|`. The first words of a prompt count double (see `intent`),
//! which is why verbs of the task are here even where they are common.
//!
//! Weights are in quarters of a sure sign: 4 nearly decides alone, 1 leans.

use crate::domain::context::Intent::{self, Coding, Other, Reasoning, Retrieval, Writing};

/// Intent, weight, phrases.
pub(super) const CUES: &[(Intent, u8, &str)] = &[
    // Languages and tools.
    (Coding, 4, "python|javascript|typescript|golang|c++|c#|php|sql|shell script|bash script|powershell|regex*"),
    (Coding, 4, "regular expression*|dockerfile|docker compose|github action*|nginx|webpack|pytest|cargo test|npm"),
    (Coding, 4, "java|kotlin|haskell|perl|postgres*|mysql|sqlite|html|css|bash|django|flask|numpy|api endpoint"),
    (Coding, 3, "makefile|node js|nodejs|vue|angular|terraform|kubectl|redis|mongodb|graphql|rest api|tailwind"),
    (
        Coding,
        3,
        "aws|s3|azure|dynamodb|oauth|jwt|ssh|cron|crontab|awk|pip|maven|gradle|flutter|xcode|excel formula|vba",
    ),
    (Coding, 3, "exit code|stdout|build fails|detached head|port this to|matlab|lua|dart|unit testing|http request*"),
    (Coding, 2, "rust|scala|ruby|swift|react|pandas|docker|kubernetes|yaml|json|csv|xml|git|curl|linux|vim|regexp"),
    // Things and deeds of programming.
    (
        Coding,
        4,
        "write a function|write a program|python function|unit test*|refactor*|stack trace|traceback|segfault*",
    ),
    (Coding, 4, "null pointer|nullpointer*|borrow checker|syntax error|merge conflict*|type hint*|memory leak*"),
    (Coding, 4, "source code|this code|my code|the code|pull request|code review"),
    (
        Coding,
        3,
        "code|debug*|linter|lifetime error*|binary search|linked list|hash map|hashmap|tuple*|struct|implement",
    ),
    (Coding, 3, "mutex|function that|function to|function which|function in|a class that|for loop|while loop"),
    (
        Coding,
        3,
        "the compiler|compile error*|race condition|foreign key|commit|rebase|async|await|thread safe|callback",
    ),
    (Coding, 3, "docstring*|command line|cli tool|data structure*|type error|stack overflow"),
    (
        Coding,
        2,
        "trigger|loop|pointer|socket|cache|lambda|module|dependency|dependencies|package|library|runner|login page",
    ),
    (
        Coding,
        2,
        "recursive|sorting|in a list|hash|heap|runtime|times out|timeout|header|cookie|install|kernel|parse|parser",
    ),
    (
        Coding,
        2,
        "script|test case*|bug|exception|compil*|algorithm|array|arrays|recursion|endpoint|decorator|deadlock*",
    ),
    (
        Coding,
        2,
        "a process|a thread|on linux|in linux|log files|logs|time complexity|cli|an array|a string|given string|given list|the index|server|deploy*|branch|repo*",
    ),
    (Coding, 2, "a dictionary|the pod|backend|frontend|sorted list|heapsort|quicksort|variable|variables|boolean"),
    (Coding, 1, "function|program|string|integer|class|method|implement*|query|database|migration|returns|list|index"),
    // Mathematics.
    (Reasoning, 4, "prove that|solve for|differentiate|integrate|square root|find the derivative|eigenvalue*"),
    (Reasoning, 3, "prove|proof|show that|theorem|solve|equation*|integral|derivative|probability|calculate"),
    (
        Reasoning,
        3,
        "what percent*|average speed|find the value|find the degree|find the area|polynomial*|expected value",
    ),
    (Reasoning, 3, "determinant|factorial|divisible by|greatest common|least common|what comes next|next number"),
    (Reasoning, 2, "compute|how fast|in total|altogether|twice as|times as|half as|per hour|matrix"),
    (
        Reasoning,
        3,
        "simplify|justify|median|diagonal|surface area|volume of|prime|the chance|factorise|factorize|ratio of",
    ),
    (
        Reasoning,
        2,
        "even number*|angle|proportion|interest rate|marbles|coins|urn|deck of cards|balls|rounded to|dollars|cents",
    ),
    (
        Reasoning,
        2,
        "in front of|behind|left of|right of|who is last|who is first|who sits|is last|heavier|every|if today|began on",
    ),
    (
        Reasoning,
        2,
        "triangle|rectangle|prime number*|modulo|remainder|permutation*|arithmetic|dice|a fair coin|discount",
    ),
    (
        Reasoning,
        2,
        "total amount|total number|combined|on average|the average|increased by|difference between the ages",
    ),
    (
        Reasoning,
        2,
        "km h|mph|left over|sum of|product of|slope|vertices|radius|perimeter|congruent|odd numbers|velocity",
    ),
    (Reasoning, 1, "evaluate|percent|each|per day|remaining|find the|combinations|geometric|a third"),
    (
        Reasoning,
        1,
        "a quarter|half of|twice|cost|costs|minutes|hours|price|faster|slower|measure|pounds|feet|miles|years old",
    ),
    // Logic, common sense and planning.
    (Reasoning, 4, "must be true|knights and knaves|deductively valid|valid or invalid|tells the truth|does it follow"),
    (Reasoning, 4, "most plausible|plausible continuation|best continuation|fills the blank|fill in the blank"),
    (Reasoning, 4, "complete the sentence|the antecedent|what can we conclude|what can be concluded|adjective order"),
    (
        Reasoning,
        3,
        "step by step|each step|puzzle|riddle|deduce|if all|if no|valid argument|argument valid|make a plan",
    ),
    (Reasoning, 3, "minimum number|least number|is plausible|lies|lied|therefore|it follows|explain your reasoning"),
    (Reasoning, 3, "plan a route|minimi*|maximi*|about causation|alphabetically|which day|what day|the premises"),
    (Reasoning, 2, "logic*|deduc*|infer|contradict*|true or false|schedule|optimal|trade offs|tradeoffs"),
    (Reasoning, 3, "what is the date|the pronoun|who is the oldest|the father of|the mother of|belong with the others"),
    (Reasoning, 2, "which option|cheaper|cheapest|older than|taller than|younger than|as old as|turn left|turn right"),
    (
        Reasoning,
        2,
        "some of the|not true|not false|true and|false and|true or|false or|mm dd yyyy|a week from|days from",
    ),
    (
        Reasoning,
        1,
        "reason|decide|switch|switches|plan|optimi*|strategy|most likely|what happens next|together|in order|order|beat",
    ),
    // Supplied documents.
    (
        Retrieval,
        4,
        "according to the|according to section|does the document|does the report|using only the|the passage below",
    ),
    (
        Retrieval,
        4,
        "document only|quote the line|quote the sentence|read the text|read the passage|read the following passage|from the text|from the notes|named entities",
    ),
    (Retrieval, 3, "based on the|the document|this document|the passage|the following passage|the text above"),
    (
        Retrieval,
        3,
        "the text below|context:|the transcript|the excerpt|the sources|cite|look up|meeting notes|pull out",
    ),
    (Retrieval, 3, "extract all|extract the|this invoice|mentioned in|the invoice"),
    (
        Retrieval,
        2,
        "according to|the article|the context|the report|the contract|the manual|citation*|extract|attached",
    ),
    (Retrieval, 2, "the policy|the table|in the text|i pasted|the reviews|identify the"),
    (Retrieval, 1, "the notes|quote|search|below"),
    // Facts.
    (Retrieval, 4, "what year|which year|what is the capital|what causes|who discovered|who painted"),
    (
        Retrieval,
        3,
        "difference between|stand for|stands for|what were|examples of|chemical formula|the transcript above|year did",
    ),
    (Retrieval, 3, "who is|who was|who wrote|who invented|who holds|who won|when did|when was|where is|where was"),
    (Retrieval, 3, "capital of|which country|definition of|how tall|atomic number|explain how"),
    (
        Retrieval,
        3,
        "tell me about|is it true|overview of|history of|what are the symptoms|what does the term|meaning of",
    ),
    (
        Retrieval,
        3,
        "is best described|how far is|how big is|how old is|what currency|why is the|why are|why do|why does",
    ),
    (Retrieval, 3, "how does|how did|what happened|which of these|list the members|the concept of"),
    (Retrieval, 2, "who|where are|where did|population|what was|which of the following|define|list the|name the"),
    (
        Retrieval,
        2,
        "explain what|explain why|name three|name five|name the five|how old|boiling point|melting point|side effects|symptoms of|causes of",
    ),
    (
        Retrieval,
        2,
        "how do|what's the|the largest|the longest|the highest|the tallest|the oldest|which treaty|the author of",
    ),
    (Retrieval, 2, "how do i get|what kind of|is known as|is called|are called|the purpose of|an example of"),
    (
        Retrieval,
        2,
        "give three examples|examples|here is our|policy|where do|where does|when do|in history|discovered|invented|species",
    ),
    (Retrieval, 2, "how to|how do you|types of|legal|capital|members of|in medicine|in law|is it safe|can you take"),
    (
        Retrieval,
        1,
        "when|what is|what are|what does|which|in what|latest|explain|refers to|describe the|what|where|why",
    ),
    // Prose.
    (Writing, 4, "essay|write an essay|poem|haiku|sonnet|limerick|short story|cover letter|blog post|press release"),
    (Writing, 4, "product description|tagline*|slogan*|lyrics|screenplay|rephrase|reword|paraphrase|proofread|eulogy"),
    (
        Writing,
        4,
        "resignation letter|write a letter|write an email|write a speech|linkedin post|sound less|sounds more",
    ),
    (
        Writing,
        4,
        "sound more|tl;dr|tldr|tl dr|tweet*|opening paragraph|fix the grammar|correct the grammar|plain english",
    ),
    (
        Writing,
        4,
        "translate|wedding toast|travel blog|into german|into spanish|into french|into english|continue the story",
    ),
    (
        Writing,
        4,
        "thank you note|note to|flow better|condense|fairy tale|check my spelling|spelling|instagram|obituary|memo",
    ),
    (
        Writing,
        4,
        "birthday card|greeting card|postcard|monologue|subject line|job description|diary entry|fable|wedding vows",
    ),
    (
        Writing,
        3,
        "catchy|pitch|one sentence|put this into|complaint to|a complaint|expand this|an introduction|concise|flyer",
    ),
    (
        Writing,
        3,
        "brochure|biography|testimonial|parody|rap|verse|stanza|synonym*|metaphor*|bedtime story|tale|ghostwrite",
    ),
    (
        Writing,
        3,
        "story|email|e mail|speech|headline*|newsletter|announcement|caption|draft|rewrite|edit this|edit the",
    ),
    (Writing, 3, "summari*|shorten|compose|persuasive|invitation|in the style of|grammar|craft|titles for|outline for"),
    (Writing, 3, "a letter|letter to|bullet points|into a paragraph|a paragraph|edit for|these notes|make this sound"),
    (Writing, 3, "apology to|a reply to|reply to this|a post|an intro|this bio|a toast|novel set|write a review"),
    (Writing, 2, "dialogue|blog|song|scene|paragraph|polish|tone|write a|write an|write me|apolog*|bedtime"),
    (Writing, 2, "review of|in two sentences|in three sentences|words long|wording|a short|character who|a thank you"),
    (Writing, 1, "novel|write|describe|formal|friendly|funny|polite|cheerful|professional|essay on"),
    // Talk, opinion, advice.
    (Other, 4, "hello|hi|hey|yo|thanks|thank you|good morning|good night|good evening|how are you|what can you do"),
    (Other, 4, "tell me a joke|something funny|let us chat|let's chat|let's play|stay in character|are you there"),
    (Other, 4, "what's up|whats up|lol|haha|knock knock|never mind|nevermind|try again|that worked|you help me with"),
    (Other, 4, "do you like|do you prefer|your opinion|would you do|if you were|from now on you are|anyone there"),
    (
        Other,
        3,
        "joke|i feel|i'm feeling|i am feeling|what do you think|your favourite|your favorite|role play|ideas for",
    ),
    (Other, 3, "i'm so|i am so|i need some|cheer me up|should i|should we|recommend|suggest a|i don't know what to"),
    (Other, 3, "my best friend|my boss|my girlfriend|my boyfriend|what should i|where should we|guess|is it weird"),
    (
        Other,
        3,
        "favorite|favourite|sounds good|let's continue|help me decide|you're wrong|keep a secret|what shall i|i just got",
    ),
    (
        Other,
        3,
        "a fun|weekend trip|i'm nervous|i am nervous|i love|i hate|i miss|my wife|my husband|my mom|my dad|congrat*",
    ),
    (
        Other,
        3,
        "is it worth|is it a good idea|how do i|what can i|what could i|where should i|why does my|is that normal",
    ),
    (Other, 2, "advice|sad|tired|anxious|excited|nervous|proud|happy|my daughter|my son|my friend*|to wear"),
    (
        Other,
        3,
        "a gift|birthday present|a movie|to watch|to name my|similar to|you are a|assume the role|imagine yourself",
    ),
    (Other, 2, "bored|pretend|gift|any ideas|great|awesome|cool|i had a|i can't|lonely|motivation|stressed|you are my"),
    (Other, 2, "which is better|act as|first date|honeymoon|puppy|weekend|tonight"),
];
