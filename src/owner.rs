//! One process owns the data directory. The lock is the kernel's and goes with the
//! process, however it ends.

use std::fs::{DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::Path;

use crate::config::ConfigError;

/// The file that is locked.
const LOCK: &str = "apex.lock";

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
        .open(directory.join(LOCK))
        .map_err(|error| fail("lock", error))?;
    keep_private(directory, &lock).map_err(|error| fail("protect", error))?;
    match lock.try_lock() {
        Ok(()) => Ok(Some(Owner(lock))),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(fail("lock", error)),
    }
}

/// Whether somebody owns the directory, or once did.
pub fn was_claimed(directory: &Path) -> bool {
    directory.join(LOCK).exists()
}

/// Has nobody but its owner look into a directory that was there before. One that
/// belongs to somebody else, or that is shared on purpose, stays as it is.
fn keep_private(directory: &Path, lock: &File) -> std::io::Result<()> {
    const STICKY: u32 = 0o1000;
    let (found, own) = (std::fs::metadata(directory)?, lock.metadata()?);
    if found.mode() & 0o077 == 0 || found.mode() & STICKY != 0 || found.uid() != own.uid() {
        return Ok(());
    }
    std::fs::set_permissions(directory, Permissions::from_mode(0o700))
}
