//! What every command starts from: the checked settings, and how to get at an engine.

use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;
use std::sync::Arc;

use super::args::{Cli, Command};
use super::config_command;
use super::failure::{CliError, Outcome};
use super::paths;
use super::session::{Need, Session};
use crate::domain::clock::{Clock, SystemClock, Timestamp};
use crate::domain::command::{Actor, RouterCommand};
use crate::domain::engine::CommandRequest;
use crate::domain::ids::CommandId;
use crate::settings::{ConfigText, Settings, Sources, load};

/// Settings, where they came from, and the clock.
pub(super) struct Context {
    settings: Settings,
    config_name: Arc<str>,
    clock: Arc<dyn Clock>,
    command: &'static str,
    /// Flags that were given.
    flags: Vec<String>,
}

impl Context {
    /// Reads the configuration that the command line names, the environment and the flags.
    pub(super) fn load(cli: &Cli) -> Outcome<Self> {
        let user = paths::config_folder();
        let here = PathBuf::from(".");
        let file = ConfigText::find(cli.config.as_deref(), &here, user.as_deref()).map_err(CliError::usage)?;
        let config_name = file.name.clone();
        // A variable that is no text is nobody's setting.
        let environment =
            std::env::vars_os().filter_map(|(name, text)| Some((name.into_string().ok()?, text.into_string().ok()?)));
        let sources = Sources { file, environment: environment.collect(), flags: cli.settings.0.clone() };
        let settings = load(&sources)
            .map_err(|faults| CliError::usage(faults).hint("`banditop config template` documents every key"))?;
        let command = cli.command.as_ref().map_or("run", Command::name);
        let flags = cli.settings.0.iter().map(|(name, _)| name.clone()).collect();
        Ok(Self { settings, config_name, clock: Arc::new(SystemClock::new()), command, flags })
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The configuration as a person knows it.
    pub(super) fn config_name(&self) -> &str {
        &self.config_name
    }

    pub(super) fn clock(&self) -> Arc<dyn Clock> {
        self.clock.clone()
    }

    pub(super) fn data_dir(&self) -> Outcome<PathBuf> {
        paths::data_dir(self.settings.data_dir.as_deref())
    }

    /// The name in the journal: the configured one, or the login name.
    pub(super) fn operator(&self) -> String {
        let login = || ["USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok().filter(|n| !n.is_empty()));
        let name = self.settings.console.operator.clone().or_else(login).unwrap_or_else(|| "operator".to_owned());
        crate::domain::text::one_line(&name)
    }

    /// An engine: one of this process, or the one of whoever holds the store.
    pub(super) async fn open(&self, need: Need) -> Outcome<Session> {
        Session::open(self, need).await
    }

    /// What this process is, for whoever finds the store held.
    pub(super) fn command_name(&self) -> String {
        format!("banditop {}", self.command)
    }

    /// Flags that were given and say how an engine works: without effect on one that runs already.
    pub(super) fn engine_flags(&self) -> Vec<String> {
        let is_ours =
            |name: &str| matches!(name, "data-dir" | "ascii" | "no-color" | "read-only" | "operator" | "log-level");
        self.flags.iter().filter(|name| !is_ours(name)).map(|name| format!("--{name}")).collect()
    }

    /// Keys that are missing, one line each.
    pub(super) fn missing_keys(&self) -> Vec<String> {
        config_command::unset_keys(&self.settings, &config_command::is_set)
    }
}

/// A command with an id of its own: sending it again applies it once.
pub(super) fn command_request(now: Timestamp, actor: Actor, command: RouterCommand) -> CommandRequest {
    // The standard library's hasher keys are random for each use.
    let entropy = RandomState::new().hash_one(now);
    CommandRequest { id: CommandId::new(now, entropy), actor, command }
}
