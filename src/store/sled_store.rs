//! The store on disk: opening it, whatever is found there, and the port.
//!
//! ```text
//! DATA-DIR/holder                 who holds it (locked)
//! DATA-DIR/store/                 the database
//! DATA-DIR/last-good.json         the last good export
//! DATA-DIR/store.corrupt-<time>/  what was found damaged
//! ```
//!
//! Opening reads and checks every record. A database that is damaged, or that ends before the export
//! does, is moved aside, never deleted, and the export is started from; a notice says so.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

use crate::domain::BoxFuture;
use crate::domain::clock::Clock;
use crate::domain::command::{Durability, JournalEntry, LogEntry};
use crate::domain::ids::{RunId, Sequence};
use crate::domain::record::RunRecord;
use crate::domain::store::{LogBatch, StateStore, StoreError, StoredSnapshot, StoredState};

use super::backend::{Backend, Fault};
use super::codec::FORM;
use super::export::Export;
use super::holder::Holder;
use super::ledger::{Ledger, Retention};
use super::memory::MemoryStore;
use super::records;
use super::sled_backend::{SledBackend, move_aside};
use super::status::Status;
use super::threaded::Threads;
use super::view::View;
use super::writer::{State, Writer};

/// How a store is opened.
#[derive(Clone)]
pub struct OpenOptions {
    /// What this process is, for whoever finds the directory held: `banditop serve`.
    pub command: String,
    /// Wall time for names and notices, monotonic time for syncs.
    pub clock: Arc<dyn Clock>,
    /// The most run records to keep.
    pub max_runs: usize,
}

impl OpenOptions {
    /// With 10,000 run records kept.
    #[must_use]
    pub fn new(command: &str, clock: Arc<dyn Clock>) -> Self {
        Self { command: command.to_owned(), clock, max_runs: 10_000 }
    }
}

/// State on disk.
pub struct SledStore {
    threads: Threads,
}

impl SledStore {
    /// Opens the store in `dir`, which is created where it is missing. Blocks while every record is
    /// checked.
    ///
    /// # Errors
    /// [`StoreError::Locked`] names the process that holds it; [`StoreError::Newer`] where a newer program
    /// wrote it; [`StoreError::Unusable`] where the directory or the disk is at fault. Damage is no error.
    pub fn open(dir: &Path, options: OpenOptions) -> Result<Self, StoreError> {
        let unusable = |reason: String| StoreError::Unusable { path: dir.to_owned(), reason };
        let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
        made.map_err(|fault| unusable(format!("cannot be created: {fault}; choose another with --data-dir")))?;
        let holder = Holder::take(dir, &options.command)?;
        let retention = Retention { runs: options.max_runs };
        let opening = Opening { dir, database: dir.join("store"), clock: options.clock.as_ref(), retention };
        let opened = opening.run().map_err(|fault| match fault {
            Fault::Locked => StoreError::Locked { path: dir.to_owned(), holder: "which gave no name".to_owned() },
            Fault::Newer(found) => StoreError::Newer { path: dir.to_owned(), found, known: FORM.into() },
            Fault::Io(reason) | Fault::Corrupt(reason) | Fault::Refused(reason) => unusable(reason),
        })?;
        let database = opening.database;
        let writer = Writer {
            ledger: opened.ledger,
            view: Arc::new(RwLock::new(View::over(opened.backend))),
            status: Arc::new(Status::new(opened.notice)),
            reopen: Box::new(move || Ok(Arc::new(SledBackend::open(&database)?))),
            clock: options.clock,
            export_dir: Some(dir.to_owned()),
            holder: Some(holder),
            state: State::default(),
        };
        let threads = Threads::start(writer).map_err(|fault| unusable(fault.to_string()))?;
        Ok(Self { threads })
    }
}

/// The store in `dir`, or one in memory where the disk or the directory is at fault: its notice says so
/// and why.
///
/// # Errors
/// [`StoreError::Locked`] and [`StoreError::Newer`], which are not for a program to work around.
pub fn open_or_memory(dir: &Path, options: OpenOptions) -> Result<Arc<dyn StateStore>, StoreError> {
    match SledStore::open(dir, options) {
        Ok(store) => Ok(Arc::new(store)),
        Err(fault @ (StoreError::Unusable { .. } | StoreError::Io(_))) => {
            tracing::error!(%fault, "the store cannot be opened: going on in memory");
            Ok(Arc::new(MemoryStore::with_notice(format!(
                "what is learned ends with this process: make room or mend it, then start again ({fault})"
            ))))
        }
        Err(fault) => Err(fault),
    }
}

struct Opening<'a> {
    dir: &'a Path,
    database: PathBuf,
    clock: &'a dyn Clock,
    retention: Retention,
}

struct Opened {
    backend: Arc<dyn Backend>,
    ledger: Ledger,
    notice: Option<String>,
}

