//! Listening Unix stream sockets.

use std::fs::{File, Permissions};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, Backlog, MsgFlags, SockFlag, SockType, UnixAddr, bind, connect, listen, recv,
    socket,
};

/// Clients that wait while nobody accepts. More are told to try again.
const BACKLOG: i32 = 128;

/// Access for the owner alone.
const MODE: u32 = 0o600;

/// Why there is no listener.
#[derive(Debug)]
pub enum ListenError {
    /// Somebody listens there.
    Taken,
    /// What is there is not a socket, and is left alone.
    NoSocket,
    /// A system call failed.
    Io(io::Error),
}

impl<E: Into<io::Error>> From<E> for ListenError {
    fn from(error: E) -> Self {
        Self::Io(error.into())
    }
}

/// A listening socket and the file that it found. Accepting does not block.
#[derive(Debug)]
pub struct OwnedListener {
    listener: UnixListener,
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl OwnedListener {
    /// Listens at a path. A file of a socket that nobody listens on any more is replaced.
    ///
    /// The file is never accessible to others, whatever the umask.
    pub fn open(path: &Path) -> Result<Self, ListenError> {
        clear(path)?;
        // The file gets the mode of the socket, less the umask. So it is right from the start.
        let mode = Permissions::from_mode(MODE);
        let file = File::from(new_socket()?);
        file.set_permissions(mode.clone())?;
        let socket = OwnedFd::from(file);
        match bind(socket.as_raw_fd(), &UnixAddr::new(path)?) {
            // Another one was faster.
            Err(Errno::EADDRINUSE) => return Err(ListenError::Taken),
            result => result?,
        }
        let found = std::fs::symlink_metadata(path)?;
        let owned = Self {
            listener: UnixListener::from(socket),
            path: path.to_owned(),
            device: found.dev(),
            inode: found.ino(),
        };
        if found.permissions().mode() & 0o777 != MODE {
            // The umask took away what the owner needs.
            std::fs::set_permissions(path, mode).inspect_err(|_| owned.remove_file())?;
        }
        listen(&owned.listener, Backlog::new(BACKLOG)?).inspect_err(|_| owned.remove_file())?;
        Ok(owned)
    }

    /// The listening socket.
    pub fn listener(&self) -> &UnixListener {
        &self.listener
    }

    /// Stops listening and removes the file, if it is still the one that this listener found.
    pub fn close(self) {
        self.remove_file();
    }

    fn remove_file(&self) {
        let is_ours = std::fs::symlink_metadata(&self.path)
            .is_ok_and(|found| (found.dev(), found.ino()) == (self.device, self.inode));
        if is_ours {
            // If it cannot be removed, the next start will take it for one that nobody listens on.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Reads what is there, and leaves it there. 0 at the end of the stream.
pub fn peek(stream: &UnixStream, buffer: &mut [u8]) -> io::Result<usize> {
    Ok(recv(stream.as_raw_fd(), buffer, MsgFlags::MSG_PEEK)?)
}

fn new_socket() -> io::Result<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    Ok(socket(AddressFamily::Unix, SockType::Stream, flags, None)?)
}

/// Makes way: removes the file of a socket that nobody listens on.
fn clear(path: &Path) -> Result<(), ListenError> {
    let found = match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        result => result?.file_type(),
    };
    if !found.is_socket() && !found.is_symlink() {
        return Err(ListenError::NoSocket);
    }
    let probe = new_socket()?;
    let answer = connect(probe.as_raw_fd(), &UnixAddr::new(path)?);
    match answer {
        // Nobody listens, or the link leads nowhere.
        Err(Errno::ECONNREFUSED | Errno::ENOENT) => match std::fs::remove_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => Ok(result?),
        },
        // It answers, is too busy to (EAGAIN), or speaks otherwise (EPROTOTYPE).
        Ok(()) | Err(Errno::EAGAIN | Errno::EPROTOTYPE) => Err(ListenError::Taken),
        Err(errno) => Err(errno.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::{Read, Write};
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
    use std::path::PathBuf;

    use super::{ListenError, OwnedListener};

    /// An empty folder, removed in the end.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("sys-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn file(&self) -> PathBuf {
            self.0.join("ctl")
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_listener_is_for_its_owner_alone_and_leaves_nothing() {
        let folder = Folder::new("own");
        let owned = OwnedListener::open(&folder.file()).unwrap();
        let mode = fs::metadata(folder.file()).unwrap().permissions().mode();
        assert_eq!(mode, 0o140_600);
        let kind = owned.listener().accept().unwrap_err().kind();
        assert_eq!(kind, std::io::ErrorKind::WouldBlock);
        let mut client = UnixStream::connect(folder.file()).unwrap();
        let (mut accepted, _) = owned.listener().accept().unwrap();
        client.write_all(b"x").unwrap();
        accepted.read_exact(&mut [0]).unwrap();
        owned.close();
        assert!(!folder.file().exists());
    }

    #[test]
    fn a_file_that_a_crash_left_is_replaced() {
        let folder = Folder::new("stale");
        drop(UnixListener::bind(folder.file()).unwrap());
        assert!(folder.file().exists());
        OwnedListener::open(&folder.file()).unwrap().close();
        assert!(!folder.file().exists());
    }

    #[test]
    fn a_link_that_leads_nowhere_is_replaced() {
        let folder = Folder::new("link");
        std::os::unix::fs::symlink(folder.0.join("absent"), folder.file()).unwrap();
        OwnedListener::open(&folder.file()).unwrap().close();
        assert!(fs::symlink_metadata(folder.file()).is_err());
    }

    #[test]
    fn who_listens_keeps_the_path() {
        let folder = Folder::new("taken");
        let first = OwnedListener::open(&folder.file()).unwrap();
        assert!(matches!(OwnedListener::open(&folder.file()), Err(ListenError::Taken)));
        // Still there, and still the first one's.
        UnixStream::connect(folder.file()).unwrap();
        drop(first);
        fs::remove_file(folder.file()).unwrap();
        let _other_kind = UnixDatagram::bind(folder.file()).unwrap();
        assert!(matches!(OwnedListener::open(&folder.file()), Err(ListenError::Taken)));
    }

    #[test]
    fn what_is_no_socket_is_left_alone() {
        let folder = Folder::new("file");
        fs::write(folder.file(), "precious").unwrap();
        assert!(matches!(OwnedListener::open(&folder.file()), Err(ListenError::NoSocket)));
        assert_eq!(fs::read(folder.file()).unwrap(), b"precious");
        let absent = folder.0.join("absent/ctl");
        assert!(matches!(OwnedListener::open(&absent), Err(ListenError::Io(_))));
        let long = folder.0.join("x".repeat(108));
        assert!(matches!(OwnedListener::open(&long), Err(ListenError::Io(_))));
    }

    #[test]
    fn a_file_of_another_listener_is_not_removed() {
        let folder = Folder::new("other");
        let first = OwnedListener::open(&folder.file()).unwrap();
        fs::remove_file(folder.file()).unwrap();
        let _second = UnixListener::bind(folder.file()).unwrap();
        first.close();
        assert!(folder.file().exists());
    }
}
