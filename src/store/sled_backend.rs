//! Keys and values in sled 0.34, with what was learned about it: its `flush` writes but does not sync, so
//! every sync is a flush and then a sync of the file by a handle of our own; its timer for flushing is
//! off, since it loses data and can deadlock; one tree holds everything, so that a batch is atomic; its
//! faults and panics at opening mean damage unless the system says otherwise; and after one failed write
//! it fails for good, so trying again means opening again.

use std::fs::File;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::backend::{Backend, Fault, Read, Visit};
use super::codec::Op;

/// Pages held in memory, in bytes: the history of runs is read seldom and little at a time.
const CACHE: u64 = 4 << 20;
/// Free space without which opening is not tried, in bytes.
const SPACE_NEEDED: usize = 4 << 20;
/// How often, and how long apart, a lock is tried that this process itself may not have let go of yet:
/// dropping a database returns before its last task has ended.
const LOCK_TRIES: u32 = 100;
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// An open database.
pub(super) struct SledBackend {
    db: sled::Db,
    file: File,
}

impl SledBackend {
    /// Opens or creates the database in `dir`.
    pub(super) fn open(dir: &Path) -> Result<Self, Fault> {
        make_ready(dir).map_err(|fault| Fault::Io(fault.to_string()))?;
        let mut tries = 0;
        loop {
            match Self::open_once(dir) {
                Err(Fault::Locked) if tries < LOCK_TRIES => {
                    tries += 1;
                    std::thread::sleep(LOCK_PAUSE);
                }
                outcome => return outcome,
            }
        }
    }

    fn open_once(dir: &Path) -> Result<Self, Fault> {
        let config =
            sled::Config::new().path(dir).cache_capacity(CACHE).flush_every_ms(None).print_profile_on_drop(false);
        let db = guarded(|| config.open().map_err(|fault| opening(&fault)))?;
        let file = File::open(dir.join("db")).map_err(|fault| Fault::Io(fault.to_string()))?;
        let backend = Self { db, file };
        backend.sync()?;
        // The names of new files are safe only with their directories.
        for dir in [Some(dir), dir.parent()].into_iter().flatten() {
            File::open(dir).and_then(|dir| dir.sync_all()).map_err(|fault| Fault::Io(fault.to_string()))?;
        }
        Ok(backend)
    }
}

/// What sled needs and does not see to itself. It takes a snapshot file that it was killed while writing
/// for a finished one, and the database for damaged; and it must not run out of space while it opens,
/// which leaves such a file behind.
fn make_ready(dir: &Path) -> io::Result<()> {
    std::fs::create_dir_all(dir)?;
    for file in std::fs::read_dir(dir)? {
        let path = file?.path();
        if path.extension().is_some_and(|extension| extension == "generating") {
            tracing::info!(path = %path.display(), "an unfinished file of the database is removed");
            std::fs::remove_file(path)?;
        }
    }
    let trial = dir.with_extension("trial");
    let outcome = File::create(&trial).and_then(|mut file| file.write_all(&vec![0; SPACE_NEEDED]));
    let _ = std::fs::remove_file(&trial);
    outcome
}

impl Read for SledBackend {
    fn scan(&self, from: &[u8], to: &[u8], newest_first: bool, visit: Visit<'_>) -> Result<(), Fault> {
        guarded(|| {
            let mut range = self.db.range(from..to);
            while let Some(item) = if newest_first { range.next_back() } else { range.next() } {
                let (key, value) = item.map_err(|fault| running(&fault))?;
                // A page is let go only after enough notes of use, and iterating notes each page once: without
                // this, reading everything would leave everything in memory.
                self.db.get(&key).map_err(|fault| running(&fault))?;
                if visit(&key, &value)? == ControlFlow::Break(()) {
                    break;
                }
            }
            Ok(())
        })
    }
}

impl Backend for SledBackend {
    fn write(&self, ops: &[Op]) -> Result<(), Fault> {
        let mut batch = sled::Batch::default();
        for Op { key, value } in ops {
            match value {
                Some(value) => batch.insert(key.as_slice(), value.as_slice()),
                None => batch.remove(key.as_slice()),
            }
        }
        guarded(|| self.db.apply_batch(batch).map_err(|fault| running(&fault)))
    }

    fn sync(&self) -> Result<(), Fault> {
        guarded(|| self.db.flush().map_err(|fault| running(&fault)))?;
        self.file.sync_data().map_err(|fault| Fault::Io(fault.to_string()))
    }
}

/// sled panics where it does not trust what it reads.
fn guarded<T>(act: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    catch_unwind(AssertUnwindSafe(act)).unwrap_or_else(|panic| {
        let words =
            panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
        Err(Fault::Corrupt(format!("the database gave up: {}", words.unwrap_or("no reason given"))))
    })
}

fn opening(fault: &sled::Error) -> Fault {
    match fault {
        sled::Error::Io(io) if io.to_string().contains("could not acquire lock") => Fault::Locked,
        sled::Error::Io(io) if is_of_the_system(io) => Fault::Io(io.to_string()),
        other => Fault::Corrupt(other.to_string()),
    }
}

/// An error that the system reported says nothing about what is in the file; one that sled made up says
/// that the file is not what it should be.
fn is_of_the_system(io: &io::Error) -> bool {
    use io::ErrorKind::{NotFound, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull, TimedOut};
    let kinds = [NotFound, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull, TimedOut];
    io.raw_os_error().is_some() || kinds.contains(&io.kind())
}

fn running(fault: &sled::Error) -> Fault {
    match fault {
        sled::Error::Corruption { .. } => Fault::Corrupt(fault.to_string()),
        other => Fault::Io(other.to_string()),
    }
}

/// Moves the database in `dir` out of the way; where it is now.
pub(super) fn move_aside(dir: &Path, time: &str) -> io::Result<PathBuf> {
    let name = |turn: u32| match turn {
        0 => format!("{}.corrupt-{time}", dir.display()),
        turn => format!("{}.corrupt-{time}-{turn}", dir.display()),
    };
    let free = (0..1_000).map(|turn| PathBuf::from(name(turn))).find(|path| !path.exists());
    let to = free.ok_or_else(|| io::Error::from(io::ErrorKind::AlreadyExists))?;
    std::fs::rename(dir, &to)?;
    Ok(to)
}
