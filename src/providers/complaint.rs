//! What an endpoint says about its own failure, in any of the forms that endpoints have for it, and what its
//! words stand for. What it quotes of the request is not its own word: whoever asks could otherwise have an
//! arm taken out by asking in the right words. Which class that makes is for `failure.rs`.

use serde_json::Value;

/// What an endpoint said about its own failure.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Complaint {
    /// Its `code` and `type`, in lower case.
    pub(super) words: Vec<String>,
    /// The field of the request that it objects to.
    pub(super) param: Option<String>,
    /// A status that it gave as a number.
    number: Option<u16>,
    /// Its message, as it came.
    pub(super) message: String,
    /// It came in a form that we know: the endpoint itself said it.
    known: bool,
    /// It lists what it found in the request, word for word: its phrases are the caller's, not the endpoint's.
    quotes_request: bool,
}

impl Complaint {
    /// The complaint in a response's body, whatever that is.
    pub(super) fn in_body(body: &str) -> Self {
        let trimmed = body.trim_start();
        if trimmed.starts_with('<') {
            return Self { message: "an HTML page, which no model sends".to_owned(), ..Self::default() };
        }
        let json = serde_json::from_str::<Value>(trimmed).ok();
        json.and_then(|value| Self::in_json(&value)).unwrap_or_else(|| Self::of_message(body))
    }

    /// The complaint in a JSON value; `None` where it is none. Known forms: `{"error": {…}}` or a text
    /// there (OpenAI, Ollama), the same as the only element of a list (Gemini), `{"object": "error", …}`
    /// (vLLM), `{"detail": …}` (`FastAPI`).
    pub(super) fn in_json(value: &Value) -> Option<Self> {
        if let Some([only]) = value.as_array().map(Vec::as_slice) {
            return Self::in_json(only);
        }
        let of_text = |message: &str| Some(Self { known: true, ..Self::of_message(message) });
        match value.get("error") {
            Some(Value::String(message)) => return of_text(message),
            Some(error @ Value::Object(_)) => return Some(Self::of_object(error)),
            _ => {}
        }
        if value.get("object").and_then(Value::as_str) == Some("error") || value.get("type") == Some(&"error".into()) {
            return Some(Self::of_object(value));
        }
        let detail = value.get("detail").or_else(|| value.get("message")).filter(|_| value.get("choices").is_none())?;
        match detail {
            Value::String(message) => of_text(message),
            list => of_text(&list.to_string()).map(|complaint| Self { quotes_request: true, ..complaint }),
        }
    }

    pub(super) fn of_message(message: &str) -> Self {
        Self { message: message.to_owned(), ..Self::default() }
    }

    fn of_object(error: &Value) -> Self {
        let word = |name: &str| error.get(name).and_then(Value::as_str).map(str::to_ascii_lowercase);
        let number = |name: &str| error.get(name).and_then(Value::as_u64).and_then(|n| u16::try_from(n).ok());
        let message = error.get("message").and_then(Value::as_str);
        Self {
            words: ["code", "type", "status"].into_iter().filter_map(word).collect(),
            param: error.get("param").and_then(Value::as_str).map(str::to_owned),
            number: number("code").or_else(|| number("status")),
            message: message.map_or_else(|| error.to_string(), str::to_owned),
            known: true,
            quotes_request: false,
        }
    }

    /// Whether the endpoint itself complained, in a form that we know: more than some text or page.
    pub(super) const fn is_of_its_own(&self) -> bool {
        self.known
    }

    fn says(&self, any_of: &[&str]) -> bool {
        self.words.iter().any(|word| any_of.contains(&word.as_str()))
    }

    fn mentions(&self, any_of: &[&str]) -> bool {
        let message = self.message.to_ascii_lowercase();
        !self.quotes_request && any_of.iter().any(|phrase| message.contains(phrase))
    }

    /// The HTTP status that this complaint stands for, where it came without one.
    pub(super) fn status(&self) -> Option<u16> {
        let digits = || self.words.iter().find_map(|word| word.parse().ok());
        let named = || STATUS_OF_WORD.iter().find(|(word, _)| self.says(&[word])).map(|(_, status)| *status);
        let special = || (self.is_quota() || self.is_context_length() || self.is_filter()).then_some(400);
        self.number.or_else(digits).filter(|n| (400..600).contains(n)).or_else(named).or_else(special)
    }

    /// Money or a quota is used up.
    pub(super) fn is_quota(&self) -> bool {
        const WORDS: [&str; 6] = [
            "insufficient_quota",
            "billing_hard_limit_reached",
            "billing_not_active",
            "billing_error",
            "insufficient_balance",
            "enforced_spend_limit_reached",
        ];
        self.says(&WORDS) || self.mentions(&["exceeded your current quota", "credit balance is too low"])
    }

    /// The request is longer than the model reads.
    pub(super) fn is_context_length(&self) -> bool {
        const PHRASES: [&str; 6] = [
            "maximum context length",
            "exceed context limit",
            "context_length_exceeded",
            "prompt is too long",
            "exceeds the available context size",
            "exceeds the context window",
        ];
        self.says(&["context_length_exceeded", "exceed_context_size_error"]) || self.mentions(&PHRASES)
    }

    /// A wrong key: some endpoints answer it as a bad request (`LiteLLM`, Gemini, xAI), which no change of the
    /// request mends.
    pub(super) fn is_authentication(&self) -> bool {
        const WORDS: [&str; 5] =
            ["invalid_api_key", "authentication_error", "auth_error", "authenticationerror", "unauthenticated"];
        const PHRASES: [&str; 5] = [
            "incorrect api key provided",
            "api key not valid",
            "invalid api key",
            "authentication error, ",
            "invalid proxy server token",
        ];
        self.says(&WORDS) || self.mentions(&PHRASES)
    }

    /// A filter of the endpoint objects.
    pub(super) fn is_filter(&self) -> bool {
        self.says(&["content_filter", "content_policy_violation", "responsibleaipolicyviolation"])
            || self.mentions(&["input was flagged", "content management policy"])
    }

    /// The endpoint has no such model.
    pub(super) fn is_about_the_model(&self) -> bool {
        self.says(&["model_not_found", "model_decommissioned"])
    }
}

/// Error names of OpenAI, Anthropic, Gemini, `OpenRouter`, vLLM and llama.cpp, and the status they come with.
const STATUS_OF_WORD: [(&str, u16); 25] = [
    ("invalid_request_error", 400),
    ("badrequesterror", 400),
    ("invalid_argument", 400),
    ("invalid_api_key", 401),
    ("authentication_error", 401),
    ("auth_error", 401),
    ("unauthenticated", 401),
    ("billing_error", 402),
    ("permission_error", 403),
    ("permission_denied", 403),
    ("model_not_found", 404),
    ("not_found_error", 404),
    ("request_too_large", 413),
    ("rate_limit_exceeded", 429),
    ("rate_limit_error", 429),
    ("too_many_requests", 429),
    ("resource_exhausted", 429),
    ("server_error", 500),
    ("internal_error", 500),
    ("internalservererror", 500),
    ("api_error", 500),
    ("service_unavailable", 503),
    ("unavailable", 503),
    ("timeout_error", 504),
    ("overloaded_error", 529),
];
