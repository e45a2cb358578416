//! The table: what endpoints do, one row a fault, by chapters. Timers and what is not an endpoint's fault
//! have chapters of their own.

use std::sync::LazyLock;
use std::time::Duration;

use banditop::domain::failure::FailureClass::{Caller, Configuration, Content, Quota, Transient};
use tokio::net::TcpSocket;

use super::rig::KEY;
use super::server::{Act, answer, delta, ends, json, response, says, stream, usage_and_done};
use super::table::Row;

const WHOLE: &str = "An answer that is whole, in a few words.";

fn chunked(head: &str, body: &[u8], size: usize) -> Act {
    Act::Pieces([head.as_bytes(), b"\r\n", body].concat(), size)
}

fn event_stream(extra: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: text/event-stream\r\n{extra}")
}

/// A port at which nobody listens: it is taken, so that no other row's endpoint is given it.
fn nobody() -> String {
    static TAKEN: LazyLock<(TcpSocket, u16)> = LazyLock::new(|| {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let port = socket.local_addr().unwrap().port();
        (socket, port)
    });
    format!("http://127.0.0.1:{}/v1", TAKEN.1)
}

/// Before and below HTTP.
pub(crate) fn transport() -> Vec<Row> {
    use Act::{Close, Reset, Send};
    let begun = || stream(&says("An answer that"));
    let http10 = answer(WHOLE);
    vec![
        Row::fails("connect refused", [], Transient, "connect", &["refused the connection; is it running?"])
            .at(nobody()),
        Row::fails("DNS failure", [], Transient, "dns", &["no-such-host.invalid could not be found by name"])
            .at("http://no-such-host.invalid/v1"),
        Row::fails("reset before headers", [Reset], Transient, "reset", &["closed the connection before it answered"]),
        Row::fails("closed before headers", [Close], Transient, "reset", &["before it answered"]),
        Row::fails("no HTTP", [Send(b"SSH-2.0-OpenSSH\r\n".to_vec())], Transient, "reset", &["before it answered"]),
        Row::fails("reset mid-stream", [begun(), Reset], Transient, "reset", &["in the middle of its answer"]).once(),
        Row::fails("truncated stream", [begun()], Transient, "truncated", &["no finish reason came"]).once(),
        Row::fails(
            "body shorter than said",
            [response("200 OK", "content-type: text/event-stream\r\ncontent-length: 999\r\n", &says("An answer"))],
            Transient,
            "truncated",
            &["broke the connection in the middle of its answer"],
        )
        .once(),
        Row::fails(
            "broken chunk length",
            [chunked(&event_stream("transfer-encoding: chunked\r\n"), b"zz\r\ndata\r\n", 9000)],
            Transient,
            "truncated",
            &["broke the connection"],
        ),
        Row::fails(
            "TLS asked of who speaks none",
            [response("400 Bad Request", "", "")],
            Configuration,
            "tls",
            &["cannot be reached safely", "check `base_url`"],
        )
        .over_tls(),
        Row::fails(
            "redirect",
            [response("307 Temporary Redirect", "location: http://elsewhere.test/v1\r\n", "")],
            Configuration,
            "redirect",
            &["a redirect to http://elsewhere.test/v1", "set `base_url` to where it points"],
        ),
        Row::served(
            "HTTP/1.0 close",
            [Send(format!("HTTP/1.0 200 OK\r\ncontent-type: text/event-stream\r\n\r\n{http10}").into_bytes())],
            &[WHOLE],
        ),
    ]
}

