//! A prompt: a full chat request from the first day, never a bare string. Fields that we do not know
//! are kept and passed on, so that what an application sends is what an endpoint gets.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One turn of a conversation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// `system`, `developer`, `user`, `assistant`, `tool`, or what else an endpoint knows.
    pub role: String,
    /// What was said; absent on an assistant turn that only calls tools.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Content>,
    /// Everything else: `name`, `tool_calls`, `tool_call_id`, …
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl Message {
    /// A turn of plain text.
    #[must_use]
    pub fn new(role: &str, text: &str) -> Self {
        Self { role: role.to_owned(), content: Some(Content::Text(text.to_owned())), extra: Map::new() }
    }

    /// The text of the turn, parts joined by newlines; images and files are not text.
    #[must_use]
    pub fn text(&self) -> String {
        match &self.content {
            None => String::new(),
            Some(Content::Text(text)) => text.clone(),
            Some(Content::Parts(parts)) => {
                let texts: Vec<&str> = parts.iter().filter_map(|p| p.get("text")?.as_str()).collect();
                texts.join("\n")
            }
        }
    }
}

/// The content of a turn: a text, or typed parts (text, image, audio, file) kept as they came.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Content {
    /// Plain text.
    Text(String),
    /// Typed parts.
    Parts(Vec<Value>),
}

/// A chat request without the fields that the race decides (`model`, `stream`, token limits per phase).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ChatRequest {
    /// The turns, oldest first.
    pub messages: Vec<Message>,
    /// Tools on offer, as the endpoint takes them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<Value>,
    /// Everything else the caller sent: `temperature`, `seed`, `response_format`, …
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// Why a request cannot be run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestFault {
    /// No text to answer.
    #[error("the prompt is empty: expected some text to answer")]
    Empty,
    /// Too large for the configured limit.
    #[error("the prompt has {found} bytes and the limit is {limit}: shorten it, or raise `run.max_prompt_bytes`")]
    TooLarge {
        /// Bytes of all turns.
        found: usize,
        /// The configured limit.
        limit: usize,
    },
}

impl ChatRequest {
    /// One user turn.
    #[must_use]
    pub fn from_prompt(prompt: &str) -> Self {
        Self { messages: vec![Message::new("user", prompt)], ..Self::default() }
    }

    /// The text of the last user turn: what features are computed from and what history shows.
    #[must_use]
    pub fn prompt(&self) -> String {
        self.messages.iter().rev().find(|m| m.role == "user").map(Message::text).unwrap_or_default()
    }

    /// Bytes of text in all turns.
    #[must_use]
    pub fn text_bytes(&self) -> usize {
        self.messages.iter().map(|m| m.text().len()).sum()
    }

    /// Refuses what no endpoint could answer.
    ///
    /// # Errors
    /// [`RequestFault`] where the last user turn is blank or the turns exceed `limit` bytes.
    pub fn check(&self, limit: usize) -> Result<(), RequestFault> {
        let found = self.text_bytes();
        if found > limit {
            return Err(RequestFault::TooLarge { found, limit });
        }
        let last_user = self.messages.iter().rev().find(|m| m.role == "user");
        let has_parts = last_user.is_some_and(|m| matches!(&m.content, Some(Content::Parts(p)) if !p.is_empty()));
        if self.prompt().trim().is_empty() && !has_parts {
            return Err(RequestFault::Empty);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_fields_survive() {
        let text = r#"{"messages":[{"role":"user","content":[{"type":"text","text":"hi"}],"name":"ann"}],"temperature":0.5,"x_new":{"a":1}}"#;
        let request: ChatRequest = serde_json::from_str(text).unwrap();
        assert_eq!(request.prompt(), "hi");
        let back = serde_json::to_value(&request).unwrap();
        assert_eq!(back, serde_json::from_str::<Value>(text).unwrap());
    }

    #[test]
    fn blank_and_huge_prompts_are_refused() {
        assert_eq!(ChatRequest::from_prompt(" \n\t").check(100), Err(RequestFault::Empty));
        let huge = ChatRequest::from_prompt(&"x".repeat(101));
        assert_eq!(huge.check(100), Err(RequestFault::TooLarge { found: 101, limit: 100 }));
        assert_eq!(ChatRequest::from_prompt("hi").check(100), Ok(()));
    }
}
