//! The prompt from the command line or from standard input. What is read is bounded; what is not UTF-8
//! is refused with the place where it stops being text.

use std::io::{IsTerminal, Read, stdin};

use super::failure::{CliError, Outcome};

/// The prompt that was typed, or piped in; `limit` is the largest that a run takes, in bytes.
pub(super) fn read(typed: Option<&str>, limit: usize) -> Outcome<String> {
    let prompt = match typed {
        Some(text) if text != "-" => text.to_owned(),
        None if stdin().is_terminal() => {
            return Err(CliError::usage("no prompt: expected one after the command, or on standard input")
                .hint("banditop ask \"Why is the sky blue?\""));
        }
        _ => read_input(stdin().lock(), limit)?,
    };
    if prompt.trim().is_empty() {
        return Err(CliError::usage("the prompt is empty: expected some text to answer"));
    }
    Ok(prompt)
}

fn read_input(input: impl Read, limit: usize) -> Outcome<String> {
    let mut bytes = Vec::new();
    // One byte more than allowed is enough to know that it is too much; the race says so.
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    input
        .take(most)
        .read_to_end(&mut bytes)
        .map_err(|error| CliError::failed(format!("standard input could not be read: {error}")))?;
    if bytes.len() > limit {
        let message = format!("the prompt has more than {limit} bytes, the limit");
        return Err(CliError::usage(message).hint("shorten it, or raise `run.max_prompt_bytes`"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        CliError::usage(format!("standard input is not UTF-8: byte {} is no text", at + 1))
            .hint("convert it first, for example with iconv -t UTF-8")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_is_bounded_and_text() {
        assert_eq!(read_input("héllo\n".as_bytes(), 10).unwrap(), "héllo\n");
        let long = read_input([b'x'; 100].as_slice(), 10).unwrap_err();
        assert!(long.message.contains("more than 10 bytes"), "{}", long.message);
        let binary = read_input([b'a', 0xff, 0xfe].as_slice(), 10).unwrap_err();
        assert!(binary.message.contains("not UTF-8: byte 2"), "{}", binary.message);
        assert_eq!(binary.code(), 2);
    }

    #[test]
    fn a_blank_prompt_is_refused() {
        assert_eq!(read(Some(" \n\t"), 10).unwrap_err().code(), 2);
        assert_eq!(read(Some("hi"), 10).unwrap(), "hi");
    }
}
