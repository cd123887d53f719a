//! Files that are only appended to: logs.

use std::fs::{File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use nix::libc;

/// Access of a new file: for the owner alone.
const MODE: u32 = 0o600;

/// Opens a file for appending. A new one is for its owner alone, whatever the umask; that of an old one stays.
///
/// Neither a terminal nor a pipe without a reader makes this or a write wait.
pub fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    // Reading too: a pipe can then be opened before its reader is there.
    options.read(true).append(true).mode(MODE).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
    match options.clone().create_new(true).open(path) {
        Ok(file) => {
            file.set_permissions(Permissions::from_mode(MODE))?;
            Ok(file)
        }
        // It is there, perhaps as a link to a file that is not.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            options.create(true).open(path)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_new_file_is_for_its_owner_and_an_old_one_is_left_as_it_is() {
        let folder = std::env::temp_dir().join(format!("sys-append-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("log");
        let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        super::open(&path).unwrap().write_all(b"one\n").unwrap();
        assert_eq!(mode(&path), 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        super::open(&path).unwrap().write_all(b"two\n").unwrap();
        assert_eq!(mode(&path), 0o640);
        assert_eq!(fs::read(&path).unwrap(), b"one\ntwo\n");
        let link = folder.join("link");
        std::os::unix::fs::symlink(folder.join("target"), &link).unwrap();
        super::open(&link).unwrap();
        assert_eq!(mode(&folder.join("target")), 0o600);
        assert!(super::open(&folder).is_err());
        assert!(super::open(&folder.join("absent/log")).is_err());
        fs::remove_dir_all(folder).unwrap();
    }
}
