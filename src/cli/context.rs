//! What every command starts from: the checked settings, and how to get at an engine.

use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
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
use crate::domain::spec::ConfigFacts;
use crate::settings::{ConfigText, Settings, SettingsFaults, Sources, load};

/// Settings, where they came from, and the clock.
pub(super) struct Context {
    settings: Settings,
    config: ConfigText,
    clock: Arc<dyn Clock>,
    typed: Typed,
}

/// What the command line and the environment say.
#[derive(Clone)]
struct Typed {
    command: &'static str,
    /// Whether the configuration was named.
    is_named: bool,
    environment: Vec<(String, String)>,
    flags: Vec<(String, String)>,
}

impl Context {
    /// Reads the configuration that the command line names, the environment and the flags.
    pub(super) fn load(cli: &Cli) -> Outcome<Self> {
        let user = paths::config_folder();
        let config = ConfigText::find(cli.config.as_deref(), Path::new("."), user.as_deref());
        let config = config.map_err(CliError::usage)?;
        // A variable that is no text is nobody's setting.
        let environment =
            std::env::vars_os().filter_map(|(name, text)| Some((name.into_string().ok()?, text.into_string().ok()?)));
        let typed = Typed {
            command: cli.command.as_ref().map_or("run", Command::name),
            is_named: cli.config.is_some(),
            environment: environment.collect(),
            flags: cli.settings.0.clone(),
        };
        let settings = typed
            .settings(&config)
            .map_err(|faults| CliError::usage(faults).hint("`banditop config template` documents every key"))?;
        Ok(Self { settings, config, clock: Arc::new(SystemClock::new()), typed })
    }

    /// The same with another configuration.
    pub(super) fn with_config(&self, config: ConfigText) -> Result<Self, String> {
        let settings = self.typed.settings(&config).map_err(|faults| faults.to_string())?;
        Ok(Self { settings, config, clock: self.clock.clone(), typed: self.typed.clone() })
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What the configuration says to the engine's state, flags left out: a flag is no edit of it.
    pub(super) fn facts(&self) -> ConfigFacts {
        let without_flags = Typed { flags: Vec::new(), ..self.typed.clone() };
        without_flags.settings(&self.config).unwrap_or_else(|_| self.settings.clone()).facts()
    }

    /// The configuration as a person knows it.
    pub(super) fn config_name(&self) -> &str {
        &self.config.name
    }

    /// Whether somebody named the configuration.
    pub(super) const fn is_config_named(&self) -> bool {
        self.typed.is_named
    }

    /// Its file; `None` for the built-in one.
    pub(super) fn config_path(&self) -> Option<&Path> {
        self.config.path()
    }

    pub(super) fn clock(&self) -> Arc<dyn Clock> {
        self.clock.clone()
    }

    pub(super) fn data_dir(&self) -> Outcome<PathBuf> {
        paths::data_dir(self.settings.data_dir.as_deref())
    }

    /// The name in the journal: the configured one, or what `$USER` or `$LOGNAME` says.
    pub(super) fn operator(&self) -> String {
        let login = || ["USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok().filter(|n| !n.is_empty()));
        let name = self.settings.console.operator.clone().or_else(login).unwrap_or_else(|| "operator".to_owned());
        crate::domain::text::one_line(&name)
    }

    /// An engine: one of this process, or the one of whoever holds the store.
    pub(super) async fn open(&self, need: Need) -> Outcome<Session> {
        Box::pin(Session::open(self, need)).await
    }

    /// What this process is, for whoever finds the store held.
    pub(super) fn command_name(&self) -> String {
        format!("banditop {}", self.typed.command)
    }

    /// Flags that were given and say how an engine works: without effect on one that runs already.
    pub(super) fn engine_flags(&self) -> Vec<String> {
        let is_ours =
            |name: &str| matches!(name, "data-dir" | "ascii" | "no-color" | "read-only" | "operator" | "log-level");
        self.typed
            .flags
            .iter()
            .map(|(name, _)| name)
            .filter(|name| !is_ours(name))
            .map(|name| format!("--{name}"))
            .collect()
    }

    /// Whether that flag was given on the command line.
    pub(super) fn has_flag(&self, name: &str) -> bool {
        self.typed.flags.iter().any(|(flag, _)| flag == name)
    }

    /// Keys that are missing, one line each.
    pub(super) fn missing_keys(&self) -> Vec<String> {
        config_command::unset_keys(&self.settings, &config_command::is_set)
    }
}

impl Typed {
    fn settings(&self, file: &ConfigText) -> Result<Settings, SettingsFaults> {
        let (environment, flags) = (self.environment.clone(), self.flags.clone());
        load(&Sources { file: file.clone(), environment, flags })
    }
}

/// A command with an id of its own: sending it again applies it once.
pub(super) fn command_request(now: Timestamp, actor: Actor, command: RouterCommand) -> CommandRequest {
    // The standard library's hasher keys are random for each use.
    let entropy = RandomState::new().hash_one(now);
    CommandRequest { id: CommandId::new(now, entropy), actor, command }
}
