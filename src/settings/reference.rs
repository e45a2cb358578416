//! The table of keys, written out: `config template` and `config keys`.

use std::fmt::Write;

use super::arm_rows::ARM_KEYS;
use super::kind::Kind;
use super::row::{FlagForm, KeyRow};
use super::rows::KEYS;
use super::slos::SLO_KEYS;
use crate::domain::action::ACTIONS;

/// A flag that sets a key, for whoever builds the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingFlag {
    /// Without its dashes.
    pub name: &'static str,
    /// Whether a value follows; otherwise its presence means `true`.
    pub takes_value: bool,
    /// The words that it may be, where it may be only some.
    pub words: &'static [&'static str],
    /// One line with key, variable and default.
    pub help: String,
}

/// Every flag that sets a key, in the order of the template.
pub fn setting_flags() -> impl Iterator<Item = SettingFlag> {
    KEYS.iter().filter_map(|row| {
        let default = row.default_toml().filter(|_| matches!(row.flag, FlagForm::Value(_)));
        let default = default.map(|text| format!("; default {text}")).unwrap_or_default();
        let switched = if matches!(row.flag, FlagForm::Off(_)) { "do not " } else { "" };
        Some(SettingFlag {
            name: row.flag_name()?,
            takes_value: matches!(row.flag, FlagForm::Value(_)),
            words: if let Kind::OneOf(words) = row.kind { words } else { &[] },
            help: format!("{}{} [{}, {}{default}]", switched, row.help, row.name, row.variable().unwrap_or_default()),
        })
    })
}

const HEAD: &str = "\
# Every key of banditop's configuration, with its default. A key is taken from here, then from its
# BANDITOP_… variable, then from its flag; later ones win. Secrets are named by environment variable.
";

const ARMS: &str = "
# One table per arm: one model at one endpoint.
[[arms]]
name = \"atlas-70b\"
provider = \"simulated\"
price_per_million = { input = 0.9, output = 2.7 }

[[arms]]
name = \"swift-8b\"
provider = \"simulated\"
price_per_million = { input = 0.05, output = 0.1 }

# A real one takes three lines:
#[[arms]]
#name = \"mini\"
#base_url = \"https://api.openai.com/v1\"
#model = \"gpt-5-mini\"
#api_key_env = \"OPENAI_API_KEY\"
#price_per_million = { input = 0.25, output = 2.00 }

# Anthropic's messages, natively; the address is known:
#[[arms]]
#name = \"claude\"
#provider = \"anthropic\"
#model = \"claude-sonnet-4-5\"
#api_key_env = \"ANTHROPIC_API_KEY\"
#price_per_million = { input = 3.00, output = 15.00 }

# Gemini and Ollama, through their OpenAI-compatible endpoints:
#[[arms]]
#name = \"flash\"
#base_url = \"https://generativelanguage.googleapis.com/v1beta/openai\"
#model = \"gemini-2.5-flash\"
#api_key_env = \"GEMINI_API_KEY\"
#
#[[arms]]
#name = \"local\"
#base_url = \"http://localhost:11434/v1\"
#model = \"qwen3:8b\"
#
# Keys of an arm:
";

/// A configuration that documents every key and changes no default.
#[must_use]
pub fn template() -> String {
    let mut text = HEAD.to_owned();
    write_section(&mut text, "");
    text.push_str(ARMS);
    for row in ARM_KEYS {
        let default = row.default_toml().map(|text| format!(" Default: {text}.")).unwrap_or_default();
        _ = writeln!(text, "#   {}: {} ({}).{default}", row.name, row.help, row.kind);
    }
    let mut sections: Vec<&str> = Vec::new();
    for row in KEYS.iter().filter(|row| !row.section().is_empty()) {
        if !sections.contains(&row.section()) {
            sections.push(row.section());
        }
    }
    for section in sections {
        _ = write!(text, "\n[{section}]\n");
        write_section(&mut text, section);
    }
    write_slos(&mut text);
    text.push_str("\n# Which key does what in the console: a key, or an array of keys.\n[keys]\n");
    for row in ACTIONS {
        let keys: Vec<String> = row.keys.iter().map(|key| format!("{key:?}")).collect();
        _ = writeln!(text, "#{} = [{}]   # {}", row.name, keys.join(", "), row.help);
    }
    text
}

const SLOS: &str = "
# What is wanted of runs, one table each. The budget of an objective burns at 1 where it is just used up;
# an alarm needs both the window and a twelfth of it to burn.
#   [[slo]]
#   name = \"p95\"
#   indicator = \"p95_s\"
#   limit = 5
#   window_s = 3600
#
# Keys of an objective:
";

fn write_slos(text: &mut String) {
    text.push_str(SLOS);
    for row in SLO_KEYS {
        _ = writeln!(text, "#   {}: {} ({}).", row.name, row.help, row.kind);
    }
}

fn write_section(text: &mut String, section: &str) {
    for row in KEYS.iter().filter(|row| row.section() == section) {
        let leaf = row.name.strip_prefix(section).unwrap_or(row.name).trim_start_matches('.');
        let kind = row.kind.to_string();
        match row.default_toml() {
            Some(default) => _ = write!(text, "# {} ({kind})\n#{leaf} = {default}\n", row.help),
            None => _ = write!(text, "# {} ({kind})\n#{leaf} =\n", row.help),
        }
    }
}

/// Every key with default, flag and variable, and what it is on the line below.
#[must_use]
pub fn key_table() -> String {
    let rows: Vec<[String; 4]> = KEYS.iter().map(cells).collect();
    let head = ["key", "default", "flag", "variable"].map(str::to_owned);
    let width = |column: usize| rows.iter().chain([&head]).map(|row| row[column].chars().count()).max().unwrap_or(0);
    let [k, d, f] = [width(0), width(1), width(2)];
    let line =
        |[key, default, flag, variable]: &[String; 4]| format!("{key:k$}  {default:d$}  {flag:f$}  {variable}\n");
    let mut text = line(&head);
    for (row, cells) in KEYS.iter().zip(&rows) {
        text.push_str(&line(cells));
        _ = writeln!(text, "    {} ({})", row.help, row.kind);
    }
    text.push_str("\nOf each [[arms]] table:\n");
    for row in ARM_KEYS {
        _ = writeln!(text, "{}\n    {} ({})", row.name, row.help, row.kind);
    }
    text.push_str("\nOf each [[slo]] table:\n");
    for row in SLO_KEYS {
        _ = writeln!(text, "{}\n    {} ({})", row.name, row.help, row.kind);
    }
    text.push_str("\nOf [keys], each a key or an array of keys:\n");
    for row in ACTIONS {
        _ = writeln!(text, "{:18}  {:16}  {}", row.name, row.keys.join(" "), row.help);
    }
    text
}

fn cells<T>(row: &KeyRow<T>) -> [String; 4] {
    let none = || "-".to_owned();
    let flag = row.flag_name().map_or_else(none, |name| format!("--{name}"));
    let default = row.default_toml().unwrap_or_else(none);
    [row.name.to_owned(), default, flag, row.variable().unwrap_or_else(none)]
}
