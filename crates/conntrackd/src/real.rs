//! The real surroundings.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use flow::text::CivilTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use sys::console::Console;

use crate::control::Request;
use crate::control::client::{self, AskError};
use crate::report;
use crate::surroundings::{StandardStream, System};

/// The largest file that is read. A configuration has some kilobytes.
const FILE_MAX_BYTES: u64 = 1 << 20;

/// The system that runs.
#[derive(Debug)]
pub struct RealSystem;

impl System for RealSystem {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        File::open(path)?.take(FILE_MAX_BYTES + 1).read_to_end(&mut content)?;
        if content.len() as u64 > FILE_MAX_BYTES {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(content)
    }

    fn has_interface(&self, name: &str) -> bool {
        sys::interface::exists(name)
    }

    fn ask(&self, socket: &Path, request: Request, answer: &mut dyn Write) -> Result<(), AskError> {
        client::ask(socket, request, answer)
    }

    fn now_s(&self) -> u64 {
        u64::try_from(Timestamp::now().as_second()).unwrap_or_default()
    }

    fn civil_time(&self, seconds: u64) -> CivilTime {
        // The end of jiff's time is in the year 9999.
        let time = i64::try_from(seconds).ok().and_then(|time| Timestamp::from_second(time).ok());
        let time = Zoned::new(time.unwrap_or(Timestamp::MAX), TimeZone::system());
        CivilTime {
            year: time.year(),
            month: time.month().unsigned_abs(),
            day: time.day().unsigned_abs(),
            hour: time.hour().unsigned_abs(),
            minute: time.minute().unsigned_abs(),
            second: time.second().unsigned_abs(),
            weekday: time.weekday().to_sunday_zero_offset().unsigned_abs(),
        }
    }

    fn console(&self, stream: StandardStream) -> Option<Console> {
        report::console(stream).ok()
    }

    fn pid(&self) -> u32 {
        std::process::id()
    }

    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    fn variable(&self, name: &str) -> Option<OsString> {
        std::env::var_os(name)
    }
}
