//! From what an endpoint said, or how it failed to, to one [`Failure`]: the class says what to do, the
//! kind what it was, the message which setting to mend. An error inside a stream that began well is
//! classified by the same table as an HTTP status, since endpoints put the same codes there.
//!
//! Whatever comes from outside is scrubbed of the key and of control characters, and cut, before it
//! becomes part of a message.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use serde_json::Value;

use crate::domain::failure::{Failure, FailureClass};
use crate::domain::text::{cut, one_line};

use super::secret::{Secret, scrub};

/// The longest part of an endpoint's own words in a message, in bytes.
const LONGEST_QUOTE: usize = 300;

/// Who failed, as messages name it, and what must not be in them.
#[derive(Clone, Debug)]
pub(super) struct Endpoint {
    /// Host and port.
    pub(super) host: String,
    pub(super) key: Option<Secret>,
}

impl Endpoint {
    /// A failure whose message starts with the host.
    pub(super) fn failure(&self, class: FailureClass, kind: &'static str, what: &str) -> Failure {
        Failure::new(class, kind, format!("{} {what}", self.host))
    }

    /// The endpoint's words, fit to show.
    pub(super) fn quote(&self, words: &str) -> String {
        let safe = one_line(&scrub(words, self.key.as_ref()));
        let (short, was_cut) = cut(safe.trim(), LONGEST_QUOTE);
        if was_cut { format!("{short}…") } else { short.to_owned() }
    }

    /// What a response other than a stream means.
    pub(super) fn answered(&self, status: u16, complaint: &Complaint, retry_after: Option<Duration>) -> Failure {
        let (class, kind) = classify(status, complaint);
        let said = self.quote(&complaint.message);
        let said = if said.is_empty() { String::new() } else { format!(": {said}") };
        let message = format!("{} answered {status}{said}{}", self.host, advice(class, &kind, status));
        Failure { class, kind, message, retry_after, should_retry: None }
    }

    /// What an error object inside a stream means.
    pub(super) fn complained(&self, complaint: &Complaint) -> Failure {
        let said = self.quote(&complaint.message);
        let Some(status) = complaint.status() else {
            let what = format!("answered with an error: {said}");
            return self.failure(FailureClass::Transient, "stream_error", &what);
        };
        let (class, kind) = classify(status, complaint);
        let message = format!("{} answered with an error: {said}{}", self.host, advice(class, &kind, status));
        Failure { class, kind, message, retry_after: None, should_retry: None }
    }

    /// What an error of the transport before the response means.
    pub(super) fn unreachable(&self, fault: &reqwest::Error) -> Failure {
        use FailureClass::{Configuration, Transient};
        if let Some(tls) = cause::<rustls::Error>(fault) {
            let kind = if matches!(tls, rustls::Error::InvalidCertificate(_)) { "certificate" } else { "tls" };
            let what = format!("cannot be reached safely: {tls}; check `base_url` and the endpoint's certificate");
            return self.failure(Configuration, kind, &what);
        }
        let (kind, what) = match () {
            () if fault.is_connect() && fault.is_timeout() => ("connect_timeout", "took too long to connect"),
            () if fault.is_dns() => ("dns", "could not be found by name; check `base_url`"),
            () if fault.is_connect() => ("connect", "refused the connection; is it running?"),
            () if fault.is_timeout() => ("timeout", "took too long"),
            () => ("reset", "closed the connection before it answered"),
        };
        self.failure(Transient, kind, what)
    }

    /// What an error of the transport inside an answer means.
    pub(super) fn interrupted(&self, fault: &reqwest::Error) -> Failure {
        let reset = cause::<io::Error>(fault).is_some_and(|io| io.kind() == io::ErrorKind::ConnectionReset);
        let kind = if reset { "reset" } else { "truncated" };
        self.failure(FailureClass::Transient, kind, "broke the connection in the middle of its answer")
    }
}

