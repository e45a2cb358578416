//! Where things lie on this machine: the user's folders, the data directory, and the control socket in
//! it, whose name the system limits to about a hundred bytes.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::failure::{CliError, Outcome};
use crate::domain::control::SOCKET_NAME;

/// Bytes of a Unix socket's path: 108 on Linux, 104 elsewhere, with a closing zero.
const LONGEST_SOCKET_PATH: usize = 103;

/// The user's folder of that kind: `$VARIABLE`, or `under` in the home directory.
fn user_folder(variable: &str, under: &str) -> Option<PathBuf> {
    let set = std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    set.or_else(|| std::env::home_dir().filter(|home| home.is_absolute()).map(|home| home.join(under)))
}

/// Where configurations of the user lie.
pub(super) fn config_folder() -> Option<PathBuf> {
    user_folder("XDG_CONFIG_HOME", ".config")
}

/// The data directory: the configured one, or the user's.
pub(super) fn data_dir(configured: Option<&Path>) -> Outcome<PathBuf> {
    if let Some(path) = configured {
        return Ok(path.to_owned());
    }
    let folder = user_folder("XDG_DATA_HOME", ".local/share");
    folder.map(|folder| folder.join("banditop")).ok_or_else(|| {
        CliError::usage("there is no home directory to keep state in").hint("name a directory with --data-dir")
    })
}

/// The control socket of a data directory, by a path that is short enough to connect to.
#[derive(Debug)]
pub(super) struct SocketPath {
    path: PathBuf,
    /// Keeps the short path valid.
    _directory: Option<File>,
}

impl SocketPath {
    /// Where the path would be too long, the directory is opened and addressed through its descriptor.
    pub(super) fn in_dir(dir: &Path) -> Outcome<Self> {
        let path = dir.join(SOCKET_NAME);
        if path.as_os_str().as_bytes().len() <= LONGEST_SOCKET_PATH {
            return Ok(Self { path, _directory: None });
        }
        let directory = File::open(dir).map_err(|error| CliError::failed(format!("{}: {error}", dir.display())))?;
        let short = PathBuf::from(format!("/proc/self/fd/{}", directory.as_raw_fd()));
        if !short.exists() {
            let message = format!("{}: this path is too long for a control socket", dir.display());
            return Err(CliError::usage(message).hint("name a shorter directory with --data-dir"));
        }
        Ok(Self { path: short.join(SOCKET_NAME), _directory: Some(directory) })
    }

    pub(super) fn get(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_in_a_deep_directory_is_reached_by_a_short_path() {
        let root = tempfile::tempdir().unwrap();
        let deep = root.path().join("x".repeat(120));
        std::fs::create_dir(&deep).unwrap();
        let socket = SocketPath::in_dir(&deep).unwrap();
        let listener = std::os::unix::net::UnixListener::bind(socket.get()).unwrap();
        assert!(deep.join(SOCKET_NAME).exists());
        let other = SocketPath::in_dir(&deep).unwrap();
        assert!(std::os::unix::net::UnixStream::connect(other.get()).is_ok());
        drop(listener);
        let plain = SocketPath::in_dir(root.path()).unwrap();
        assert_eq!(plain.get(), root.path().join(SOCKET_NAME));
    }
}
