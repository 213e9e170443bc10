//! Every way a trace can be wrong, and the one table of the words for it.

use std::fmt;
use std::io;

use crate::event::TraceId;

/// What `verify` can say of a trace. The order is that of FORMAT.md: a line gets the first that holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum FindingKind {
    /// The line does not have the form of a line.
    Malformed,
    /// The seal does not fit the bytes.
    ChecksumMismatch,
    /// The seal fits, and the format version is a later one.
    UnsupportedVersion,
    /// The line has no seal.
    Unsealed,
    /// The number is above the next one.
    SequenceGap,
    /// The number is not above the highest one.
    SequenceRepeat,
    /// The trace does not begin with `trace_start`, numbered 0.
    NoStart,
    /// The trace has no `trace_end`.
    NoEnd,
    /// The line stands behind the `trace_end` of its trace.
    AfterEnd,
    /// The last line has no LF, or the last zstd frame is cut.
    TornLine,
    /// A zstd frame's structure or checksum is bad.
    DamagedFrame,
    /// `events` of `trace_end` is another number than that of the lines.
    CountMismatch,
    /// `chain` of `trace_end` is not that of the lines.
    ChainMismatch,
    /// `base` names no `llm_request` within reach.
    MissingBase,
    /// `base` can't be applied to the request that it names.
    BadBase,
}

impl FindingKind {
    /// The name in reports, as FORMAT.md spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.words().0
    }

    /// One sentence for a person. A `malformed` line has a more precise one in [`why`].
    #[must_use]
    pub fn message(self) -> &'static str {
        self.words().1
    }

    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Malformed => ("malformed", "the line does not have the form of a line"),
            Self::ChecksumMismatch => ("checksum_mismatch", "the seal does not fit the bytes"),
            Self::UnsupportedVersion => ("unsupported_version", "the line is of a later format version"),
            Self::Unsealed => ("unsealed", "the line has no seal"),
            Self::SequenceGap => ("sequence_gap", "lines are missing before this one"),
            Self::SequenceRepeat => ("sequence_repeat", "the line repeats a number or comes too late"),
            Self::NoStart => ("no_start", "the trace does not begin with a trace_start numbered 0"),
            Self::NoEnd => ("no_end", "the trace has no trace_end: it was cut off"),
            Self::AfterEnd => ("after_end", "the line comes after the trace_end of its trace"),
            Self::TornLine => ("torn_line", "the last line is cut off"),
            Self::DamagedFrame => ("damaged_frame", "the zstd frame is damaged"),
            Self::CountMismatch => ("count_mismatch", "trace_end counts another number of lines"),
            Self::ChainMismatch => ("chain_mismatch", "the chain in trace_end does not fit the lines"),
            Self::MissingBase => ("missing_base", "`base` names no llm_request within reach that has this seal"),
            Self::BadBase => ("bad_base", "`base` does not fit the request that it names"),
        }
    }
}

/// The sentences that say why a line is malformed, or an argument refused.
pub mod why {
    /// No file content at all.
    pub const EMPTY: &str = "the file is empty";
    /// A cut zstd frame at the end.
    pub const CUT_FRAME: &str = "the last zstd frame is cut off";
    /// Nothing between two LFs.
    pub const BLANK: &str = "the line is blank";
    /// U+0000 in the line.
    pub const NUL: &str = "the line holds a NUL byte";
    /// U+000D in the line.
    pub const CR: &str = "the line holds a carriage return";
    /// An LF before the line's end.
    pub const LF: &str = "the line holds a line feed";
    /// More bytes than the limit.
    pub const TOO_LONG: &str = "the line is longer than the limit";
    /// Neither sealed nor closed.
    pub const NOT_CLOSED: &str = "the line is not closed by a seal or `}`";
    /// Not JSON at all.
    pub const NOT_JSON: &str = "the line is not valid JSON";
    /// Not UTF-8.
    pub const NOT_UTF8: &str = "the line is not valid UTF-8";
    /// Nested deeper than 128.
    pub const TOO_DEEP: &str = "the line is nested deeper than the limit";
    /// `data` of a sealed line is not a JSON object.
    pub const DATA_NOT_JSON: &str = "`data` is not a valid JSON object";
    /// The member `v`.
    pub const V: &str = "the line does not begin with `v` and a format version";
    /// The member `trace_id`.
    pub const TRACE_ID: &str = "`trace_id` is missing or not 32 lower-case hex digits";
    /// The member `ts`.
    pub const TS: &str = "`ts` is missing or not a UTC time of 30 bytes";
    /// The member `seq`.
    pub const SEQ: &str = "`seq` is missing or not a number below 2^53";
    /// The member `kind`.
    pub const KIND: &str = "`kind` is missing or not of the form [a-z][a-z0-9_]*";
    /// The members `span_id` and `parent_span_id`.
    pub const SPAN_ID: &str = "a span id is not 16 lower-case hex digits";
    /// The member `data`.
    pub const DATA: &str = "`data` is missing, not an object or not the last member";
    /// Something like a seal that is none.
    pub const SEAL_REMAINS: &str = "the line holds the remains of a seal";
    /// `events` and `chain` of `trace_end`.
    pub const END_DATA: &str = "trace_end lacks `events` or `chain`, or they are of another type";
    /// An argument of `seal` that is sealed.
    pub const SEALED_ALREADY: &str = "the line is sealed already";
    /// A `kind` for the writer.
    pub const BAD_KIND: &str = "a kind has the form [a-z][a-z0-9_]*";
    /// [`crate::writer::Writer::write`] was given the event that only `end` can write.
    pub const END_BY_END: &str = "a trace_end is written by end alone, which knows its count and chain";
    /// A trace id for the writer.
    pub const BAD_TRACE_ID: &str = "a trace id is 32 lower-case hex digits, not all zero";
    /// A span id for the writer.
    pub const BAD_SPAN_ID: &str = "a span id is 16 lower-case hex digits, not all zero";
    /// `data` for the writer.
    pub const BAD_DATA: &str = "data is one JSON object on one line";
    /// A write after `end`.
    pub const ENDED: &str = "the trace has ended";
    /// A write after a failed sync.
    pub const SYNC_FAILED: &str = "an earlier sync failed: what was written since may be lost";
    /// A request that would not fit in a line when expanded.
    pub const EXPANDED_TOO_LONG: &str = "the expanded line is longer than the limit";
    /// The number of a sequence is used up.
    pub const SEQ_USED_UP: &str = "a trace can't hold more lines";
    /// No key to sign with.
    pub const NO_PRIVATE_KEY: &str = "no Ed25519 private key in PEM (openssl genpkey -algorithm ed25519)";
    /// No key to check with.
    pub const NO_PUBLIC_KEY: &str = "no Ed25519 public key in PEM (openssl pkey -pubout)";
}

