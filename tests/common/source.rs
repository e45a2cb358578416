//! The source as text: comments, strings' contents and test modules left out, so that a rule about
//! code is not tripped by a word in a sentence.

use std::collections::BTreeSet;
use std::path::Path;

/// One file under `src/`.
pub(crate) struct SourceFile {
    /// From the root of the checkout, with `/`.
    pub(crate) path: String,
    /// The folder under `src/`.
    pub(crate) room: String,
    /// As it is.
    pub(crate) text: String,
    /// Without comments, string contents and `#[cfg(test)]` items.
    pub(crate) code: String,
}

/// Every file under `src/` that is not a test.
pub(crate) fn sources() -> Vec<SourceFile> {
    let root = super::root();
    let mut files = Vec::new();
    walk(&root.join("src"), &root, &mut files);
    let test_files: BTreeSet<String> = files.iter().flat_map(test_modules).collect();
    files.retain(|f| !test_files.iter().any(|t| f.path == format!("{t}.rs") || f.path.starts_with(&format!("{t}/"))));
    assert!(files.len() > 10, "the walk found the source");
    files
}

fn walk(dir: &Path, top: &Path, files: &mut Vec<SourceFile>) {
    let mut entries: Vec<_> = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            walk(&path, top, files);
        } else if path.extension().is_some_and(|e| e == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let path = path.strip_prefix(top).unwrap().to_string_lossy().replace('\\', "/");
            let room = path.split('/').nth(1).unwrap_or_default().trim_end_matches(".rs").to_owned();
            let code = without_tests(&without_prose(&text));
            files.push(SourceFile { path, room, text, code });
        }
    }
}

/// Paths (without `.rs`) of the modules that a file declares behind `#[cfg(test)]`.
fn test_modules(file: &SourceFile) -> Vec<String> {
    let stem = file.path.trim_end_matches(".rs");
    let folder = stem.strip_suffix("/mod").or_else(|| stem.strip_suffix("/lib")).unwrap_or(stem);
    let prose_free = without_prose(&file.text);
    let mut found = Vec::new();
    for (at, _) in prose_free.match_indices("#[cfg(test)]") {
        let rest = prose_free[at + "#[cfg(test)]".len()..].trim_start();
        let rest = rest.strip_prefix("pub(crate) ").or_else(|| rest.strip_prefix("pub ")).unwrap_or(rest);
        let name = rest.strip_prefix("mod ").and_then(|r| r.split(';').next());
        if let Some(name) = name.filter(|name| name.chars().all(|c| c.is_alphanumeric() || c == '_')) {
            found.push(format!("{folder}/{name}"));
        }
    }
    found
}

/// The text without comments and without what stands between quotes.
fn without_prose(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = String::with_capacity(text.len());
    let mut i = 0;
    while i < bytes.len() {
        let rest = &text[i..];
        if rest.starts_with("//") {
            i += rest.find('\n').unwrap_or(rest.len());
        } else if rest.starts_with("/*") {
            i += rest.find("*/").map_or(rest.len(), |n| n + 2);
        } else if let Some(hashes) = raw_string(rest) {
            let close = format!("\"{}", "#".repeat(hashes));
            let start = hashes + 2;
            i += rest[start..].find(&close).map_or(rest.len(), |n| start + n + close.len());
            out.push_str("\"\"");
        } else if rest.starts_with('"') {
            i += quoted(rest);
            out.push_str("\"\"");
        } else if let Some(length) = char_literal(rest) {
            i += length;
            out.push_str("''");
        } else {
            let c = rest.chars().next().unwrap();
            out.push(c);
            i += c.len_utf8();
        }
    }
    out
}

fn raw_string(rest: &str) -> Option<usize> {
    let after = rest.strip_prefix('r')?;
    let hashes = after.bytes().take_while(|b| *b == b'#').count();
    after[hashes..].starts_with('"').then_some(hashes)
}

fn quoted(rest: &str) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

fn char_literal(rest: &str) -> Option<usize> {
    let inner = rest.strip_prefix('\'')?;
    if inner.starts_with('\\') {
        return inner[2..].find('\'').map(|n| n + 4);
    }
    let c = inner.chars().next()?;
    inner[c.len_utf8()..].starts_with('\'').then(|| c.len_utf8() + 2)
}

/// The code without items behind `#[cfg(test)]`.
fn without_tests(code: &str) -> String {
    let mut out = String::with_capacity(code.len());
    let mut rest = code;
    while let Some(at) = rest.find("#[cfg(test)]") {
        out.push_str(&rest[..at]);
        let item = &rest[at..];
        let brace = item.find('{').unwrap_or(item.len());
        let semicolon = item.find(';').unwrap_or(item.len());
        let end = if semicolon < brace { semicolon + 1 } else { brace + block(&item[brace..]) };
        rest = &item[end.min(item.len())..];
    }
    out.push_str(rest);
    out
}

fn block(text: &str) -> usize {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 1 => return at + 1,
            '}' => depth -= 1,
            _ => {}
        }
    }
    text.len()
}

impl SourceFile {
    /// The rooms named by `crate::room` and `crate::{room, …}`.
    pub(crate) fn rooms_used(&self) -> BTreeSet<String> {
        let mut rooms = BTreeSet::new();
        for (at, _) in self.code.match_indices("crate::") {
            let rest = &self.code[at + "crate::".len()..];
            if let Some(group) = rest.strip_prefix('{') {
                rooms.extend(first_names(&group[..block(rest).saturating_sub(2).min(group.len())]));
            } else {
                rooms.insert(identifier(rest));
            }
        }
        rooms
    }

    /// Whether a path of the file starts at that external crate.
    pub(crate) fn names_crate(&self, name: &str) -> bool {
        let path = format!("{name}::");
        self.code.match_indices(&path).any(|(at, _)| {
            let before = self.code[..at].chars().next_back().unwrap_or(' ');
            !(before.is_alphanumeric() || before == '_' || before == ':')
        })
    }
}

fn identifier(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// The first names of a use group: `{a::b, c::{d, e}}` gives a and c.
fn first_names(group: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut depth = 0;
    let mut fresh = true;
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => fresh = true,
            c if fresh && (c.is_alphabetic() || c == '_') => {
                names.push(identifier(&group[at..]));
                fresh = false;
            }
            _ => {}
        }
    }
    names
}
