//! Server-sent events, read incrementally and within bounds (WHATWG HTML, "Server-sent events"): LF, CR
//! and CRLF, a byte order mark, comments, `data` over several lines, no space after the colon, and
//! chunks that end anywhere, inside a character or between CR and LF.
//!
//! Two deliberate differences from the standard: an event that the stream ends in the middle of is
//! delivered, since endpoints leave out the last blank line, and a line or event above the cap is an
//! error instead of memory. Every byte is looked at once, a line that lies whole in a chunk is read where it
//! lies, and its data is copied once. `id` and `retry` are ignored: an answer cannot be resumed.

use std::collections::VecDeque;

use memchr::{memchr, memchr2};

/// The longest line, and the most data in one event, in bytes.
const CAP: usize = 1 << 20;

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// The `event` field; empty where there was none.
    pub name: String,
    /// The `data` lines joined by newlines; invalid UTF-8 is replaced.
    pub data: String,
}

/// A line or an event is longer than the cap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an event is longer than {CAP} bytes")]
pub struct TooLong;

/// The parser: bytes in, events out. Public for the benchmark alone.
#[derive(Debug, Default)]
pub struct SseParser {
    /// The line being read, without its end.
    line: Vec<u8>,
    /// The `data` of the event being read, each line followed by a newline.
    data: Vec<u8>,
    name: Vec<u8>,
    /// The last byte was a CR, so a LF that follows belongs to it.
    after_cr: bool,
    /// The first line is over: a byte order mark may stand only before it.
    past_first_line: bool,
    events: VecDeque<Event>,
}

impl SseParser {
    /// Reads one chunk.
    ///
    /// # Errors
    /// [`TooLong`] where the cap is passed; the parser is of no more use then.
    pub fn push(&mut self, mut chunk: &[u8]) -> Result<(), TooLong> {
        if self.after_cr && !chunk.is_empty() {
            self.after_cr = false;
            chunk = chunk.strip_prefix(b"\n").unwrap_or(chunk);
        }
        while let Some(at) = memchr2(b'\n', b'\r', chunk) {
            let (piece, rest) = chunk.split_at(at);
            if self.line.is_empty() {
                within_cap(piece.len())?;
                self.read_line(piece)?;
            } else {
                self.extend_line(piece)?;
                self.end_line()?;
            }
            chunk = &rest[1..];
            if rest[0] == b'\r' {
                self.after_cr = chunk.is_empty();
                chunk = chunk.strip_prefix(b"\n").unwrap_or(chunk);
            }
        }
        self.extend_line(chunk)
    }

    /// The stream is over: what was begun is delivered.
    ///
    /// # Errors
    /// [`TooLong`], as for [`Self::push`].
    pub fn finish(&mut self) -> Result<(), TooLong> {
        if !self.line.is_empty() {
            self.end_line()?;
        }
        self.end_event();
        Ok(())
    }

