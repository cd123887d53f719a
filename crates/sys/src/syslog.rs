//! Syslog, through the C library.
#![expect(unsafe_code, reason = "neither the standard library nor nix has a safe face of syslog")]

use std::ffi::{CStr, c_int};

use nix::libc;

/// Which part of the system speaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Facility {
    /// `LOG_DAEMON`
    Daemon,
    /// `LOG_LOCAL0` to `LOG_LOCAL7`; higher numbers count as 7.
    Local(u8),
}

/// How grave a line is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Priority {
    /// `LOG_ERR`
    Error,
    /// `LOG_WARNING`
    Warning,
    /// `LOG_NOTICE`
    Notice,
    /// `LOG_INFO`
    Info,
}

/// The way to the system's log for one facility.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Syslog {
    facility: c_int,
}

impl Syslog {
    /// Lines of the process begin with this identity and the number of the process from now on. The socket is opened
    /// with the first line.
    pub fn open(identity: &'static CStr, facility: Facility) -> Self {
        let facility = facility.number();
        // SAFETY: openlog(3) keeps the pointer; the string is static and ends with a NUL.
        unsafe { libc::openlog(identity.as_ptr(), libc::LOG_PID, facility) };
        Self { facility }
    }

    /// Sends a line. It ends at a NUL, if there is one.
    pub fn send(self, priority: Priority, line: &[u8]) {
        let len = c_int::try_from(line.len()).unwrap_or(c_int::MAX);
        let number = priority.number() | self.facility;
        // SAFETY: syslog(3) formats like printf(3): with "%.*s" it reads at most `len` bytes at the pointer, which are
        // those of the slice.
        unsafe { libc::syslog(number, c"%.*s".as_ptr(), len, line.as_ptr()) };
    }
}

impl Facility {
    fn number(self) -> c_int {
        match self {
            Self::Daemon => libc::LOG_DAEMON,
            // The facilities are multiples of 8.
            Self::Local(number) => libc::LOG_LOCAL0 + c_int::from(number.min(7)) * 8,
        }
    }
}

impl Priority {
    fn number(self) -> c_int {
        match self {
            Self::Error => libc::LOG_ERR,
            Self::Warning => libc::LOG_WARNING,
            Self::Notice => libc::LOG_NOTICE,
            Self::Info => libc::LOG_INFO,
        }
    }
}

#[cfg(test)]
mod tests {
    use nix::libc;

    use super::{Facility, Priority, Syslog};

    #[test]
    fn facilities_have_the_numbers_of_the_c_library() {
        for (facility, number) in [
            (Facility::Daemon, libc::LOG_DAEMON),
            (Facility::Local(0), libc::LOG_LOCAL0),
            (Facility::Local(7), libc::LOG_LOCAL7),
            (Facility::Local(200), libc::LOG_LOCAL7),
        ] {
            assert_eq!(facility.number(), number);
        }
    }

    #[test]
    fn a_line_is_sent_or_lost_without_harm() {
        let syslog = Syslog::open(c"conntrack-ng-test", Facility::Local(7));
        syslog.send(Priority::Info, b"a line of a test: 100% s %n \xff");
        syslog.send(Priority::Info, b"");
    }
}
