//! Flags that set a key of the configuration, read off the settings' table of keys, so that a key and
//! its flag cannot drift apart. Values are checked with the file and the variables, not here: all
//! problems are reported together.

use clap::{Arg, ArgAction, ArgMatches, Args, Command, Error, FromArgMatches};

use crate::settings::setting_flags;

/// Flags that were given, with their values.
#[derive(Clone, Debug, Default)]
pub(super) struct SettingFlags(pub(super) Vec<(String, String)>);

impl Args for SettingFlags {
    fn augment_args(command: Command) -> Command {
        setting_flags().fold(command, |command, flag| {
            let arg = Arg::new(flag.name).long(flag.name).help(flag.help).global(true).help_heading("Settings");
            let arg = arg.hide_short_help(true);
            // What `replay` and `compare` are asked most, under the shorter name.
            let arg = if flag.name == "bandit-features" { arg.visible_alias("features") } else { arg };
            command.arg(if flag.takes_value {
                let arg = arg.action(ArgAction::Set).allow_hyphen_values(true).value_name(value_name(flag.words));
                if flag.words.is_empty() { arg } else { arg.hide_possible_values(true) }
            } else {
                arg.action(ArgAction::SetTrue)
            })
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

fn value_name(words: &'static [&'static str]) -> String {
    if words.is_empty() { "VALUE".to_owned() } else { words.join("|") }
}

impl FromArgMatches for SettingFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let given = setting_flags().filter_map(|flag| {
            let value = if flag.takes_value {
                matches.get_one::<String>(flag.name).cloned()
            } else {
                matches.get_flag(flag.name).then(|| "true".to_owned())
            };
            value.map(|value| (flag.name.to_owned(), value))
        });
        Ok(Self(given.collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;
    use crate::cli::args::Cli;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_flag_of_the_table_can_be_given_before_and_after_the_command() {
        for flag in setting_flags() {
            let long = format!("--{}", flag.name);
            let given: Vec<&str> = if flag.takes_value { vec![&long, "-x"] } else { vec![&long] };
            let before = [&["banditop"], given.as_slice(), &["ask", "hi"]].concat();
            let after = [&["banditop", "ask", "hi"], given.as_slice()].concat();
            for line in [before, after] {
                let cli = Cli::try_parse_from(&line).unwrap();
                let value = if flag.takes_value { "-x" } else { "true" };
                assert_eq!(cli.settings.0, [(flag.name.to_owned(), value.to_owned())], "{line:?}");
            }
        }
        let short = Cli::try_parse_from(["banditop", "replay", "f", "--features", "length"]).unwrap();
        assert_eq!(short.settings.0, [("bandit-features".to_owned(), "length".to_owned())]);
        assert!(Cli::try_parse_from(["banditop", "ask", "hi"]).unwrap().settings.0.is_empty());
    }
}