impl Opening<'_> {
    fn run(&self) -> Result<Opened, Fault> {
        let existed = self.database.exists();
        let (export, was_exported) = match Export::find(self.dir) {
            Err(Fault::Corrupt(_)) => (None, true),
            found => found.map(|export| (export.clone(), export.is_some()))?,
        };
        let reason = match self.audited() {
            Ok((backend, ledger)) => match Self::loss(&ledger, export.as_ref(), was_exported) {
                None if ledger.is_empty() => return self.begun(backend, ledger),
                None => return Ok(Opened { backend, ledger, notice: None }),
                Some(_) if !existed => return self.seeded(backend, ledger, export, "the database is missing"),
                Some(loss) => loss,
            },
            Err(Fault::Corrupt(reason)) => reason,
            Err(other) => return Err(other),
        };
        let moved = move_aside(&self.database, &self.time()).map_err(|fault| Fault::Io(fault.to_string()))?;
        tracing::error!(reason, moved = %moved.display(), "the store is damaged");
        let (backend, ledger) = self.audited()?;
        let what = format!("the state was damaged ({reason}) and is now in {}", moved.display());
        self.seeded(backend, ledger, export, &what)
    }

    /// What a database that looks whole has quietly lost, if anything: there is an export from the first
    /// moment on, and it never holds more than the database did.
    fn loss(ledger: &Ledger, export: Option<&Export>, was_exported: bool) -> Option<String> {
        let exported = export.map_or(0, |export| export.sequence);
        if ledger.is_empty() {
            return was_exported.then(|| "it is empty".to_owned());
        }
        let last = ledger.last();
        (last < exported).then(|| format!("it ends at command {last} and held {exported}"))
    }

    /// A new store: empty, and known to be so.
    fn begun(&self, backend: Arc<dyn Backend>, mut ledger: Ledger) -> Result<Opened, Fault> {
        backend.write(&ledger.post(&LogBatch::default())?)?;
        backend.sync()?;
        Export::of(&View::over(Arc::clone(&backend)), ledger.last(), self.clock.now())?.save(self.dir)?;
        Ok(Opened { backend, ledger, notice: None })
    }

    fn audited(&self) -> Result<(Arc<dyn Backend>, Ledger), Fault> {
        let backend: Arc<dyn Backend> = Arc::new(SledBackend::open(&self.database)?);
        let ledger = Ledger::audit(&View::over(Arc::clone(&backend)), self.retention)?;
        Ok((backend, ledger))
    }

    /// An empty database, made to hold what the export holds.
    fn seeded(
        &self,
        backend: Arc<dyn Backend>,
        mut ledger: Ledger,
        export: Option<Export>,
        what: &str,
    ) -> Result<Opened, Fault> {
        let Some(export) = export else {
            return Ok(Opened {
                backend,
                ledger,
                notice: Some(format!("{what}; there was no export: starting empty")),
            });
        };
        let (at, sequence) = (export.at, export.sequence);
        backend.write(&ledger.post(&export.into_batch())?)?;
        backend.sync()?;
        // From here on the log may end before the old export did.
        Export::of(&View::over(Arc::clone(&backend)), ledger.last(), at)?.save(self.dir)?;
        let notice = format!("{what}; started from the export of {}, command {sequence}", at.rfc3339());
        Ok(Opened { backend, ledger, notice: Some(notice) })
    }

    /// As part of a file's name.
    fn time(&self) -> String {
        self.clock.now().rfc3339().chars().filter(|c| !matches!(c, '-' | ':' | '.')).collect()
    }
}

impl StateStore for SledStore {
    fn kind(&self) -> &'static str {
        "sled"
    }

    fn notice(&self) -> Option<String> {
        self.threads.status().notice()
    }

    fn load(&self) -> BoxFuture<'_, Result<StoredState, StoreError>> {
        self.threads.read(records::load)
    }

    fn append(&self, batch: LogBatch, sync: bool) -> BoxFuture<'_, Result<Durability, StoreError>> {
        self.threads.append(batch, sync)
    }

    fn snapshot_before(&self, sequence: Sequence) -> BoxFuture<'_, Result<Option<StoredSnapshot>, StoreError>> {
        self.threads.read(move |read| records::snapshot_before(read, sequence))
    }

    fn entries(&self, from: Sequence, to: Sequence) -> BoxFuture<'_, Result<Vec<LogEntry>, StoreError>> {
        self.threads.read(move |read| records::entries(read, from, to))
    }

    fn journal(&self, limit: usize) -> BoxFuture<'_, Result<Vec<JournalEntry>, StoreError>> {
        self.threads.read(move |read| records::journal(read, limit))
    }

    fn run(&self, run: RunId) -> BoxFuture<'_, Result<Option<RunRecord>, StoreError>> {
        self.threads.read(move |read| records::run(read, run))
    }

    fn runs_before(&self, before: Option<RunId>, limit: usize) -> BoxFuture<'_, Result<Vec<RunRecord>, StoreError>> {
        self.threads.read(move |read| records::runs(read, before, limit))
    }

    fn value(&self, name: &str) -> BoxFuture<'_, Result<Option<Vec<u8>>, StoreError>> {
        let name = name.to_owned();
        self.threads.read(move |read| records::value(read, &name))
    }

    fn close(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.threads.close()
    }
}
