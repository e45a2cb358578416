//! Who holds a data directory: a locked file that names the process, so that whoever comes second can
//! say who was first. The lock ends with the process, however it ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::path::Path;

use crate::domain::store::StoreError;
use crate::domain::text::{cut, one_line};

/// The lock; held as long as this lives.
#[derive(Debug)]
pub(super) struct Holder {
    _file: File,
}

impl Holder {
    /// Takes `dir` for this process, which was started as `command`.
    pub(super) fn take(dir: &Path, command: &str) -> Result<Self, StoreError> {
        let path = dir.join("holder");
        let unusable = |fault: &std::io::Error| StoreError::Unusable {
            path: dir.to_owned(),
            reason: match fault.kind() {
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded => format!("{fault}; make room there"),
                _ => format!("{fault}; make it writable, or choose another with --data-dir"),
            },
        };
        let opened = OpenOptions::new().create(true).read(true).write(true).truncate(false).open(path);
        let mut file = opened.map_err(|fault| unusable(&fault))?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = file.take(1_000).read_to_string(&mut holder);
                return Err(StoreError::Locked { path: dir.to_owned(), holder: named(&holder) });
            }
            // A file system without locks: the database's own lock has to do.
            Ok(()) | Err(TryLockError::Error(_)) => {}
        }
        let write = file.set_len(0).and_then(|()| writeln!(file, "process {}, `{command}`", std::process::id()));
        write.map_err(|fault| unusable(&fault))?;
        Ok(Self { _file: file })
    }
}

fn named(text: &str) -> String {
    let line = one_line(text.trim());
    let (name, _) = cut(&line, 200);
    if name.is_empty() { "which gave no name".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_second_learns_who_was_first() {
        let dir = tempfile::tempdir().unwrap();
        let holder = Holder::take(dir.path(), "banditop serve").unwrap();
        let fault = Holder::take(dir.path(), "banditop").unwrap_err().to_string();
        assert!(fault.contains(&format!("process {}, `banditop serve`", std::process::id())), "{fault}");
        drop(holder);
        assert!(Holder::take(dir.path(), "banditop").is_ok());
    }
}
