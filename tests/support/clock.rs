//! A server's clock that a test puts.

use std::fs;
use std::path::PathBuf;

use super::Server;

/// A clock a running program takes for the machine's.
#[derive(Debug)]
pub struct FakeClock(PathBuf);

impl FakeClock {
    /// Has a server that is started next go by it. Time that only goes forward stays
    /// what it is, as it does when a machine's clock is put.
    pub fn install(server: &mut Server) -> Option<Self> {
        let folders = fs::read_dir("/usr/lib").ok()?.flatten();
        let mut libraries =
            folders.map(|own| own.path().join("faketime").join("libfaketimeMT.so.1"));
        let library = libraries.find(|file| file.exists())?;
        let clock = Self(server.data.with_extension("clock"));
        clock.put(0);
        let file = clock.0.display().to_string();
        for (name, value) in [
            ("LD_PRELOAD", library.to_str()?),
            ("FAKETIME_TIMESTAMP_FILE", &file),
            ("FAKETIME_NO_CACHE", "1"),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        ] {
            server.set(name, value);
        }
        Some(clock)
    }

    /// Puts it so many seconds from the true time.
    pub fn put(&self, seconds: i64) {
        // Whoever reads it meanwhile has the old one or the new one.
        let fresh = self.0.with_extension("fresh");
        fs::write(&fresh, format!("{seconds:+}\n")).unwrap();
        fs::rename(fresh, &self.0).unwrap();
    }
}
