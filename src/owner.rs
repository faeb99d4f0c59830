//! One process owns the data directory. The lock is the kernel's and goes with the
//! process, however it ends.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use crate::config::ConfigError;

/// The data directory, owned as long as this lives.
#[derive(Debug)]
pub struct Owner(#[allow(dead_code)] File);

/// Makes the directory if it is missing, readable by its owner alone, and takes
/// it. `None`: another process has it.
pub fn claim(directory: &Path) -> Result<Option<Owner>, ConfigError> {
    let fail = |what: &str, error: std::io::Error| {
        ConfigError(format!(
            "cannot {what} the data directory {}: {error}",
            directory.display()
        ))
    };
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(|error| fail("make", error))?;
    let lock = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(directory.join("apex.lock"))
        .map_err(|error| fail("lock", error))?;
    match lock.try_lock() {
        Ok(()) => Ok(Some(Owner(lock))),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(fail("lock", error)),
    }
}