/// One thing that is wrong with a stream of traces, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// What is wrong.
    pub kind: FindingKind,
    /// The trace, where the line's bytes can be believed.
    pub trace_id: Option<TraceId>,
    /// The line's own number, likewise.
    pub seq: Option<u64>,
    /// The number of the line in the stream, from 1; none where the finding is about the whole.
    pub line: Option<u64>,
    /// The place of the line's first byte in the unpacked stream.
    pub offset: Option<u64>,
    /// What should be there: the stored seal, the next number.
    pub expected: Option<String>,
    /// What is there: the computed checksum, the number found.
    pub got: Option<String>,
    /// One sentence for a person.
    pub message: String,
}

impl Finding {
    /// A finding of a kind, in the words of the table, about nothing in particular yet.
    #[must_use]
    pub fn new(kind: FindingKind) -> Self {
        Self {
            kind,
            trace_id: None,
            seq: None,
            line: None,
            offset: None,
            expected: None,
            got: None,
            message: kind.message().to_owned(),
        }
    }

    pub(crate) fn at(mut self, line: u64, offset: u64) -> Self {
        self.line = Some(line);
        self.offset = Some(offset);
        self
    }

    pub(crate) fn of(mut self, trace_id: TraceId, seq: u64) -> Self {
        self.trace_id = Some(trace_id);
        self.seq = Some(seq);
        self
    }

    pub(crate) fn compared(mut self, expected: String, got: String) -> Self {
        self.expected = Some(expected);
        self.got = Some(got);
        self
    }

    pub(crate) fn saying(mut self, message: &str) -> Self {
        message.clone_into(&mut self.message);
        self
    }
}

/// What the functions of this crate fail with.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// A line is not what FORMAT.md says. `why` is one of [`why`].
    Malformed {
        /// The reason, a sentence.
        why: &'static str,
    },
    /// The seal does not fit the bytes.
    Checksum {
        /// The stored seal.
        expected: u32,
        /// What the bytes give.
        got: u32,
    },
    /// The seal fits, and the line's version is a later one.
    UnsupportedVersion {
        /// The line's version.
        got: u64,
    },
    /// A text is not JSON, or not of the format's profile.
    Json {
        /// What is wrong.
        why: &'static str,
        /// Where, in bytes from the text's start.
        offset: usize,
    },
    /// A `base` names nothing that is known.
    MissingBase {
        /// The number that it names.
        seq: u64,
    },
    /// A `base` can't be applied.
    BadBase {
        /// The number of the line that has it.
        seq: u64,
    },
    /// More bytes than the limit.
    TooLong {
        /// What is too long, a sentence.
        why: &'static str,
        /// The limit.
        expected: usize,
        /// The length.
        got: usize,
    },
    /// The caller asked for what is not to be had: a bad name, a line after the end.
    Invalid {
        /// The reason, a sentence.
        why: &'static str,
    },
    /// A regular expression is wrong or too large.
    Pattern {
        /// What the expression's compiler says.
        message: String,
    },
    /// The system refused to read, write or sync.
    Io(io::Error),
}

impl Error {
    pub(crate) fn malformed(why: &'static str) -> Self {
        Self::Malformed { why }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed { why } | Self::Invalid { why } => f.write_str(why),
            Self::Checksum { expected, got } => {
                let message = FindingKind::ChecksumMismatch.message();
                write!(f, "{message}: it says {expected:08x}, they give {got:08x}")
            }
            Self::UnsupportedVersion { got } => {
                let message = FindingKind::UnsupportedVersion.message();
                write!(f, "{message}: {got}, and this release reads 1")
            }
            Self::Json { why, offset } => write!(f, "{why} at byte {offset}"),
            Self::MissingBase { seq } => {
                write!(f, "{}: seq {seq}", FindingKind::MissingBase.message())
            }
            Self::BadBase { seq } => write!(f, "{}: seq {seq}", FindingKind::BadBase.message()),
            Self::TooLong { why, expected, got } => {
                write!(f, "{why}: {got} bytes, and {expected} are allowed")
            }
            Self::Pattern { message } => f.write_str(message),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
