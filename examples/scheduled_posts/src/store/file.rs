//! The file of an SQLite database: nobody else may read it, and it must stay the one that was opened.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// The file that the server has opened.
#[derive(Clone, Debug)]
pub(crate) struct OpenFile {
    path: PathBuf,
    id: FileId,
}

/// A file, whatever its names are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FileId {
    device: u64,
    inode: u64,
}

impl OpenFile {
    /// Returns the file that `path` names now; `None` if there is none.
    pub(super) fn at(path: &Path) -> Option<Self> {
        Some(Self { path: path.to_owned(), id: id(path).ok()? })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns whether the path still names this file. If it was deleted or replaced, whatever is
    /// written to it is lost when the last connection is closed.
    pub(crate) fn is_in_place(&self) -> bool {
        id(&self.path).is_ok_and(|id| id == self.id)
    }
}

fn id(path: &Path) -> io::Result<FileId> {
    let file = fs::metadata(path)?;
    Ok(FileId { device: file.dev(), inode: file.ino() })
}

/// Creates an empty file that only this user may read and write, unless there is one. SQLite gives
/// the files that it puts beside it the same permissions. A failure is reported by SQLite, which
/// opens the file next.
pub(super) fn create_private(path: &Path) {
    let _ = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
}

/// Returns the files of the database, of those that exist, which other users of this machine may
/// read or write.
pub(crate) fn open_to_others(path: &Path) -> Vec<PathBuf> {
    let beside = ["", "-wal", "-shm", "-journal"].map(|end| {
        let mut name = path.as_os_str().to_owned();
        name.push(end);
        PathBuf::from(name)
    });
    let is_open = |file: &PathBuf| {
        fs::metadata(file).is_ok_and(|file| file.permissions().mode() & 0o077 != 0)
    };
    beside.into_iter().filter(is_open).collect()
}
