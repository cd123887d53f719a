//! A file whose existence says that a program runs, and whose lock says whether that is still so.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};

/// `/var/lock` may be anyone's: neither a link is followed nor a pipe waited for.
const FLAGS: i32 = libc::O_CLOEXEC | libc::O_NOFOLLOW | libc::O_NONBLOCK;

/// The file of this process. It holds the process number, and a lock (`flock`) that ends with the process.
#[derive(Debug)]
pub struct LockFile {
    path: PathBuf,
    file: Flock<File>,
}

/// Why there is no lock.
#[derive(Debug)]
pub enum LockError {
    /// The file exists, and its program runs or cannot be told not to.
    Exists,
    /// It cannot be made.
    Io(io::Error),
}

/// A lock, and what was there before.
#[derive(Debug)]
pub struct Taken {
    /// The lock.
    pub lock: LockFile,
    /// Number of a process that ended without removing the file.
    pub left_by: Option<u32>,
}

impl LockFile {
    /// Makes the file, readable by its owner alone.
    ///
    /// A file that is left over from a crash is taken over if it holds a number and no process holds its lock. An empty
    /// one may belong to a running program that does not lock its file, and is respected.
    pub fn take(path: &Path) -> Result<Taken, LockError> {
        let open = |options: &mut OpenOptions| {
            options.read(true).write(true).mode(0o600).custom_flags(FLAGS).open(path)
        };
        match open(OpenOptions::new().create_new(true)) {
            Ok(file) => Self::own(path, file).map(|lock| Taken { lock, left_by: None }),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let mut file = open(&mut OpenOptions::new()).map_err(|_| LockError::Exists)?;
                if !is_ours(&file) {
                    return Err(LockError::Exists);
                }
                let mut text = String::new();
                let read = Read::by_ref(&mut file).take(32).read_to_string(&mut text);
                let left_by = read.ok().and_then(|_| text.trim().parse().ok());
                if left_by.is_none() {
                    return Err(LockError::Exists);
                }
                Self::own(path, file).map(|lock| Taken { lock, left_by })
            }
            Err(error) => Err(LockError::Io(error)),
        }
    }

    fn own(path: &Path, file: File) -> Result<Self, LockError> {
        let file = Flock::lock(file, FlockArg::LockExclusiveNonblock)
            .map_err(|(_, _)| LockError::Exists)?;
        let mut lock = Self { path: path.to_owned(), file };
        // The owner may have removed it between our opening and locking: then it is nobody's.
        if !lock.is_at_its_path() {
            return Err(LockError::Exists);
        }
        lock.write_number().map_err(LockError::Io)?;
        Ok(lock)
    }

    /// Writes the number of this process. To be called again after a fork.
    pub fn write_number(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(format!("{}\n", std::process::id()).as_bytes())
    }

    fn is_at_its_path(&self) -> bool {
        let (Ok(here), Ok(there)) = (self.file.metadata(), fs::symlink_metadata(&self.path)) else {
            return false;
        };
        (here.dev(), here.ino()) == (there.dev(), there.ino())
    }
}

/// Whether a file can be one that a former process of the same user has left.
fn is_ours(file: &File) -> bool {
    file.metadata().is_ok_and(|found| {
        found.is_file() && found.nlink() == 1 && found.uid() == nix::unistd::geteuid().as_raw()
    })
}

impl Drop for LockFile {
    fn drop(&mut self) {
        if self.is_at_its_path() {
            // If it cannot be removed, the next start finds it unlocked and takes it over.
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    use super::{LockError, LockFile, Taken};

    fn place(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("sys-lock-{}-{name}", std::process::id()));
        let _ = fs::remove_file(&path);
        path
    }

    #[test]
    fn there_is_one_owner_and_nothing_stays() {
        let path = place("one");
        let taken = LockFile::take(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", std::process::id()));
        assert!(matches!(LockFile::take(&path), Err(LockError::Exists)));
        drop(taken);
        assert!(!path.exists());
    }

    #[test]
    fn what_a_crash_left_is_taken_over_but_an_empty_file_is_not() {
        let path = place("left");
        fs::write(&path, "4194305\n").unwrap();
        let Taken { lock, left_by } = LockFile::take(&path).unwrap();
        assert_eq!(left_by, Some(4_194_305));
        drop(lock);
        fs::write(&path, "").unwrap();
        assert!(matches!(LockFile::take(&path), Err(LockError::Exists)));
        fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_file_of_another_owner_is_not_removed() {
        let path = place("other");
        let taken = LockFile::take(&path).unwrap();
        fs::remove_file(&path).unwrap();
        fs::write(&path, "another\n").unwrap();
        drop(taken);
        assert!(path.exists());
        fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_pipe_or_a_file_of_several_names_is_not_taken_over() {
        let path = place("pipe");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(matches!(LockFile::take(&path), Err(LockError::Exists)));
        fs::remove_file(&path).unwrap();
        let other = place("second");
        fs::write(&path, "4194305\n").unwrap();
        fs::hard_link(&path, &other).unwrap();
        assert!(matches!(LockFile::take(&path), Err(LockError::Exists)));
        assert_eq!(fs::read_to_string(&path).unwrap(), "4194305\n");
        fs::remove_file(&path).unwrap();
        fs::remove_file(&other).unwrap();
    }

    #[test]
    fn a_directory_that_is_not_there_is_told() {
        let path = place("dir").join("lock");
        assert!(matches!(LockFile::take(&path), Err(LockError::Io(_))));
    }
}
