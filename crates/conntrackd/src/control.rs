//! The control socket: a stream on which a client sends one request code and reads text until the end.

pub mod client;

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
    /// The number on the wire.
    pub fn code(self) -> i32 {
        self as i32
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
