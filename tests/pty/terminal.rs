//! A real terminal for the binary: a pseudo-terminal with a shell in it (job control needs one), and a
//! screen that understands what is drawn. Waits for what must appear; never sleeps for a guess.

use std::io::{Read, Write};
use std::num::NonZero;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

/// How long anything may take to appear; generous, because the machine may be busy.
const PATIENCE: Duration = Duration::from_mins(1);

/// A shell in a pseudo-terminal, and its screen.
pub(crate) struct Terminal {
    master: Box<dyn MasterPty + Send>,
    keyboard: Box<dyn Write + Send>,
    screen: Arc<Mutex<vt100::Parser>>,
    shell: Box<dyn Child + Send + Sync>,
}

impl Terminal {
    /// An interactive shell at `rows` × `cols`, started in `dir`.
    pub(crate) fn shell(rows: u16, cols: u16, dir: &Path) -> Self {
        let pair = native_pty_system().openpty(PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }).unwrap();
        let mut command = CommandBuilder::new("bash");
        command.args(["--norc", "--noprofile", "-i"]);
        command.cwd(dir);
        command.env("TERM", "xterm-256color");
        command.env("PS1", "shell$ ");
        command.env("HOME", dir);
        command.env_remove("NO_COLOR");
        // Consoles side by side would be after the same port.
        command.env("BANDITOP_TELEMETRY_LISTEN", "off");
        let shell = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let screen = Arc::new(Mutex::new(vt100::Parser::new(size(rows), size(cols), 0)));
        read_into(pair.master.try_clone_reader().unwrap(), Arc::clone(&screen));
        let keyboard = pair.master.take_writer().unwrap();
        Self { master: pair.master, keyboard, screen, shell }
    }

    /// Types `keys` as bytes.
    pub(crate) fn send(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
        self.keyboard.flush().unwrap();
    }

    /// Changes the size, as a window manager would.
    pub(crate) fn resize(&mut self, rows: u16, cols: u16) {
        self.with_screen(|parser| parser.screen_mut().set_size(size(rows), size(cols)));
        self.master.resize(PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }).unwrap();
    }

    /// The screen as text.
    pub(crate) fn text(&self) -> String {
        self.with_screen(|parser| parser.screen().contents())
    }

    /// Whether the alternate screen is shown, the cursor hidden, or pasted text bracketed.
    pub(crate) fn is_taken_over(&self) -> bool {
        self.with_screen(|parser| {
            let screen = parser.screen();
            screen.alternate_screen()
                || screen.hide_cursor()
                || screen.mouse_protocol_mode() != vt100::MouseProtocolMode::None
        })
    }

    /// Waits until the screen satisfies `wanted`.
    pub(crate) fn wait(&self, what: &str, wanted: impl Fn(&str) -> bool) {
        let start = Instant::now();
        loop {
            let text = self.text();
            if wanted(&text) {
                return;
            }
            assert!(start.elapsed() < PATIENCE, "waited in vain for {what}; the screen was:\n{text}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until `text` stands on the screen.
    pub(crate) fn wait_for(&self, text: &str) {
        self.wait(&format!("{text:?}"), |screen| screen.contains(text));
    }

    fn with_screen<T>(&self, read: impl FnOnce(&mut vt100::Parser) -> T) -> T {
        read(&mut self.screen.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A side of the screen; none is 0.
fn size(cells: u16) -> NonZero<u16> {
    NonZero::new(cells).unwrap()
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}

fn read_into(mut from: Box<dyn Read + Send>, screen: Arc<Mutex<vt100::Parser>>) {
    std::thread::spawn(move || {
        let mut buffer = [0; 8192];
        while let Ok(n @ 1..) = from.read(&mut buffer) {
            screen.lock().unwrap_or_else(PoisonError::into_inner).process(&buffer[..n]);
        }
    });
}
