//! The asking side of the control socket.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use super::Request;

/// Why there is no answer.
#[derive(Debug)]
pub enum AskError {
    /// No daemon, or one that does not answer.
    Daemon(io::Error),
    /// The daemon gave up, or died: what came is a part of the answer.
    Part,
    /// The answer cannot be written.
    Output(io::Error),
}

/// Sends a request and copies the answer until the daemon closes the stream.
pub fn ask(socket: &Path, request: Request, answer: &mut dyn Write) -> Result<(), AskError> {
    let mut stream = UnixStream::connect(socket).map_err(AskError::Daemon)?;
    stream.write_all(&request.code().to_ne_bytes()).map_err(AskError::Daemon)?;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let text = match stream.read(&mut buffer) {
            Ok(0) => return answer.flush().map_err(AskError::Output),
            Ok(len) => buffer.get(..len).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                answer.flush().map_err(AskError::Output)?;
                return Err(AskError::Part);
            }
            Err(error) => return Err(AskError::Daemon(error)),
        };
        answer.write_all(text).map_err(AskError::Output)?;
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixListener;

    use super::{AskError, ask};
    use crate::control::Request;

    #[test]
    fn a_request_is_four_bytes_and_the_answer_lasts_until_the_end() {
        let folder = std::env::temp_dir().join(format!("conntrackd-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("ctl");
        let listener = UnixListener::bind(&path).unwrap();
        let daemon = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut code = [0; 4];
            stream.read_exact(&mut code).unwrap();
            stream.write_all(b"cache internal:\n").unwrap();
            i32::from_ne_bytes(code)
        });
        let mut answer = Vec::new();
        ask(&path, Request::Statistics, &mut answer).unwrap();
        assert_eq!(daemon.join().unwrap(), 21);
        assert_eq!(answer, b"cache internal:\n");
        std::fs::remove_dir_all(folder).unwrap();
        let alone = ask(&path, Request::Statistics, &mut answer);
        assert!(matches!(alone, Err(AskError::Daemon(_))));
    }
}
