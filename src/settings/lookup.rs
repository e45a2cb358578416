//! Which configuration is read: the one that was named, else `./config.toml`, else the user's, else the
//! one that is built in.

use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The configuration that is built in: simulated arms, no key, no network.
pub const EMBEDDED_CONFIG: &str = include_str!("../../config.toml");

/// How the built-in configuration is shown.
const BUILT_IN: &str = "built-in config.toml";

/// A configuration larger than this is none.
const LARGEST: u64 = 4 << 20;

/// A configuration's text, with the name that faults are reported under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigText {
    /// The path as it was given, or `built-in config.toml`.
    pub name: Arc<str>,
    /// The TOML.
    pub text: String,
}

impl Default for ConfigText {
    /// The one that is built in.
    fn default() -> Self {
        Self { name: Arc::from(BUILT_IN), text: EMBEDDED_CONFIG.to_owned() }
    }
}

/// A configuration that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{}: {reason}", path.display())]
pub struct LookupError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong and what to do.
    pub reason: String,
}

impl ConfigText {
    /// The configuration to use. `named` is what `--config` said; `user_folder` the user's
    /// configuration folder (`$XDG_CONFIG_HOME` or `~/.config`).
    ///
    /// # Errors
    /// A file that is there, or was named, and cannot be read as text.
    pub fn find(named: Option<&Path>, folder: &Path, user_folder: Option<&Path>) -> Result<Self, LookupError> {
        if let Some(path) = named {
            return Self::read(path);
        }
        let local = folder.join("config.toml");
        if local.exists() {
            // Shown as the person would type it.
            return Self::read(&local).map(|config| Self { name: Arc::from("config.toml"), ..config });
        }
        match user_folder.map(|folder| folder.join("banditop").join("config.toml")) {
            Some(path) if path.exists() => Self::read(&path),
            _ => Ok(Self::default()),
        }
    }

    /// The file; `None` for the built-in configuration.
    pub fn path(&self) -> Option<&Path> {
        (&*self.name != BUILT_IN).then(|| Path::new(&*self.name))
    }

    fn read(path: &Path) -> Result<Self, LookupError> {
        let fault = |reason: String| LookupError { path: path.to_owned(), reason };
        let read = || -> std::io::Result<Vec<u8>> {
            let mut bytes = Vec::new();
            std::fs::File::open(path)?.take(LARGEST + 1).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        let bytes = read().map_err(|error| fault(explained(&error)))?;
        if bytes.len() as u64 > LARGEST {
            return Err(fault("expected a configuration, found a file of more than 4 MB".to_owned()));
        }
        let text = String::from_utf8(bytes).map_err(|error| {
            let line =
                1 + error.as_bytes().iter().take(error.utf8_error().valid_up_to()).filter(|b| **b == b'\n').count();
            fault(format!("line {line} is not UTF-8; save the file as UTF-8"))
        })?;
        let text = text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
        Ok(Self { name: Arc::from(path.display().to_string()), text })
    }
}

fn explained(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => {
            "there is no such file; name another with --config, or leave it out for the built-in one".to_owned()
        }
        ErrorKind::PermissionDenied => "it may not be read; check its permissions".to_owned(),
        ErrorKind::IsADirectory => "this is a directory; name the file in it".to_owned(),
        _ => error.to_string(),
    }
}
