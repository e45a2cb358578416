//! Turns and tools in the form of the messages API. System turns are no turns there; turns that follow
//! each other in one role are one turn of several blocks; a tool's result is a block of a user's turn, a
//! tool's call a block of the assistant's. Parts that have a counterpart are translated (images, files),
//! parts that already are in that form, or in one that nobody knows here, are passed on as they came.
//!
//! Blank texts are left out, since the API refuses them.

use serde_json::{Map, Value, json};

use crate::domain::chat::{Content, Message};

/// The blocks of all system turns.
pub(super) fn system(turns: &[Message]) -> Vec<Value> {
    turns.iter().filter(|turn| is_system(turn)).flat_map(content).collect()
}

/// Every other turn, in turns.
pub(super) fn messages(turns: &[Message]) -> Vec<Value> {
    let mut merged: Vec<(&str, Vec<Value>)> = Vec::new();
    for turn in turns.iter().filter(|turn| !is_system(turn)) {
        let role = if turn.role == "assistant" { "assistant" } else { "user" };
        let blocks = blocks(turn);
        match merged.last_mut() {
            _ if blocks.is_empty() => {}
            Some((last, before)) if *last == role => before.extend(blocks),
            _ => merged.push((role, blocks)),
        }
    }
    // A beginning of the answer must not end in white space.
    if let Some(("assistant", blocks)) = merged.last_mut()
        && let Some(Value::String(text)) = blocks.last_mut().and_then(|block| block.get_mut("text"))
    {
        text.truncate(text.trim_end().len());
    }
    merged.into_iter().map(|(role, content)| json!({ "role": role, "content": content })).collect()
}

/// A tool on offer; one that already has the API's form is kept.
pub(super) fn tool(tool: &Value) -> Value {
    let Some(function) = tool.get("function").filter(|_| tool.get("type") == Some(&"function".into())) else {
        return tool.clone();
    };
    let mut out = Map::new();
    for name in ["name", "description"] {
        out.extend(function.get(name).map(|value| (name.to_owned(), value.clone())));
    }
    let schema = function.get("parameters").filter(|p| p.is_object()).cloned();
    out.insert("input_schema".into(), schema.unwrap_or_else(|| json!({ "type": "object", "properties": {} })));
    out.extend(tool.get("cache_control").map(|value| ("cache_control".to_owned(), value.clone())));
    Value::Object(out)
}

/// Content as it comes in a field: a text or blocks.
pub(super) fn blocks_of(content: &Value) -> Vec<Value> {
    match content {
        Value::String(words) => text(words).into_iter().collect(),
        Value::Array(parts) => parts.iter().filter_map(part).collect(),
        _ => Vec::new(),
    }
}

fn is_system(turn: &Message) -> bool {
    matches!(turn.role.as_str(), "system" | "developer")
}

fn blocks(turn: &Message) -> Vec<Value> {
    if turn.role == "tool" {
        let mut result = json!({ "type": "tool_result", "tool_use_id": turn.extra.get("tool_call_id") });
        let content = content(turn);
        if !content.is_empty() {
            result["content"] = content.into();
        }
        return vec![result];
    }
    let mut blocks = content(turn);
    let calls = turn.extra.get("tool_calls").and_then(Value::as_array);
    blocks.extend(calls.into_iter().flatten().map(called));
    blocks
}

fn content(turn: &Message) -> Vec<Value> {
    match &turn.content {
        None => Vec::new(),
        Some(Content::Text(words)) => text(words).into_iter().collect(),
        Some(Content::Parts(parts)) => parts.iter().filter_map(part).collect(),
    }
}

fn text(words: &str) -> Option<Value> {
    (!words.trim().is_empty()).then(|| json!({ "type": "text", "text": words }))
}

/// A call that the assistant made in an earlier turn.
fn called(call: &Value) -> Value {
    let arguments = call.pointer("/function/arguments").and_then(Value::as_str).unwrap_or_default();
    let input = serde_json::from_str::<Value>(arguments).ok().filter(Value::is_object).unwrap_or_else(|| json!({}));
    json!({ "type": "tool_use", "id": call.get("id"), "name": call.pointer("/function/name"), "input": input })
}

