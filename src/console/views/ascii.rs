//! The last step of ASCII mode. Our own glyphs are ASCII there already; names, prompts and answers may
//! not be, and widgets of other crates draw borders. Whatever is left is replaced cell by cell, so that
//! the promise holds for the whole screen.

use ratatui::buffer::Buffer;

/// Replaces everything outside ASCII.
pub(super) fn reduce(buffer: &mut Buffer) {
    for cell in &mut buffer.content {
        if !cell.symbol().is_ascii() {
            let plain = match cell.symbol().chars().next() {
                Some('─' | '━' | '–' | '—') => "-",
                Some('│' | '┃') => "|",
                Some('┌' | '┐' | '└' | '┘' | '├' | '┤' | '┬' | '┴' | '┼') => "+",
                Some('…' | '±') => "~",
                Some('“' | '”' | '„' | '«' | '»') => "\"",
                Some('‘' | '’') => "'",
                Some('×') => "x",
                Some('→') => ">",
                Some('•') => "*",
                Some('·') => ".",
                Some('\u{a0}') => " ",
                _ => "?",
            };
            cell.set_symbol(plain);
        }
    }
}