    /// The next event that is complete.
    pub fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    fn extend_line(&mut self, bytes: &[u8]) -> Result<(), TooLong> {
        within_cap(self.line.len() + bytes.len())?;
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    fn end_line(&mut self) -> Result<(), TooLong> {
        let mut line = std::mem::take(&mut self.line);
        let outcome = self.read_line(&line);
        // The allocation is kept for the next line, unless one long line made it large.
        if line.capacity() <= CAP / 16 {
            line.clear();
            self.line = line;
        }
        outcome
    }

    fn read_line(&mut self, mut line: &[u8]) -> Result<(), TooLong> {
        if !std::mem::replace(&mut self.past_first_line, true) {
            line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        }
        if line.is_empty() {
            self.end_event();
            return Ok(());
        }
        // Nearly every line that is not empty.
        if let Some(value) = line.strip_prefix(b"data:") {
            return self.read_data(value);
        }
        let colon = memchr(b':', line).unwrap_or(line.len());
        let (field, rest) = line.split_at(colon);
        match field {
            b"data" => return self.read_data(rest),
            b"event" => of_field(rest.strip_prefix(b":").unwrap_or(rest)).clone_into(&mut self.name),
            _ => {} // a comment (empty field name), `id`, `retry`, or nothing we know
        }
        Ok(())
    }

    fn read_data(&mut self, value: &[u8]) -> Result<(), TooLong> {
        let value = of_field(value);
        within_cap(self.data.len() + value.len())?;
        self.data.reserve(value.len() + 1);
        self.data.extend_from_slice(value);
        self.data.push(b'\n');
        Ok(())
    }

    fn end_event(&mut self) {
        let name = std::mem::take(&mut self.name);
        if self.data.is_empty() {
            return;
        }
        let mut data = std::mem::take(&mut self.data);
        data.pop(); // the newline behind the last line
        self.events.push_back(Event { name: text(name), data: text(data) });
    }
}

/// What stands behind a field's colon, without the one space that belongs to the form.
fn of_field(value: &[u8]) -> &[u8] {
    value.strip_prefix(b" ").unwrap_or(value)
}

fn within_cap(length: usize) -> Result<(), TooLong> {
    if length > CAP { Err(TooLong) } else { Ok(()) }
}

/// Bytes as text, without a copy where they are one.
fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|fault| String::from_utf8_lossy(fault.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(chunks: &[&[u8]]) -> Result<Vec<(String, String)>, TooLong> {
        let mut parser = SseParser::default();
        for chunk in chunks {
            parser.push(chunk)?;
        }
        parser.finish()?;
        Ok(std::iter::from_fn(|| parser.next_event()).map(|e| (e.name, e.data)).collect())
    }

    fn data(text: &str) -> Vec<String> {
        parse(&[text.as_bytes()]).unwrap().into_iter().map(|(_, data)| data).collect()
    }

    #[test]
    fn forms_of_the_standard() {
        let rows: [(&str, &[&str]); 13] = [
            ("data: a\n\ndata: b\n\n", &["a", "b"]),
            ("data: a\r\n\r\ndata: b\r\n\r\n", &["a", "b"]),
            ("data: a\r\rdata: b\r\r", &["a", "b"]),
            ("data:a\n\n", &["a"]),
            ("data:  a\n\n", &[" a"]),
            ("\u{feff}data: a\n\n", &["a"]),
            (": ping\n\n: ping\ndata: a\n\n", &["a"]),
            ("data: a\ndata: b\n\n", &["a\nb"]),
            ("data\n\n", &[""]),
            ("data: a", &["a"]),
            ("data: a\n", &["a"]),
            ("event: x\n\nid: 1\nretry: 5\nfoo\ndata: a\n\n", &["a"]),
            ("", &[]),
        ];
        for (text, expected) in rows {
            assert_eq!(data(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_name_belongs_to_its_event_only() {
        let events = parse(&[b"event: error\ndata: a\n\ndata: b\n\n"]).unwrap();
        assert_eq!(events, [("error".into(), "a".into()), (String::new(), "b".into())]);
    }

    #[test]
    fn an_endless_line_and_an_endless_event_are_errors_not_memory() {
        let mut parser = SseParser::default();
        let piece = vec![b'x'; 64 << 10];
        let outcome = (0..64).try_for_each(|_| parser.push(&piece));
        assert_eq!(outcome, Err(TooLong));
        assert!(parser.line.capacity() <= 2 * CAP);

        let mut parser = SseParser::default();
        let line = [b"data: ".as_slice(), &piece, b"\n"].concat();
        assert_eq!((0..64).try_for_each(|_| parser.push(&line)), Err(TooLong));
    }

    /// Texts over the bytes that matter to the parser.
    fn streams() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            Just("data: ".to_owned()),
            Just("data:".to_owned()),
            Just("event: e".to_owned()),
            Just(": c".to_owned()),
            Just("\u{feff}".to_owned()),
            "[\r\n]{1,3}",
            "[a-zé漢😀: ]{0,6}",
        ];
        prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat().into_bytes())
    }

    proptest! {
        #[test]
        fn chunking_changes_nothing(stream in streams(), cuts in prop::collection::vec(0usize..200, 0..20)) {
            let whole = parse(&[&stream]).unwrap();
            let single: Vec<&[u8]> = stream.chunks(1).collect();
            prop_assert_eq!(&parse(&single).unwrap(), &whole);
            let mut borders: Vec<usize> = cuts.into_iter().map(|c| c % (stream.len() + 1)).collect();
            borders.extend([0, stream.len()]);
            borders.sort_unstable();
            let pieces: Vec<&[u8]> = borders.windows(2).map(|w| &stream[w[0]..w[1]]).collect();
            prop_assert_eq!(&parse(&pieces).unwrap(), &whole);
        }

        #[test]
        fn what_is_written_is_read(
            texts in prop::collection::vec("[a-zé漢 :]{0,12}(\n[a-zé漢 :]{0,12}){0,2}", 0..8),
            end in prop::sample::select(vec!["\n", "\r", "\r\n"]),
        ) {
            let mut stream = String::new();
            for text in &texts {
                for line in text.split('\n') {
                    stream.push_str("data: ");
                    stream.push_str(line);
                    stream.push_str(end);
                }
                stream.push_str(end);
            }
            prop_assert_eq!(data(&stream), texts);
        }
    }
}
