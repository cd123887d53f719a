//! Classic BPF programs on sockets (`SO_ATTACH_FILTER`): the kernel runs one on each message before it is queued.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

use nix::errno::Errno;
use nix::libc;

/// One instruction (`struct sock_filter`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Instruction {
    /// What it does (`BPF_*`).
    pub code: u16,
    /// Instructions to skip if the condition holds.
    pub skip_if_true: u8,
    /// Instructions to skip if it does not.
    pub skip_if_false: u8,
    /// Its number (`k`).
    pub operand: u32,
}

/// Puts a program on a socket, in place of the one before. The kernel checks and copies it.
///
/// `ENOMEM` says that the program is too long for the kernel's setting `net.core.optmem_max`, `EINVAL` that it is wrong
/// or longer than 4096 instructions.
#[expect(unsafe_code, reason = "nix has no option of this kind")]
pub fn attach(socket: impl AsFd, program: impl IntoIterator<Item = Instruction>) -> io::Result<()> {
    let mut program: Vec<libc::sock_filter> = program
        .into_iter()
        .map(|instruction| libc::sock_filter {
            code: instruction.code,
            jt: instruction.skip_if_true,
            jf: instruction.skip_if_false,
            k: instruction.operand,
        })
        .collect();
    let len = u16::try_from(program.len()).map_err(|_| io::Error::from(Errno::EINVAL))?;
    let value = libc::sock_fprog { len, filter: program.as_mut_ptr() };
    // SAFETY: `setsockopt` reads one `sock_fprog` from the pointer and `len` instructions from the one in it. Both live
    // until it returns, which keeps neither. The descriptor is borrowed, hence open.
    let result = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            std::ptr::from_ref(&value).cast(),
            length_of::<libc::sock_fprog>(),
        )
    };
    Errno::result(result)?;
    Ok(())
}

/// Takes the program off again. `ENOENT` says that there is none.
#[expect(unsafe_code, reason = "nix has no option of this kind")]
pub fn detach(socket: impl AsFd) -> io::Result<()> {
    let ignored = 0_i32;
    // SAFETY: `setsockopt` reads at most one number from the pointer. The descriptor is borrowed, hence open.
    let result = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_DETACH_FILTER,
            std::ptr::from_ref(&ignored).cast(),
            length_of::<i32>(),
        )
    };
    Errno::result(result)?;
    Ok(())
}

/// The values here have a few bytes; the kernel would refuse a length of 0.
fn length_of<T>() -> libc::socklen_t {
    libc::socklen_t::try_from(size_of::<T>()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::os::unix::net::UnixDatagram;

    use super::{Instruction, attach, detach};

    fn instruction(code: u16, operand: u32) -> Instruction {
        Instruction { code, skip_if_true: 0, skip_if_false: 0, operand }
    }

    /// A program that keeps so many bytes of each message.
    fn keep(bytes: u32) -> [Instruction; 1] {
        [instruction(0x06, bytes)]
    }

    #[test]
    fn a_program_decides_what_is_received_until_it_is_taken_off() {
        let (near, far) = UnixDatagram::pair().unwrap();
        near.set_nonblocking(true).unwrap();
        let mut buffer = [0; 8];
        attach(&near, keep(0)).unwrap();
        let _ = far.send(b"dropped");
        assert_eq!(near.recv(&mut buffer).unwrap_err().kind(), ErrorKind::WouldBlock);
        // Keeps three bytes of what begins with 'c'.
        let begins_with_c = [
            instruction(0x30, 0),
            Instruction { code: 0x15, skip_if_true: 0, skip_if_false: 1, operand: 0x63 },
            instruction(0x06, 3),
            instruction(0x06, 0),
        ];
        attach(&near, begins_with_c).unwrap();
        let _ = far.send(b"no");
        far.send(b"chosen").unwrap();
        assert_eq!(near.recv(&mut buffer).unwrap(), 3);
        detach(&near).unwrap();
        far.send(b"whole").unwrap();
        assert_eq!(near.recv(&mut buffer).unwrap(), 5);
        assert_eq!(detach(&near).unwrap_err().kind(), ErrorKind::NotFound);
    }

    #[test]
    fn a_wrong_program_is_refused() {
        let (near, _far) = UnixDatagram::pair().unwrap();
        let keep_nothing = instruction(0x06, 0);
        for wrong in [
            vec![],
            vec![instruction(0x05, u32::MAX)],
            vec![keep_nothing; 4097],
            vec![keep_nothing; 70_000],
        ] {
            let len = wrong.len();
            let refused = attach(&near, wrong).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::InvalidInput, "{len} instructions");
        }
    }
}
