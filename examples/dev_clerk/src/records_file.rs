//! The file of the records: one process has it at a time, and each save replaces the whole file. No
//! HTTP.

use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tower_clerk::test_util::Issuer;

use crate::records::Records;
use crate::start_error::StartError;

/// The file of the records, locked against other stand-ins for as long as this value lives.
pub(super) struct RecordsFile {
    path: PathBuf,
    /// The path as given, for messages.
    named: PathBuf,
    /// A lock on a separate file beside `path`: each save replaces `path` by a new file, which
    /// would not be locked. The system frees the lock however the process ends.
    _lock: File,
}

impl RecordsFile {
    /// Locks the file, which need not exist yet.
    pub(super) fn take(path: &Path) -> Result<Self, StartError> {
        // Two names of one file share a lock, and a save replaces the file, not a link to it.
        let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let lock = options().open(beside(&real, ".lock"));
        let lock = lock.map_err(|error| StartError::File(path.to_owned(), error))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: real, named: path.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(StartError::FileInUse(path.to_owned())),
            Err(TryLockError::Error(error)) => Err(StartError::File(path.to_owned(), error)),
        }
    }

    /// Reads the records, or creates new ones when there is no file.
    pub(super) fn load_or_new(&self, iss: &str) -> Result<(Records, Issuer), StartError> {
        let read = || match fs::read(&self.path) {
            Ok(bytes) => Records::parse(&bytes, iss).ok_or_else(|| {
                let problem = "it is not a file of the dev Clerk; move it away to start afresh";
                io::Error::new(io::ErrorKind::InvalidData, problem)
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let (records, issuer) = Records::new(iss);
                self.save(&records)?;
                Ok((records, issuer))
            }
            Err(error) => Err(error),
        };
        read().map_err(|error| StartError::File(self.named.clone(), error))
    }

    /// Replaces the file in one step, so that a crash leaves either the old or the new contents.
    pub(super) fn save(&self, records: &Records) -> io::Result<()> {
        let new = beside(&self.path, ".new");
        let mut out = options().truncate(true).open(&new)?;
        // A file left over from a crash keeps the mode it had.
        out.set_permissions(Permissions::from_mode(0o600))?;
        out.write_all(&serde_json::to_vec_pretty(records)?)?;
        out.sync_all()?;
        fs::rename(&new, &self.path)
    }

    /// Returns the path of the file, as given.
    pub(super) fn named(&self) -> &Path {
        &self.named
    }
}

/// Reads records without a lock, so that another process may have the file; `None` when it does not
/// exist or cannot be used.
pub(super) fn look(path: &Path, iss: &str) -> Option<Records> {
    Records::parse(&fs::read(path).ok()?, iss).map(|(records, _)| records)
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true).mode(0o600);
    options
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}
