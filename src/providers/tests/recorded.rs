//! Recorded shapes of endpoints that call themselves OpenAI-compatible: each with its own words, comments,
//! order and omissions. One stream and one error each.

use super::server::{Then, ask, response, serve, stream};
use crate::domain::answer::{AnswerPart, FinishReason};
use crate::domain::failure::FailureClass;
use crate::domain::money::Usage;

fn text(text: &str) -> AnswerPart {
    AnswerPart::Text(text.to_owned())
}

fn reasoning(text: &str) -> AnswerPart {
    AnswerPart::Reasoning(text.to_owned())
}

fn end(reason: FinishReason, input_tokens: u32, output_tokens: u32) -> [AnswerPart; 2] {
    [
        AnswerPart::Finish(reason),
        AnswerPart::Usage(Usage { input_tokens, output_tokens, estimated: false, ..Usage::default() }),
    ]
}

/// Thinking in `reasoning`, usage in a chunk of its own, `[DONE]`.
const OLLAMA: &str = r#"data: {"id":"chatcmpl-212","object":"chat.completion.chunk","created":1764000000,"model":"qwen3:8b","system_fingerprint":"fp_ollama","choices":[{"index":0,"delta":{"role":"assistant","content":"","reasoning":"Okay"},"finish_reason":null}]}

data: {"id":"chatcmpl-212","object":"chat.completion.chunk","created":1764000000,"model":"qwen3:8b","system_fingerprint":"fp_ollama","choices":[{"index":0,"delta":{"role":"assistant","content":"Hi"},"finish_reason":null}]}

data: {"id":"chatcmpl-212","object":"chat.completion.chunk","created":1764000001,"model":"qwen3:8b","system_fingerprint":"fp_ollama","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":"stop"}]}

data: {"id":"chatcmpl-212","object":"chat.completion.chunk","created":1764000001,"model":"qwen3:8b","system_fingerprint":"fp_ollama","choices":[],"usage":{"prompt_tokens":11,"completion_tokens":42,"total_tokens":53}}

data: [DONE]

"#;

/// Usage in every chunk, the finish with the last text, and here without `[DONE]`.
const GEMINI: &str = r#"data: {"choices":[{"delta":{"content":"Hi","role":"assistant"},"index":0}],"created":1764000000,"id":"3zkkabc","model":"gemini-2.5-flash","object":"chat.completion.chunk","usage":{"completion_tokens":1,"prompt_tokens":7,"total_tokens":60}}

data: {"choices":[{"delta":{"content":" there","role":"assistant"},"finish_reason":"stop","index":0}],"created":1764000000,"id":"3zkkabc","model":"gemini-2.5-flash","object":"chat.completion.chunk","usage":{"completion_tokens":9,"prompt_tokens":7,"total_tokens":68}}"#;

/// Comments while it waits, reasoning under two names, the finish twice with usage behind it.
const OPENROUTER: &str = r#": OPENROUTER PROCESSING

: OPENROUTER PROCESSING

data: {"id":"gen-1764","provider":"DeepInfra","model":"deepseek/deepseek-r1","object":"chat.completion.chunk","created":1764000000,"choices":[{"index":0,"delta":{"role":"assistant","content":"","reasoning":"Hm","reasoning_details":[{"type":"reasoning.text","text":"Hm","format":"unknown","index":0}]},"finish_reason":null,"native_finish_reason":null,"logprobs":null}]}

: OPENROUTER PROCESSING

data: {"id":"gen-1764","provider":"DeepInfra","model":"deepseek/deepseek-r1","object":"chat.completion.chunk","created":1764000000,"choices":[{"index":0,"delta":{"role":"assistant","content":"Hi"},"finish_reason":null,"native_finish_reason":null,"logprobs":null}]}

data: {"id":"gen-1764","provider":"DeepInfra","model":"deepseek/deepseek-r1","object":"chat.completion.chunk","created":1764000000,"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":"length","native_finish_reason":"max_tokens","logprobs":null}]}

