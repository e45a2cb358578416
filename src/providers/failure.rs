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

use crate::domain::failure::{Failure, FailureClass};
use crate::domain::text::{cut, one_line};

pub(super) use super::complaint::Complaint;
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
    /// The endpoint that `url` is at, and the key that it is sent.
    pub(super) fn at(url: &reqwest::Url, key: Option<Secret>) -> Self {
        let port = url.port().map_or_else(String::new, |port| format!(":{port}"));
        Self { host: format!("{}{port}", url.host_str().unwrap_or_default()), key }
    }

    /// A failure whose message starts with the host.
    pub(super) fn failure(&self, class: FailureClass, kind: &'static str, what: &str) -> Failure {
        Failure::new(class, kind, format!("{} {what}", self.host))
    }

    /// `text` without the key that the endpoint was sent.
    pub(super) fn without_key<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.key.as_ref().map_or(Cow::Borrowed(text), |key| key.scrub(text))
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
            let (kind, why) = match tls {
                rustls::Error::InvalidCertificate(fault) => ("certificate", distrust(fault)),
                other => ("tls", other.to_string()),
            };
            let what = format!("cannot be reached safely: {why}; check `base_url` and the endpoint's certificate");
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

/// Why a certificate is not trusted.
fn distrust(fault: &rustls::CertificateError) -> String {
    use rustls::CertificateError::{
        Expired, ExpiredContext, NotValidForName, NotValidForNameContext, NotValidYet, NotValidYetContext, Other,
        UnknownIssuer,
    };
    let why = match fault {
        Expired | ExpiredContext { .. } => "its certificate has expired",
        NotValidYet | NotValidYetContext { .. } => "its certificate is not valid yet (is this machine's clock right?)",
        NotValidForName | NotValidForNameContext { .. } => "its certificate is for another host",
        UnknownIssuer => "its certificate is by an authority that this machine does not trust",
        // The verifier's own error, of a type that is not to be had here: a certificate that signed itself.
        Other(own) if format!("{own:?}").contains("CaUsedAsEndEntity") => {
            "its certificate is by an authority that this machine does not trust: it is an authority's own (self-signed?)"
        }
        other => return format!("its certificate is not valid: {other}"),
    };
    why.to_owned()
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

/// The table of section "failures" of the design. Words beat the number: a used-up quota comes as 429.
fn classify(status: u16, complaint: &Complaint) -> (FailureClass, Cow<'static, str>) {
    use FailureClass::{Caller, Configuration, Content, Quota, Transient};
    if complaint.is_quota() {
        return (Quota, Cow::Borrowed("insufficient_quota"));
    }
    if complaint.is_context_length() {
        return (Caller, Cow::Borrowed("context_length"));
    }
    if complaint.is_filter() {
        return (Content, Cow::Borrowed("content_filter"));
    }
    if status != 404 && complaint.is_about_the_model() {
        return (Configuration, Cow::Borrowed("http_404"));
    }
    if status == 400 && complaint.is_authentication() {
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

    /// The verifier's error of that name.
    #[derive(Debug, thiserror::Error)]
    #[error("odd")]
    struct CaUsedAsEndEntity;

    #[test]
    fn a_certificate_that_signed_itself_is_put_in_words() {
        let own = rustls::CertificateError::Other(rustls::OtherError(std::sync::Arc::new(CaUsedAsEndEntity)));
        let why = distrust(&own);
        assert!(why.contains("does not trust") && why.contains("self-signed") && !why.contains("Other"), "{why}");
    }

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
