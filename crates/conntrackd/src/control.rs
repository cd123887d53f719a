//! The control socket: a stream on which a client sends one request code and reads text until the end.

pub mod client;
pub mod conversation;
pub mod server;

/// What a client can ask. The code is a 32-bit number in the byte order of the machine.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(missing_docs, reason = "the variants say what is done")]
#[repr(i32)]
pub enum Request {
    FlushKernelFlows = 0,
    ResyncFlows = 1,
    DumpInternal = 16,
    DumpExternal = 17,
    CommitFlows = 18,
    /// Sent by old clients alone.
    FlushFlowCaches = 19,
    Kill = 20,
    Statistics = 21,
    SendBulk = 22,
    RequestDump = 23,
    DumpInternalXml = 24,
    DumpExternalXml = 25,
    ResetTimers = 26,
    StatisticsNetwork = 28,
    StatisticsCache = 29,
    StatisticsRuntime = 30,
    StatisticsLink = 31,
    StatisticsResendQueue = 32,
    FlushInternal = 33,
    FlushExternal = 34,
    StatisticsProcess = 35,
    StatisticsQueue = 36,
    StatisticsExpectations = 37,
    FlushKernelExpectations = 38,
    ResyncExpectations = 39,
    DumpInternalExpectations = 40,
    DumpExternalExpectations = 41,
    CommitExpectations = 42,
    FlushKernel = 43,
    Resync = 44,
    FlushCaches = 45,
    Commit = 46,
    DumpInternalExpectationsXml = 47,
    DumpExternalExpectationsXml = 48,
}

impl Request {
    /// All requests.
    pub const ALL: [Self; 34] = [
        Self::FlushKernelFlows,
        Self::ResyncFlows,
        Self::DumpInternal,
        Self::DumpExternal,
        Self::CommitFlows,
        Self::FlushFlowCaches,
        Self::Kill,
        Self::Statistics,
        Self::SendBulk,
        Self::RequestDump,
        Self::DumpInternalXml,
        Self::DumpExternalXml,
        Self::ResetTimers,
        Self::StatisticsNetwork,
        Self::StatisticsCache,
        Self::StatisticsRuntime,
        Self::StatisticsLink,
        Self::StatisticsResendQueue,
        Self::FlushInternal,
        Self::FlushExternal,
        Self::StatisticsProcess,
        Self::StatisticsQueue,
        Self::StatisticsExpectations,
        Self::FlushKernelExpectations,
        Self::ResyncExpectations,
        Self::DumpInternalExpectations,
        Self::DumpExternalExpectations,
        Self::CommitExpectations,
        Self::FlushKernel,
        Self::Resync,
        Self::FlushCaches,
        Self::Commit,
        Self::DumpInternalExpectationsXml,
        Self::DumpExternalExpectationsXml,
    ];

    /// The number on the wire.
    pub fn code(self) -> i32 {
        self as i32
    }

    /// The request of a number. `None` for one that is unknown: its answer is empty.
    pub fn from_code(code: i32) -> Option<Self> {
        Self::ALL.into_iter().find(|request| request.code() == code)
    }

    /// The same dump as XML, if this is a dump.
    #[must_use]
    pub fn as_xml(self) -> Option<Self> {
        match self {
            Self::DumpInternal | Self::DumpInternalXml => Some(Self::DumpInternalXml),
            Self::DumpExternal | Self::DumpExternalXml => Some(Self::DumpExternalXml),
            Self::DumpInternalExpectations | Self::DumpInternalExpectationsXml => {
                Some(Self::DumpInternalExpectationsXml)
            }
            Self::DumpExternalExpectations | Self::DumpExternalExpectationsXml => {
                Some(Self::DumpExternalExpectationsXml)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Request;

    #[test]
    fn a_code_leads_back_to_its_request() {
        for request in Request::ALL {
            assert_eq!(Request::from_code(request.code()), Some(request));
        }
        let known: Vec<i32> =
            (-10..1100).filter(|code| Request::from_code(*code).is_some()).collect();
        let expected: Vec<i32> = [0, 1].into_iter().chain(16..=26).chain(28..=48).collect();
        assert_eq!(known, expected);
        for code in [i32::MIN, i32::MAX] {
            assert_eq!(Request::from_code(code), None);
        }
    }
}