data: {"id":"gen-1764","provider":"DeepInfra","model":"deepseek/deepseek-r1","object":"chat.completion.chunk","created":1764000000,"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null,"native_finish_reason":null,"logprobs":null}],"usage":{"prompt_tokens":6,"completion_tokens":16,"total_tokens":22,"cost":0.0000374,"is_byok":false}}

data: [DONE]

"#;

/// A reasoning parser's `reasoning_content`, `stop_reason` beside the finish, usage in a last chunk.
const VLLM: &str = r#"data: {"id":"chatcmpl-9f","object":"chat.completion.chunk","created":1764000000,"model":"Qwen/Qwen3-8B","choices":[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}],"prompt_token_ids":null}

data: {"id":"chatcmpl-9f","object":"chat.completion.chunk","created":1764000000,"model":"Qwen/Qwen3-8B","choices":[{"index":0,"delta":{"reasoning_content":"So"},"logprobs":null,"finish_reason":null,"token_ids":null}]}

data: {"id":"chatcmpl-9f","object":"chat.completion.chunk","created":1764000000,"model":"Qwen/Qwen3-8B","choices":[{"index":0,"delta":{"content":"Hi"},"logprobs":null,"finish_reason":"stop","stop_reason":151645,"token_ids":null}]}

data: {"id":"chatcmpl-9f","object":"chat.completion.chunk","created":1764000000,"model":"Qwen/Qwen3-8B","choices":[],"usage":{"prompt_tokens":9,"total_tokens":12,"completion_tokens":3}}

data: [DONE]

"#;

/// `content: null` first, `timings` beside the usage.
const LLAMA_CPP: &str = r#"data: {"choices":[{"finish_reason":null,"index":0,"delta":{"role":"assistant","content":null}}],"created":1764000000,"id":"chatcmpl-Xk","model":"gpt-3.5-turbo","system_fingerprint":"b6673-d64c8104","object":"chat.completion.chunk"}

data: {"choices":[{"finish_reason":null,"index":0,"delta":{"content":"Hi"}}],"created":1764000000,"id":"chatcmpl-Xk","model":"gpt-3.5-turbo","system_fingerprint":"b6673-d64c8104","object":"chat.completion.chunk"}

data: {"choices":[{"finish_reason":"length","index":0,"delta":{}}],"created":1764000000,"id":"chatcmpl-Xk","model":"gpt-3.5-turbo","system_fingerprint":"b6673-d64c8104","object":"chat.completion.chunk"}

data: {"choices":[],"created":1764000000,"id":"chatcmpl-Xk","model":"gpt-3.5-turbo","system_fingerprint":"b6673-d64c8104","object":"chat.completion.chunk","usage":{"completion_tokens":1,"prompt_tokens":5,"total_tokens":6},"timings":{"prompt_n":5,"prompt_ms":40.2,"predicted_n":1,"predicted_ms":0.01}}

data: [DONE]

"#;

#[tokio::test]
async fn streams_of_compatible_endpoints() {
    use FinishReason::{Length, Stop};
    let rows = [
        ("ollama", OLLAMA, vec![reasoning("Okay"), text("Hi")], end(Stop, 11, 42)),
        ("gemini", GEMINI, vec![text("Hi"), text(" there")], end(Stop, 7, 9)),
        ("openrouter", OPENROUTER, vec![reasoning("Hm"), text("Hi")], end(Length, 6, 16)),
        ("vllm", VLLM, vec![reasoning("So"), text("Hi")], end(Stop, 9, 3)),
        ("llama.cpp", LLAMA_CPP, vec![text("Hi")], end(Length, 5, 1)),
    ];
    for (name, body, mut expected, end) in rows {
        expected.extend(end);
        let server = serve(vec![(stream(body), Then::Close)]).await;
        assert_eq!(ask(&server.base_url).await, (expected, None), "{name}");
    }
}

#[tokio::test]
async fn tool_calls_of_gemini_and_ollama_are_passed_on() {
    let gemini = r#"data: {"choices":[{"delta":{"role":"assistant","tool_calls":[{"function":{"arguments":"{\"a\":1}","name":"f"},"id":"function-call-1","index":0,"type":"function"}]},"finish_reason":"tool_calls","index":0}],"object":"chat.completion.chunk"}

data: [DONE]

"#;
    let server = serve(vec![(stream(gemini), Then::Close)]).await;
    let (parts, failure) = ask(&server.base_url).await;
    assert!(matches!(&parts[..], [AnswerPart::ToolCall(_), AnswerPart::Finish(FinishReason::ToolCalls)]), "{parts:?}");
    assert_eq!(failure, None);
}

#[tokio::test]
async fn errors_of_compatible_endpoints() {
    use FailureClass::{Caller, Configuration, Transient};
    let json = "content-type: application/json\r\n";
    let said = |status: &str, body: &str| response(status, json, body);
    let inside = r#"data: {"id":"gen-1","choices":[{"index":0,"delta":{"content":"H"},"finish_reason":null}]}

data: {"id":"gen-1","object":"chat.completion.chunk","provider":"OpenAI","error":{"code":502,"message":"Provider disconnected unexpectedly"},"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}]}

"#;
    let rows = [
        (
            "ollama without the model",
            said(
                "404 Not Found",
                r#"{"error":{"message":"model \"x\" not found, try pulling it first","type":"api_error","param":null,"code":null}}"#,
            ),
            Configuration,
            "http_404",
        ),
        ("ollama, old form", said("404 Not Found", r#"{"error":"model 'x' not found"}"#), Configuration, "http_404"),
        (
            "ollama out of memory",
            said(
                "500 Internal Server Error",
                r#"{"error":"model requires more system memory (5.6 GiB) than is available (3.1 GiB)"}"#,
            ),
            Transient,
            "http_500",
        ),
        (
            "ollama in the stream",
            stream("data: {\"error\":\"an error was encountered while running the model\"}\n\n"),
            Transient,
            "stream_error",
        ),
        (
            "gemini, wrong key",
            said(
                "400 Bad Request",
                r#"[{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT","details":[]}}]"#,
            ),
            Configuration,
            "http_401",
        ),
        (
            "gemini, overloaded",
            said(
                "503 Service Unavailable",
                r#"[{"error":{"code":503,"message":"The model is overloaded. Please try again later.","status":"UNAVAILABLE"}}]"#,
            ),
            Transient,
            "http_503",
        ),
        (
            "gemini, a list in the stream",
            stream(
                "data: [{\"error\":{\"code\":429,\"message\":\"Resource has been exhausted (e.g. check quota).\",\"status\":\"RESOURCE_EXHAUSTED\"}}]\n\n",
            ),
            Transient,
            "http_429",
        ),
        ("openrouter in the stream", stream(inside), Transient, "http_502"),
        (
            "openrouter, no provider",
            said("404 Not Found", r#"{"error":{"message":"No endpoints found for x/y.","code":404},"user_id":"u"}"#),
            Configuration,
            "http_404",
        ),
        (
            "vllm, too long",
            said(
                "400 Bad Request",
                r#"{"object":"error","message":"This model's maximum context length is 8192 tokens. However, you requested 9000 tokens.","type":"BadRequestError","param":null,"code":400}"#,
            ),
            Caller,
            "context_length",
        ),
        (
            "llama.cpp, too long",
            said(
                "400 Bad Request",
                r#"{"error":{"code":400,"message":"the request exceeds the available context size, try increasing it","type":"exceed_context_size_error","n_prompt_tokens":9000,"n_ctx":4096}}"#,
            ),
            Caller,
            "context_length",
        ),
        (
            "llama.cpp, loading",
            said(
                "503 Service Unavailable",
                r#"{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}"#,
            ),
            Transient,
            "http_503",
        ),
    ];
    for (name, bytes, class, kind) in rows {
        let server = serve(vec![(bytes, Then::Close)]).await;
        let (_, failure) = ask(&server.base_url).await;
        let failure = failure.unwrap_or_else(|| panic!("{name}: no failure"));
        assert_eq!((failure.class, failure.kind.as_ref()), (class, kind), "{name}: {failure}");
    }
}