/// The cause of type `T` behind `fault`; an [`io::Error`] hides what it wraps from `source`.
fn cause<'a, T: StdError + 'static>(fault: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    let mut next = Some(fault);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = wrapped.map(|inner| inner as &(dyn StdError + 'static)).or_else(|| error.source());
    }
    None
}

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
    fn status(&self) -> Option<u16> {
        let digits = || self.words.iter().find_map(|word| word.parse().ok());
        let named = || STATUS_OF_WORD.iter().find(|(word, _)| self.says(&[word])).map(|(_, status)| *status);
        let special = || (is_quota(self) || is_context_length(self) || is_filter(self)).then_some(400);
        self.number.or_else(digits).filter(|n| (400..600).contains(n)).or_else(named).or_else(special)
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

fn is_quota(complaint: &Complaint) -> bool {
    const WORDS: [&str; 6] = [
        "insufficient_quota",
        "billing_hard_limit_reached",
        "billing_not_active",
        "billing_error",
        "insufficient_balance",
        "enforced_spend_limit_reached",
    ];
    complaint.says(&WORDS) || complaint.mentions(&["exceeded your current quota", "credit balance is too low"])
}

fn is_context_length(complaint: &Complaint) -> bool {
    const PHRASES: [&str; 5] = [
        "maximum context length",
        "context_length_exceeded",
        "prompt is too long",
        "exceeds the available context size",
        "exceeds the context window",
    ];
    complaint.says(&["context_length_exceeded", "exceed_context_size_error"]) || complaint.mentions(&PHRASES)
}

/// A wrong key: some endpoints answer it as a bad request (`LiteLLM`, Gemini, xAI), which no change of the
/// request mends.
fn is_authentication(complaint: &Complaint) -> bool {
    const WORDS: [&str; 5] =
        ["invalid_api_key", "authentication_error", "auth_error", "authenticationerror", "unauthenticated"];
    const PHRASES: [&str; 5] = [
        "incorrect api key provided",
        "api key not valid",
        "invalid api key",
        "authentication error, ",
        "invalid proxy server token",
    ];
    complaint.says(&WORDS) || complaint.mentions(&PHRASES)
}

fn is_filter(complaint: &Complaint) -> bool {
    complaint.says(&["content_filter", "content_policy_violation", "responsibleaipolicyviolation"])
        || complaint.mentions(&["input was flagged", "content management policy"])
}

/// The table of section "failures" of the design. Words beat the number: a used-up quota comes as 429.
fn classify(status: u16, complaint: &Complaint) -> (FailureClass, Cow<'static, str>) {
    use FailureClass::{Caller, Configuration, Content, Quota, Transient};
    if is_quota(complaint) {
        return (Quota, Cow::Borrowed("insufficient_quota"));
    }
    if is_context_length(complaint) {
        return (Caller, Cow::Borrowed("context_length"));
    }
    if is_filter(complaint) {
        return (Content, Cow::Borrowed("content_filter"));
    }
    if status != 404 && complaint.says(&["model_not_found", "model_decommissioned"]) {
        return (Configuration, Cow::Borrowed("http_404"));
    }
    if status == 400 && is_authentication(complaint) {
        return (Configuration, Cow::Borrowed("http_401"));
    }
    let class = match status {
        300..=399 => return (Configuration, Cow::Borrowed("redirect")),
        401 | 403 | 404 | 405 | 406 | 407 | 410 | 415 | 426 => Configuration,
        402 => Quota,
        408 | 409 | 425 | 429 => Transient,
        400..=499 => Caller,
        _ => Transient,
    };
    (class, Cow::Owned(format!("http_{status}")))
}

/// What a person can do about it.
fn advice(class: FailureClass, kind: &str, status: u16) -> &'static str {
    match (class, status) {
        _ if kind == "redirect" => "; set `base_url` to where it points",
        _ if kind == "http_404" => "; check the arm's `model` and `base_url`",
        _ if kind == "http_401" => "; check the key in the variable named by `api_key_env`",
        (FailureClass::Configuration, 403) => "; check the key in the variable named by `api_key_env`",
        (FailureClass::Configuration, _) => "; check the arm's `base_url`",
        (FailureClass::Quota, _) => "; the account behind `api_key_env` has nothing left to spend",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint() -> Endpoint {
        Endpoint { host: "api.test".to_owned(), key: Some(Secret::new("topsecretkey")) }
    }

    #[test]
    fn statuses_and_bodies() {
        use FailureClass::{Caller, Configuration, Content, Quota, Transient};
        let long = r#"{"error":{"message":"This model's maximum context length is 8192 tokens"}}"#;
        let rows = [
            (301, "", Configuration, "redirect"),
            (400, r#"{"error":{"message":"bad","type":"invalid_request_error"}}"#, Caller, "http_400"),
            (400, long, Caller, "context_length"),
            (400, r#"{"error":{"code":"content_filter","message":"m"}}"#, Content, "content_filter"),
            (400, r#"{"error":{"code":"model_not_found","message":"m"}}"#, Configuration, "http_404"),
            (
                400,
                r#"{"error":{"message":"Authentication Error, Invalid proxy server token passed","type":"auth_error","code":"400"}}"#,
                Configuration,
                "http_401",
            ),
            (
                400,
                r#"[{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT"}}]"#,
                Configuration,
                "http_401",
            ),
            (
                400,
                r#"{"code":"Client specified an invalid argument","error":"Incorrect API key provided: x***y"}"#,
                Configuration,
                "http_401",
            ),
            (400, r#"{"error":{"code":"model_decommissioned","message":"m"}}"#, Configuration, "http_404"),
            (
                422,
                r#"{"detail":[{"msg":"too long","input":"why: incorrect api key provided, exceeded your current quota"}]}"#,
                Caller,
                "http_422",
            ),
            (401, r#"{"error":{"code":"invalid_api_key","message":"no"}}"#, Configuration, "http_401"),
            (402, "", Quota, "http_402"),
            (403, "", Configuration, "http_403"),
            (404, r#"{"detail":"Not Found"}"#, Configuration, "http_404"),
            (405, "", Configuration, "http_405"),
            (408, "", Transient, "http_408"),
            (409, "", Transient, "http_409"),
            (413, "", Caller, "http_413"),
            (422, r#"{"detail":[{"msg":"x"}]}"#, Caller, "http_422"),
            (425, "", Transient, "http_425"),
            (429, "", Transient, "http_429"),
            (429, r#"{"error":{"type":"insufficient_quota","message":"m"}}"#, Quota, "insufficient_quota"),
            (500, r#"{"error":"boom"}"#, Transient, "http_500"),
            (503, "<html>sorry</html>", Transient, "http_503"),
            (529, r#"{"type":"error","error":{"type":"overloaded_error","message":"m"}}"#, Transient, "http_529"),
        ];
        for (status, body, class, kind) in rows {
            let failure = endpoint().answered(status, &Complaint::in_body(body), None);
            assert_eq!((failure.class, failure.kind.as_ref()), (class, kind), "{status} {body}");
        }
    }

    #[test]
    fn errors_inside_a_stream_are_mapped_by_their_code() {
        use FailureClass::{Caller, Configuration, Quota, Transient};
        let rows = [
            (r#"{"error":{"code":502,"message":"upstream"}}"#, Transient, "http_502"),
            (r#"{"error":{"code":"429","message":"slow"}}"#, Transient, "http_429"),
            (r#"{"error":{"type":"overloaded_error","message":"m"}}"#, Transient, "http_529"),
            (r#"{"error":{"type":"insufficient_quota","message":"m"}}"#, Quota, "insufficient_quota"),
            (r#"{"error":{"code":"context_length_exceeded","message":"m"}}"#, Caller, "context_length"),
            (r#"{"error":{"code":"invalid_api_key","message":"m"}}"#, Configuration, "http_401"),
            (r#"{"object":"error","code":400,"message":"m"}"#, Caller, "http_400"),
            (r#"{"error":{"status":"RESOURCE_EXHAUSTED","message":"m"}}"#, Transient, "http_429"),
            (r#"{"error":"out of memory"}"#, Transient, "stream_error"),
            (r#"{"error":{"code":7,"message":"m"}}"#, Transient, "stream_error"),
        ];
        for (text, class, kind) in rows {
            let complaint = Complaint::in_json(&serde_json::from_str(text).unwrap()).unwrap();
            let failure = endpoint().complained(&complaint);
            assert_eq!((failure.class, failure.kind.as_ref()), (class, kind), "{text}");
        }
        let chunk = r#"{"id":"x","choices":[],"error":null}"#;
        assert_eq!(Complaint::in_json(&serde_json::from_str(chunk).unwrap()), None);
    }

    #[test]
    fn messages_say_what_to_mend_and_hold_no_key_and_no_escape() {
        let body = "{\"error\":{\"message\":\"key topsecretkey \\u001b[2J is wrong\"}}";
        let failure = endpoint().answered(401, &Complaint::in_body(body), None);
        assert!(failure.message.contains("api_key_env"), "{}", failure.message);
        assert!(!failure.message.contains("topsecret") && !failure.message.contains('\u{1b}'), "{}", failure.message);
        let huge = endpoint().answered(500, &Complaint::of_message(&"x".repeat(5_000)), None);
        assert!(huge.message.len() < 400);
    }
}
