//! The program as a user runs it: a process of its own, a data directory of its own, nothing of the
//! environment but what a test sets.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A data directory and a configuration.
pub(crate) struct Program {
    dir: TempDir,
    config: PathBuf,
    variables: Vec<(String, String)>,
}

/// How one call ended.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Program {
    /// With the fast simulated models of `tests/fixtures/fast`.
    pub(crate) fn fast() -> Self {
        Self::with_config(&super::root().join("tests/fixtures/fast/config.toml"))
    }

    pub(crate) fn with_config(config: &Path) -> Self {
        Self { dir: tempfile::tempdir().unwrap(), config: config.to_owned(), variables: Vec::new() }
    }

    /// With a configuration of this text.
    pub(crate) fn with_text(text: &str) -> Self {
        let mut program = Self::with_config(Path::new(""));
        program.config = program.dir.path().join("config.toml");
        std::fs::write(&program.config, text).unwrap();
        program
    }

    /// Edits that configuration.
    pub(crate) fn set_text(&self, text: &str) {
        std::fs::write(&self.config, text).unwrap();
    }

    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Where it runs: relative paths begin here.
    pub(crate) fn home(&self) -> &Path {
        self.dir.path()
    }

    /// Where its state is.
    pub(crate) fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// A call that is not started yet.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_banditop"));
        command.env_clear().env("HOME", self.dir.path()).env("USER", "tester").current_dir(self.dir.path());
        command.env("BANDITOP_CONFIG", &self.config).env("BANDITOP_DATA_DIR", self.data_dir());
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        self.command(args).output().unwrap().into()
    }

    /// With something on standard input.
    pub(crate) fn run_with_input(&self, args: &[&str], input: &[u8]) -> Ran {
        let mut child = self.command(args).stdin(Stdio::piped()).spawn().unwrap();
        // A program that does not read its input to the end is no fault of the test.
        _ = child.stdin.take().unwrap().write_all(input);
        child.wait_with_output().unwrap().into()
    }

    /// Runs and expects success without a word on standard error.
    pub(crate) fn ok(&self, args: &[&str]) -> String {
        let ran = self.run(args);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{args:?}: {}", ran.out);
        ran.out
    }

    /// Runs and expects JSON alone.
    pub(crate) fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.ok(args)).unwrap()
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

/// Fails where one of these keys (dotted, `[]` for every element) is missing.
pub(crate) fn assert_keys(value: &Value, keys: &[&str]) {
    for key in keys {
        assert_key(value, key, key);
    }
}

fn assert_key(value: &Value, rest: &str, whole: &str) {
    let (head, tail) = rest.split_once('.').map_or((rest, None), |(head, tail)| (head, Some(tail)));
    let (name, is_list) = head.strip_suffix("[]").map_or((head, false), |name| (name, true));
    let found = value.get(name).unwrap_or_else(|| panic!("`{whole}` is missing (at `{name}`)"));
    let Some(tail) = tail else { return };
    if is_list {
        let items = found.as_array().unwrap_or_else(|| panic!("`{whole}`: `{name}` is no array"));
        assert!(!items.is_empty(), "`{whole}`: `{name}` is empty");
        for item in items {
            assert_key(item, tail, whole);
        }
    } else {
        assert_key(found, tail, whole);
    }
}
