"""What is said of each way a trace can be wrong; the same sentences as the core's."""

from __future__ import annotations

FINDINGS = {
    "malformed": "the line does not have the form of a line",
    "checksum_mismatch": "the seal does not fit the bytes",
    "unsupported_version": "the line is of a later format version",
    "unsealed": "the line has no seal",
    "sequence_gap": "lines are missing before this one",
    "sequence_repeat": "the line repeats a number or comes too late",
    "no_start": "the trace does not begin with a trace_start numbered 0",
    "no_end": "the trace has no trace_end: it was cut off",
    "after_end": "the line comes after the trace_end of its trace",
    "torn_line": "the last line is cut off",
    "damaged_frame": "the zstd frame is damaged",
    "count_mismatch": "trace_end counts another number of lines",
    "chain_mismatch": "the chain in trace_end does not fit the lines",
    "missing_base": "`base` names no llm_request within reach that has this seal",
    "bad_base": "`base` does not fit the request that it names",
}

EMPTY = "the file is empty"
CUT_FRAME = "the last zstd frame is cut off"
BLANK = "the line is blank"
NUL = "the line holds a NUL byte"
CR = "the line holds a carriage return"
LF = "the line holds a line feed"
TOO_LONG = "the line is longer than the limit"
NOT_JSON = "the line is not valid JSON"
FRAME = "the line's members are not those of the format, in their order and form"
NOT_CLOSED = "the line is not closed by a seal or `}`"
DATA_NOT_JSON = "`data` is not a valid JSON object"
SEQ = "`seq` is missing or not a number below 2^53"
V = "the line does not begin with `v` and a format version"
TRACE_ID = "`trace_id` is missing or not 32 lower-case hex digits"
SPAN_ID = "a span id is not 16 lower-case hex digits"
SEAL_REMAINS = "the line holds the remains of a seal"
END_DATA = "trace_end lacks `events` or `chain`, or they are of another type"
SEALED_ALREADY = "the line is sealed already"
BAD_KIND = "a kind has the form [a-z][a-z0-9_]*"
BAD_TRACE_ID = "a trace id is 32 lower-case hex digits, not all zero"
BAD_SPAN_ID = "a span id is 16 lower-case hex digits, not all zero"
BAD_DATA = "data is one JSON object on one line"
ENDED = "the trace has ended"
SYNC_FAILED = "an earlier sync failed: what was written since may be lost"
EXPANDED_TOO_LONG = "the expanded line is longer than the limit"
SEQ_USED_UP = "a trace can't hold more lines"