/// One typed part; `None` for a blank text.
fn part(part: &Value) -> Option<Value> {
    let kind = part.get("type").and_then(Value::as_str).unwrap_or_default();
    let block = match kind {
        "text" | "input_text" | "refusal" => {
            let words = part.get("text").or_else(|| part.get("refusal")).and_then(Value::as_str).unwrap_or_default();
            text(words)
        }
        "image_url" => {
            let url = part.pointer("/image_url/url").or_else(|| part.get("image_url")).and_then(Value::as_str);
            url.map(|url| json!({ "type": "image", "source": source(url) })).or_else(|| Some(part.clone()))
        }
        "file" => match part.pointer("/file/file_data").and_then(Value::as_str) {
            Some(data) => Some(document(data, part.pointer("/file/filename"))),
            None => Some(part.clone()),
        },
        _ => Some(part.clone()),
    };
    let cache = part.get("cache_control").filter(|_| kind != "file");
    block.map(|mut block| {
        if let Some(cache) = cache {
            block["cache_control"] = cache.clone();
        }
        block
    })
}

fn document(data: &str, name: Option<&Value>) -> Value {
    let mut block = json!({ "type": "document", "source": source(data) });
    if let Some(name) = name {
        block["title"] = name.clone();
    }
    block
}

/// Where an image or a file is: in the request itself (`data:image/png;base64,…`), or at an address.
fn source(url: &str) -> Value {
    let inline = url.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,"));
    match inline {
        Some((media_type, data)) => json!({ "type": "base64", "media_type": media_type, "data": data }),
        None => json!({ "type": "url", "url": url }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapped(turns: &Value) -> Value {
        let turns: Vec<Message> = serde_json::from_value(turns.clone()).unwrap();
        json!({ "system": system(&turns), "messages": messages(&turns) })
    }

    #[test]
    fn a_conversation_with_tools_and_images() {
        let turns = json!([
            {"role": "system", "content": "s1"},
            {"role": "user", "content": "look"},
            {"role": "user", "content": [
                {"type": "text", "text": "here", "cache_control": {"type": "ephemeral"}},
                {"type": "text", "text": " "},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAA=", "detail": "low"}},
                {"type": "image_url", "image_url": {"url": "https://host/x.jpg"}},
                {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,BBB="}},
                {"type": "thing_of_tomorrow", "x": 1},
            ]},
            {"role": "developer", "content": "s2"},
            {"role": "assistant", "content": null, "tool_calls": [
                {"id": "t1", "type": "function", "function": {"name": "f", "arguments": "{\"a\":1}"}},
                {"id": "t2", "type": "function", "function": {"name": "g", "arguments": "broken"}},
            ]},
            {"role": "tool", "tool_call_id": "t1", "content": "42"},
            {"role": "tool", "tool_call_id": "t2", "content": ""},
            {"role": "user", "content": "and?"},
        ]);
        let text = |text: &str| json!({"type": "text", "text": text});
        let expected = json!({
            "system": [text("s1"), text("s2")],
            "messages": [
                {"role": "user", "content": [
                    text("look"),
                    {"type": "text", "text": "here", "cache_control": {"type": "ephemeral"}},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAA="}},
                    {"type": "image", "source": {"type": "url", "url": "https://host/x.jpg"}},
                    {"type": "document", "title": "a.pdf",
                        "source": {"type": "base64", "media_type": "application/pdf", "data": "BBB="}},
                    {"type": "thing_of_tomorrow", "x": 1},
                ]},
                {"role": "assistant", "content": [
                    {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}},
                    {"type": "tool_use", "id": "t2", "name": "g", "input": {}},
                ]},
                {"role": "user", "content": [
                    {"type": "tool_result", "tool_use_id": "t1", "content": [text("42")]},
                    {"type": "tool_result", "tool_use_id": "t2"},
                    text("and?"),
                ]},
            ],
        });
        assert_eq!(mapped(&turns), expected);
    }

    #[test]
    fn an_answer_that_is_begun_ends_in_no_white_space() {
        let turns = json!([{"role": "user", "content": "hi"}, {"role": "assistant", "content": "It is \n"}]);
        assert_eq!(mapped(&turns)["messages"][1]["content"][0]["text"], "It is");
    }

    #[test]
    fn tools_of_either_form() {
        let native = json!({"type": "web_search_20250305", "name": "web_search"});
        assert_eq!(tool(&native), native);
        let bare = json!({"type": "function", "function": {"name": "f"}});
        let expected = json!({"name": "f", "input_schema": {"type": "object", "properties": {}}});
        assert_eq!(tool(&bare), expected);
    }
}