/// Statuses, and what bodies say beside them.
pub(crate) fn statuses() -> Vec<Row> {
    let error =
        |message: &str, code: &str| serde_json::json!({"error": {"message": message, "code": code}}).to_string();
    let echo = error(&format!("Incorrect API key provided: {KEY}."), "invalid_api_key");
    let plain = |status: &str| [response(status, "", "")];
    let with = |status: &str, headers: &str| [response(status, headers, "")];
    let key = &["check the key in the variable named by `api_key_env`"];
    vec![
        Row::fails("400", [json("400 Bad Request", &error("no", "x"))], Caller, "http_400", &["answered 400: no"]),
        Row::fails("401 that echoes the key", [json("401 Unauthorized", &echo)], Configuration, "http_401", key),
        Row::fails("a wrong key as 400", [json("400 Bad Request", &echo)], Configuration, "http_401", key),
        Row::fails("402", plain("402 Payment Required"), Quota, "http_402", &["has nothing left to spend"]),
        Row::fails("403", plain("403 Forbidden"), Configuration, "http_403", key),
        Row::fails(
            "404 model",
            [json("404 Not Found", &error("The model `bad` does not exist", "model_not_found"))],
            Configuration,
            "http_404",
            &["The model `bad` does not exist", "check the arm's `model` and `base_url`"],
        ),
        Row::fails("408", plain("408 Request Timeout"), Transient, "http_408", &["answered 408"]),
        Row::fails("409", plain("409 Conflict"), Transient, "http_409", &["answered 409"]),
        Row::fails("413", plain("413 Content Too Large"), Caller, "http_413", &["answered 413"]),
        Row::fails("422", [json("422 Unprocessable", r#"{"detail":[{"msg":"odd"}]}"#)], Caller, "http_422", &["odd"]),
        Row::fails("425", plain("425 Too Early"), Transient, "http_425", &["answered 425"]),
        Row::fails(
            "context too long",
            [json("400 Bad Request", &error("maximum context length is 8192 tokens", "context_length_exceeded"))],
            Caller,
            "context_length",
            &["maximum context length is 8192 tokens"],
        ),
        Row::fails(
            "insufficient_quota",
            [json("429 Too Many Requests", &error("used up", "insufficient_quota"))],
            Quota,
            "insufficient_quota",
            &["has nothing left to spend"],
        ),
        Row::fails("429 without a wish", plain("429 Too Many Requests"), Transient, "http_429", &["answered 429"]),
        Row::fails("500", plain("500 Oops"), Transient, "http_500", &["answered 500"]),
        Row::fails("502 with a page", [response("502 Bad", "", "<html>")], Transient, "http_502", &["an HTML page"]),
        Row::fails("503 with Retry-After", with("503 Busy", "retry-after: 9\r\n"), Transient, "http_503", &[])
            .wishing(9_000)
            .once(),
        Row::fails("504", plain("504 Timeout"), Transient, "http_504", &["answered 504"]),
        Row::fails(
            "529",
            [json("529 Overloaded", r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#)],
            Transient,
            "http_529",
            &["answered 529: Overloaded"],
        ),
        Row::fails(
            "an error body in gzip",
            with("503 Busy", "content-encoding: gzip\r\n"),
            Transient,
            "http_503",
            &["something compressed (gzip)"],
        ),
    ]
}

/// What the endpoint says about being asked again, and what is there when it is; and what is no answer yet.
pub(crate) fn recoveries() -> Vec<Row> {
    let plain = |status: &str| [response(status, "", "")];
    let with = |status: &str, headers: &str| [response(status, headers, "")];
    let whole = || vec![stream(&answer(WHOLE))];
    vec![
        Row::fails(
            "503 that asks not to be asked again",
            with("503 Busy", "x-should-retry: false\r\n"),
            Transient,
            "http_503",
            &["answered 503"],
        )
        .once(),
        Row::served("503 once, then an answer", whole(), &[WHOLE]).after(plain("503 Busy").to_vec()),
        Row::served("429 for 20 ms, then an answer", whole(), &[WHOLE])
            .after(with("429 Slow", "retry-after-ms: 20\r\n").to_vec()),
        Row::served("a reset, then an answer", whole(), &[WHOLE]).after(vec![Act::Reset]),
        Row::fails(
            "headers without end",
            [Act::Send(b"HTTP/1.1 200 OK\r\n".to_vec()), Act::Forever(b"x-more: of it\r\n".repeat(99), Duration::ZERO)],
            Transient,
            "reset",
            &["before it answered"],
        ),
        Row::fails("204", plain("204 No Content"), Transient, "not_a_stream", &["sent no event"]),
    ]
}

/// Streams that are odd and good.
pub(crate) fn odd_but_good() -> Vec<Row> {
    let whole = answer("An answer with é and 漢 and 😀, whole.");
    let words: &[&str] = &["An answer with é"];
    let raw = |body: &str| [stream(body)];
    let in_pieces = |size: usize| [chunked(&event_stream(""), whole.as_bytes(), size)];
    let two_lines = format!(
        "data: {{\"choices\":\ndata: [{{\"delta\":{{\"content\":{WHOLE:?}}}}}]}}\n\n{}{}",
        ends("stop"),
        usage_and_done(1, 2)
    );
    let choice = |index: u32, text: &str| {
        format!("data: {{\"choices\":[{{\"index\":{index},\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n")
    };
    let others = ["other ", "words "].map(|text| choice(1, text)).concat();
    let out_of_order =
        format!("{others}{}{others}{}{}", choice(0, "An answer "), choice(0, "that is first"), ends("stop"));
    let other_first = out_of_order
        .replace(&choice(0, "An answer "), &(ends("stop").replace(":0,", ":1,") + &choice(0, "An answer ")));
    vec![
        Row::served("one byte at a time", in_pieces(1), words),
        Row::served(
            "an answer with the key that it was sent",
            raw(&answer(&format!("It was {KEY}, no less."))),
            &["It was [redacted], no less."],
        ),
        Row::served("split inside UTF-8", in_pieces(3), words),
        Row::served("split inside `data:`", in_pieces(7), words),
        Row::served("CRLF", raw(&whole.replace('\n', "\r\n")), words),
        Row::served(
            "CRLF, split in between",
            [chunked(&event_stream(""), whole.replace('\n', "\r\n").as_bytes(), 5)],
            words,
        ),
        Row::served("CR", raw(&whole.replace('\n', "\r")), words),
        Row::served("a byte order mark", raw(&format!("\u{feff}{whole}")), words),
        Row::served("no space after the colon", raw(&whole.replace("data: ", "data:")), words),
        Row::served("data over several lines", raw(&two_lines), &[WHOLE]),
        Row::served(
            "comments and pings",
            raw(&format!(": hi\n\nevent: ping\ndata: {{\"type\":\"ping\"}}\n\n{whole}")),
            words,
        ),
        Row::served("no final newline", raw(&format!("{}{}", says(WHOLE), ends("stop").trim_end())), &[WHOLE]),
        Row::served("no [DONE] after the finish", raw(&format!("{}{}", says(WHOLE), ends("stop"))), &[WHOLE]),
        Row::served("usage missing", raw(&format!("{}{}data: [DONE]\n\n", says(WHOLE), ends("stop"))), &[WHOLE, "~10"]),
        Row::served(
            "10 MB of preview",
            [stream(&says(&"and so on ".repeat(100)).repeat(10_000)), Act::Hold],
            &["and so on"],
        ),
        Row::served("cut at its length", raw(&format!("{}{}", says(WHOLE), ends("length"))), &[WHOLE]),
        Row::served("several choices out of order", raw(&out_of_order), &["An answer that is first"]),
        Row::served("another choice ends first", raw(&other_first), &["An answer that is first"]),
        Row::served(
            "reset after the finish",
            [stream(&format!("{}{}", says(WHOLE), ends("stop"))), Act::Reset],
            &[WHOLE],
        ),
        Row::served("more after the finish", [stream(&format!("{whole}{}", says("more"))), Act::Hold], words),
    ]
}

/// Streams that are no answer.
pub(crate) fn bad_streams() -> Vec<Row> {
    let error = |error: &str| [stream(&format!("{}data: {{\"error\":{error}}}\n\n", says("An answer that")))];
    let megabytes = vec![b'x'; 10 << 20];
    let endless_line = [stream("data: "), Act::Forever(vec![b'x'; 64 << 10], Duration::ZERO)];
    let gzip = [response("200 OK", "content-type: text/event-stream\r\ncontent-encoding: gzip\r\n", "\u{1f}\u{8}")];
    let page = [response("200 OK", "content-type: text/html\r\n", "<html><body>Sign in</body></html>")];
    vec![
        Row::fails(
            "malformed chunk",
            [stream(&format!("{}data: {{\"choi\n\n{}", says("An answer"), answer("whole")))],
            Transient,
            "malformed_stream",
            &["an event holds broken JSON"],
        )
        .once(),
        Row::fails(
            "error inside a stream",
            error(r#"{"code":502,"message":"bad gateway"}"#),
            Transient,
            "http_502",
            &["bad gateway"],
        )
        .once(),
        Row::fails(
            "overloaded inside a stream",
            error(r#"{"type":"overloaded_error"}"#),
            Transient,
            "http_529",
            &["overloaded"],
        )
        .once(),
        Row::fails(
            "quota inside a stream",
            error(r#"{"code":"insufficient_quota"}"#),
            Quota,
            "insufficient_quota",
            &["nothing left to spend"],
        ),
        Row::fails(
            "a wrong key inside a stream",
            error(r#"{"code":"invalid_api_key"}"#),
            Configuration,
            "http_401",
            &["api_key_env"],
        ),
        Row::fails(
            "bare JSON error with 200",
            [json("200 OK", r#"{"error":{"code":"rate_limit_exceeded","message":"slow down"}}"#)],
            Transient,
            "http_429",
            &["slow down"],
        ),
        Row::fails(
            "an answer that came whole",
            [json(
                "200 OK",
                r#"{"choices":[{"message":{"content":"An answer"}}],"usage":{"prompt_tokens":5,"completion_tokens":2}}"#,
            )],
            Configuration,
            "not_a_stream",
            &["answered whole where a stream was asked for"],
        ),
        Row::fails(
            "HTML with 200",
            page,
            Transient,
            "not_a_stream",
            &["answered text/html where a stream was asked for"],
        ),
        Row::fails(
            "no event at all",
            [response("200 OK", "", "hello\n\n")],
            Transient,
            "not_a_stream",
            &["sent no event"],
        ),
        Row::fails(
            "gzip",
            gzip,
            Configuration,
            "compressed",
            &["compressed its answer (gzip)", "switch compression off there"],
        ),
        Row::fails("an endless line", endless_line, Transient, "malformed_stream", &["longer than 1048576 bytes"]),
        Row::fails(
            "one event of 10 MB",
            [stream("data: "), Act::Send(megabytes)],
            Transient,
            "malformed_stream",
            &["longer than 1048576 bytes"],
        ),
        Row::fails(
            "noise without end",
            [stream(&"data: ping\n\n".repeat(99))],
            Transient,
            "malformed_stream",
            &["not JSON"],
        ),
    ]
}

/// Answers that came whole and hold nothing to serve.
pub(crate) fn contents() -> Vec<Row> {
    let of = |deltas: &[&str], reason: &str| {
        let deltas: String = deltas.iter().map(|text| delta(text)).collect();
        [stream(&format!("{deltas}{}{}", ends(reason), usage_and_done(7, 1)))]
    };
    let call = r#"{"tool_calls":[{"index":0,"function":{"name":"weather","arguments":"{}"}}]}"#;
    vec![
        Row::fails("[DONE] with no content", [stream("data: [DONE]\n\n")], Content, "empty", &["answered nothing"]),
        Row::fails("empty content", of(&[r#"{"content":""}"#], "stop"), Content, "empty", &["answered nothing"]),
        Row::fails("blank content", of(&[r#"{"content":" \n "}"#], "stop"), Content, "empty", &["answered nothing"]),
        Row::fails(
            "reasoning only",
            of(&[r#"{"reasoning_content":"hm, hm"}"#], "length"),
            Content,
            "reasoning_only",
            &["all tokens went into reasoning"],
        ),
        Row::fails(
            "reasoning only, as text",
            of(&[r#"{"content":"<think>hm, "}"#, r#"{"content":"hm</think>\n"}"#], "stop"),
            Content,
            "reasoning_only",
            &["all tokens went into reasoning"],
        ),
        Row::fails(
            "tool calls only",
            of(&[call], "tool_calls"),
            Content,
            "tool_calls_only",
            &["the request offers none"],
        ),
        Row::fails(
            "content_filter",
            of(&[r#"{"content":"An answer that"}"#], "content_filter"),
            Content,
            "content_filter",
            &["a filter of the endpoint"],
        ),
        Row::fails(
            "refusal",
            of(&[r#"{"refusal":"I cannot help with that."}"#], "stop"),
            Content,
            "content_filter",
            &["filter"],
        ),
        Row::fails(
            "a refusal in words",
            of(&[r#"{"content":"I'm sorry, but I can't help with that."}"#], "stop"),
            Content,
            "refusal",
            &["the arm declined to answer"],
        ),
        Row::fails(
            "a prompt that is filtered",
            [json("400 Bad Request", r#"{"error":{"code":"content_filter","message":"the prompt was filtered"}}"#)],
            Content,
            "content_filter",
            &["the prompt was filtered"],
        ),
    ]
}
