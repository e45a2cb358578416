//! A file that never grows beyond its bound: when a line would pass it, `log` becomes `log.1`, `log.1`
//! becomes `log.2`, and the oldest goes. Writing is done by a thread behind a bounded queue; a line that
//! cannot be written is dropped and counted, and the next one tries again. A line that broke off is closed,
//! so that the next one begins on its own.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::super::queue::{Counters, Room, Told, Worker};

/// Lines that may wait for the disk; one with a prompt in it may be long.
const ROOM: Room = Room { items: 4_096, bytes: 8 << 20 };
/// How long the end of the process waits for the disk.
const PATIENCE: Duration = Duration::from_secs(2);

/// Where and how much.
#[derive(Clone, Debug)]
struct Rotation {
    path: PathBuf,
    /// Bytes of one file.
    max_bytes: u64,
    /// Files, the newest included.
    keep: u32,
}

/// Why lines are dropped now, if they are.
type LogFault = Arc<Mutex<Option<String>>>;

/// The writing end: cheap to clone, and a writer for whoever formats lines.
#[derive(Clone, Debug)]
pub struct RotatingFile {
    worker: Arc<Worker<Vec<u8>>>,
    fault: LogFault,
    path: PathBuf,
}

impl RotatingFile {
    /// Opens the file, and its folder where that is missing.
    ///
    /// # Errors
    /// Where it cannot be opened now: later faults cost lines, this one is worth a word at start.
    pub fn open(path: &Path, max_bytes: u64, keep: u32, counters: Arc<Counters>) -> io::Result<Self> {
        let rotation = Rotation { path: path.to_owned(), max_bytes, keep: keep.max(1) };
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let mut log = Log::new(rotation);
        log.reopen()?;
        let fault = LogFault::default();
        let told = Arc::clone(&fault);
        let counted = Arc::clone(&counters);
        let worker = Worker::start("log", ROOM, counters, move |lines| write_all(&mut log, &lines, &told, &counted))?;
        Ok(Self { worker: Arc::new(worker), fault, path: path.to_owned() })
    }

    /// Why lines are lost now, in words, where they are.
    #[must_use]
    pub fn fault(&self) -> Option<String> {
        let fault = self.fault.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        let path = self.path.display();
        Some(format!("the log {path} cannot be written ({fault}): lines are lost; free space, or set log.file"))
    }

    /// Waits a bounded time until what was logged is written.
    pub fn stop(&self) {
        let _ = self.worker.stop(PATIENCE);
    }
}

impl Write for RotatingFile {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.worker.push(line.to_vec(), line.len());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write_all(log: &mut Log, lines: &Receiver<Told<Vec<u8>>>, fault: &LogFault, counters: &Counters) {
    while let Ok(Told::Item(line)) = lines.recv() {
        let written = log.write(&line);
        match &written {
            Ok(()) => counters.sent(1),
            Err(_) => counters.dropped(1),
        }
        *fault.lock().unwrap_or_else(PoisonError::into_inner) = written.err().map(|error| error.to_string());
    }
}

/// The files.
struct Log {
    rotation: Rotation,
    file: Option<File>,
    bytes: u64,
    is_broken_off: bool,
}

impl Log {
    const fn new(rotation: Rotation) -> Self {
        Self { rotation, file: None, bytes: 0, is_broken_off: false }
    }

    fn reopen(&mut self) -> io::Result<()> {
        self.file = None;
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(&self.rotation.path)?;
        self.bytes = file.metadata()?.len();
        self.file = Some(file);
        Ok(())
    }

    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        let length = line.len() as u64;
        if length > self.rotation.max_bytes {
            return Err(io::Error::other("a line is longer than log.max_bytes"));
        }
        if self.file.is_none() {
            self.reopen()?;
        }
        if self.bytes > 0 && self.bytes + length > self.rotation.max_bytes {
            self.rotate()?;
        }
        let Some(file) = &mut self.file else { return Ok(()) };
        if self.is_broken_off {
            file.write_all(b"\n")?;
            self.is_broken_off = false;
        }
        let written = file.write_all(line);
        self.bytes += length;
        self.is_broken_off = written.is_err();
        if written.is_err() {
            // Whatever came of it, the next line looks at the file anew.
            self.file = None;
        }
        written
    }

    fn rotate(&mut self) -> io::Result<()> {
        self.file = None;
        let path = |n: u32| if n == 0 { self.rotation.path.clone() } else { numbered(&self.rotation.path, n) };
        for n in (1..self.rotation.keep).rev() {
            match std::fs::rename(path(n - 1), path(n)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        if self.rotation.keep == 1 {
            std::fs::remove_file(path(0))?;
        }
        self.reopen()
    }
}

fn numbered(path: &Path, n: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{n}"));
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(path: &Path) -> Vec<String> {
        std::fs::read_to_string(path).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    #[test]
    fn the_files_stay_within_their_bound_and_the_newest_lines_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("logs/banditop.log");
        let log = RotatingFile::open(&path, 100, 3, Arc::default()).unwrap();
        let mut writer = log.clone();
        for n in 0..50 {
            writeln!(writer, "{n:019}").unwrap();
        }
        log.stop();
        let kept: Vec<String> = [numbered(&path, 2), numbered(&path, 1), path].iter().flat_map(|p| lines(p)).collect();
        let wanted: Vec<String> = (35..50).map(|n| format!("{n:019}")).collect();
        assert_eq!(kept, wanted);
        assert_eq!(std::fs::read_dir(dir.path().join("logs")).unwrap().count(), 3);
    }

    #[test]
    fn a_full_disk_costs_lines_and_is_told() {
        // A device that is always full.
        let full = Path::new("/dev/full");
        if !full.exists() {
            return;
        }
        let counters = Arc::new(Counters::default());
        let log = RotatingFile::open(full, 1 << 20, 2, Arc::clone(&counters)).unwrap();
        let mut writer = log.clone();
        for _ in 0..3 {
            writeln!(writer, "a line").unwrap();
        }
        log.stop();
        let fault = log.fault().unwrap();
        assert!(fault.contains("space"), "{fault}");
        assert_eq!(counters.figures(), (0, 3));
    }

    #[test]
    fn a_file_that_cannot_be_opened_is_refused_at_start() {
        let dir = tempfile::tempdir().unwrap();
        assert!(RotatingFile::open(dir.path(), 100, 2, Arc::default()).is_err());
    }
}
