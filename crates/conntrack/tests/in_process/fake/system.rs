//! Files, a clock that stands still, UTC, and programs by their netlink port.

use std::collections::HashMap;
use std::io;
use std::path::Path;

use conntrack::surroundings::System;
use flow::text::CivilTime;

/// Tuesday 2023-11-14 22:13:20 UTC, and 123456 microseconds.
const NOW_US: u64 = 1_700_000_000_123_456;

#[derive(Default)]
pub(crate) struct FakeSystem {
    files: HashMap<&'static str, Vec<u8>>,
    programs: HashMap<u32, &'static str>,
}

impl FakeSystem {
    pub(crate) fn put_file(&mut self, path: &'static str, text: &str) {
        self.files.insert(path, text.as_bytes().to_vec());
    }

    pub(crate) fn put_program(&mut self, port_id: u32, name: &'static str) {
        self.programs.insert(port_id, name);
    }
}

impl System for FakeSystem {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let text = path.to_str().and_then(|path| self.files.get(path));
        text.cloned().ok_or_else(|| io::Error::from_raw_os_error(super::ENOENT))
    }

    fn has_variable(&self, _: &str) -> bool {
        false
    }

    fn now_us(&self) -> u64 {
        NOW_US
    }

    fn local_time(&self, seconds: u64) -> CivilTime {
        let time = jiff::Timestamp::from_second(seconds.try_into().unwrap()).unwrap();
        let time = jiff::tz::TimeZone::UTC.to_datetime(time);
        CivilTime {
            year: time.year(),
            month: time.month().try_into().unwrap(),
            day: time.day().try_into().unwrap(),
            hour: time.hour().try_into().unwrap(),
            minute: time.minute().try_into().unwrap(),
            second: time.second().try_into().unwrap(),
            weekday: time.weekday().to_sunday_zero_offset().try_into().unwrap(),
        }
    }

    fn program_of_port(&self, port_id: u32) -> Option<String> {
        self.programs.get(&port_id).map(|name| (*name).to_owned())
    }
}
