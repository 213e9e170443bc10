"""The contract between Python and the core. `_native` (Rust) and `_pure` (standard library) both keep it:
same bytes, same findings, same exceptions. Only `_backend` imports either.

A *finding* crosses this border as a tuple:
(kind: str, trace_id: str | None, seq: int | None, line: int | None, offset: int | None,
 expected: str | None, got: str | None, message: str); `line` counts from 1, `offset` is in bytes from the
start of the (unpacked) stream. `no_end` has no line; `no_start` has the line of the trace's first event, or
None in an empty file.
"""

from collections.abc import Sequence
from typing import Literal, Optional, Union

Buffer = Union[bytes, bytearray, memoryview]

FindingTuple = tuple[
    str,
    Optional[str],
    Optional[int],
    Optional[int],
    Optional[int],
    Optional[str],
    Optional[str],
    str,
]

BACKEND: Literal["native", "pure"]
FORMAT_VERSION: int  # 1
MAX_LINE_BYTES: int  # 64 MiB, the LF included
MAX_DEPTH: int  # 128, of the whole line

def crc32c(data: Buffer, value: int = 0) -> int:
    """CRC-32C (Castagnoli, RFC 3720) of `data`, going on from `value`. b"123456789" -> 0xe3069283."""

def compact_json(text: bytes, max_depth: int = 126) -> bytes:
    """`text`, one JSON value, spelled as a line holds it: no white space outside strings; strings with the
    fewest escapes (only `\\"`, `\\\\`, `\\b \\f \\n \\r \\t` and lower-case `\\u00xx` for other control
    characters; `/`, DEL and all of Unicode as themselves); numbers digit for digit as they were.
    ValueError ("… at byte N") for what is not JSON (RFC 8259) in strict UTF-8, and for what the format's
    profile bars: doubled keys (compared unescaped), lone surrogates, NaN/Infinity, depth over `max_depth`."""

def may_surprise(text: bytes, depth: int) -> bool:
    """Whether `text`, JSON, may hold a null, or may nest deeper than `depth`. False is sure, True is a guess."""

def seal(line: bytes) -> bytes:
    """An unsealed line in compact form (`{"v":1,…,"data":{…}}`, with or without LF) -> the sealed line with its LF.
    The bytes are not judged further. ValueError if it doesn't end in `}` or is sealed already."""

def seal_event(head: bytes, text: bytes, start: int, end: int) -> bytes:
    """A line's beginning up to `"data":`, and its data, `text[start:end]` -> the sealed line. Nothing is judged."""

def open_line(
    line: bytes,
) -> tuple[int, str, str, int, str, Optional[str], Optional[str], int, int, Optional[str]]:
    """One line, with its LF or without -> (v, trace_id, ts, seq, kind, span_id, parent_span_id, data_start,
    data_end, crc32c).
    `line[data_start:data_end]` is `data` as stored; crc32c is None for an unsealed line.
    Raises TraceFormatError (malformed), ChecksumError, UnsupportedVersionError."""

def ed25519_sign(private_key: str, message: bytes) -> tuple[bytes, bytes]:
    """(public key, signature) of `message` with an Ed25519 private key (PKCS#8 in PEM, as OpenSSL writes it).
    ValueError for what is no such key. The pure backend has no cryptography of its own: AgentTraceError."""

def ed25519_is_signed(public_key: str, message: bytes, signature: bytes) -> bool:
    """Whether the owner of an Ed25519 public key (SPKI in PEM) signed `message` so. Errors as `ed25519_sign`."""

def format_ts(ts_ns: int) -> str:
    """Nanoseconds since 1970 UTC -> `2026-11-22T06:40:00.123456789Z`; years 1970 to 9999, clamped."""

class Selection:
    """A condition on raw lines; all that are given must hold. Nothing but what a condition needs is parsed.

    kinds, span_ids (matches `span_id` or `parent_span_id`), trace_ids: any of them. since <= ts < until (30-byte
    form, compared as text). grep: a regular expression in the line's bytes (Rust's `regex` syntax, linear time;
    the pure backend takes literal strings only, ValueError "…" else). errors: only events that are errors as
    FORMAT.md defines it (kind `error`; `is_error` true; `error` not null in data; `http.status` >= 400 — or
    `status` >= 400 in
    `http_response`; `process_end`/`trace_end` with `exit_code` other than 0 or a `signal`).
    """

    def __init__(
        self,
        *,
        kinds: Optional[list[str]] = None,
        span_ids: Optional[list[str]] = None,
        trace_ids: Optional[list[str]] = None,
        since: Optional[str] = None,
        until: Optional[str] = None,
        grep: Optional[str] = None,
        errors: bool = False,
        holding: list[
            list[str]
        ] = ...,  # of each of these lists one literal must stand in the line's bytes
        comparing: list[
            tuple[list[str], str, str]
        ] = ...,  # path, operator of jq (or "true": neither null nor false), constant as JSON: see below
    ) -> None:
        """comparing: lines for which one of these surely does not hold are dropped. Those for which the bytes don't
        tell (long numbers, escapes, doubled names) pass, with the pure backend all.
        """

    def matches(self, line: bytes) -> bool:
        """`line` must be a good one (as a Scanner hands it on)."""

class Index:
    """Where the good lines of one stream are, and what they are, by row: 0 is the first, in file order. A Scanner that
    is made with it fills it; asking is safe meanwhile, from any thread.

    An event takes 9 bytes: the low half of its offset, its kind, its span. Lengths follow from the offsets; a number
    that doesn't go on from the row before takes 16, a stretch of damage 16, a span some 80. The time
    is read off the line.
    spooled: offsets are of the good lines alone, put end to end, as `feed` hands them on; else of the stream.
    """

    def __init__(self, *, spooled: bool = False) -> None: ...
    def __len__(self) -> int: ...
    def place(self, row: int) -> tuple[int, int]:
        """(offset, length with the LF) of a row's line. IndexError."""
    def stretch(self, first: int, limit_bytes: int) -> tuple[int, int, int]:
        """(offset, bytes, rows) of the rows from `first` on that stand end to end: as many as fit in `limit_bytes`,
        one at least. IndexError."""
    def row(self, row: int) -> tuple[str, int, str, Optional[str]]:
        """(trace_id, seq, kind, span_id) of a row. IndexError."""
    def span_of(self, row: int) -> int:
        """The row's span, by its place in `spans()`. IndexError."""
    def row_of(self, seq: int, trace_id: Optional[str] = None) -> Optional[int]:
        """The first row with this number, of this trace if one is given. ValueError for what is no trace id."""
    def find(
        self,
        start: int,
        step: int = 1,
        *,
        kinds: Optional[list[str]] = None,
        trace_id: Optional[str] = None,
        span_id: Optional[str] = None,
        errors: bool = False,
    ) -> Optional[int]:
        """The nearest row from `start` on (step 1), or before `start` (step -1), of which all that is given holds.
        ValueError for what is no id."""
    @property
    def errors(self) -> int:
        """How many rows are errors, as FORMAT.md has them."""
    def spans(self) -> tuple[list[str], list[bytes]]:
        """The traces; and of each span, as arrays of native numbers: its trace by its place among them (32 bits), its
        id (64; 0: what of the trace is in no span), its parent's id (64; 0: none), the row of its first event or last
        `span_start` (32; 2^32-1: no event), and the times in ns since 1970 of its first event and its latest (64; of
        the id 0: of the whole trace)."""
    def rows_by_span(self, end: int) -> tuple[bytes, bytes]:
        """For each span, and behind the last, where its rows begin in the second; the rows before `end` (32 bits)."""

class Projection:
    """Copies parts of events. whole: paths of values that are wanted, the names from the event down. stepped: of these
    values (and of all that wanted ones lie in) the type stays, and whether they are null or false. Names with escapes
    stay with all they hold, equal names too, and lines that are no JSON. The pure backend copies whole lines.
    """

    def __init__(self, whole: list[list[str]], stepped: list[list[str]]) -> None: ...
    def copy(self, lines: list[bytes]) -> bytes:
        """What is wanted of each line, an LF between them."""

class Redactor:
    """Puts `[redacted:NAME]` where secrets were. Everything but `patterns` is looked for in the text without escapes:
    JSON in a string in JSON, and percent signs, are seen through; of rules that overlap the first in the text names it.

    values: (NAME, secret as JSON has it). shapes: (NAME, how it begins, regular expression of bytes). named: (NAME,
    one of what stands before a name, names in small letters without - and _, what is behind it); a name with hyphens
    counts with them only, *END is what variables end with. A group is the secret. patterns: (NAME, regular expression),
    matched in each string of the JSON as the program had it; existing placeholders stay.
    Rust's `regex` syntax and linear time; the pure backend uses Python's `re`, and takes literal strings only as
    `patterns`. ValueError for an expression that is none."""

    def __init__(
        self,
        values: Sequence[tuple[str, bytes]],
        shapes: Sequence[tuple[str, Sequence[str], str]],
        named: Sequence[tuple[str, Sequence[str], Sequence[str], str]],
        patterns: Sequence[tuple[str, str]],
    ) -> None: ...
    def clean(self, data: bytes) -> tuple[bytes, int]:
        """(compact JSON with placeholders, how many; it stays JSON); the same object where nothing matched. Bytes
        in base64 ({"base64":"…"}) are cleaned as such."""
    def spans(self, text: bytes) -> list[tuple[int, int, str]]:
        """(start, end, NAME) of each secret in any bytes, in order."""
    def held(self, text: bytes) -> int:
        """How many of the last bytes (4 KiB at most) may be the beginning of a secret."""

class Scanner:
    """Judges the lines of one byte stream, pushed in pieces of any size; hands on the good ones.

    A stream that begins with the zstd magic is unpacked (concatenated and skippable frames too); offsets are
    then of the unpacked bytes. `judge="lines"` finds what one line shows (malformed, checksum_mismatch,
    unsupported_version,
    torn_line, damaged_frame); `"trace"` finds all of FORMAT.md; `"partial"` all but sequence_gap, no_start,
    no_end, torn_line,
    count_mismatch, chain_mismatch, missing_base. In `lines` mode unsealed lines are never a finding; else
    they are unless `allow_unsealed`.
    `deep` parses all JSON. At most `max_findings` are kept, all are counted. Memory is bounded by max_line_bytes:
    a longer line is `malformed` and is dropped as it streams by.
    """

    def __init__(
        self,
        *,
        judge: Literal["lines", "trace", "partial"] = "lines",
        allow_unsealed: bool = False,
        deep: bool = False,
        selection: Optional[Selection] = None,
        invert: bool = False,  # hand on the good lines that the selection does NOT match
        max_findings: int = 100,
        max_line_bytes: int = ...,
        index: Optional[Index] = None,  # filled with the good lines, selected or not
    ) -> None: ...
    def feed(self, chunk: Buffer) -> bytes:
        """The good lines that became complete (and match), as they came, concatenated; each ends in LF.
        Lets go of the GIL."""
    def judge_only(self, chunk: Buffer) -> None:
        """As `feed`, without handing anything on."""
    def judge_file(
        self,
        fd: int,
        start: int,
        end: int,
        *,
        seconds: float = 0.1,
        threads: Optional[int] = None,
        piece_bytes: Optional[int] = None,
    ) -> int:
        """As `judge_only` of what the regular file `fd` holds from byte `start` up to `end`, read in place (its
        position stays) and judged on all processors that are free (at most `threads`), `piece_bytes` at a time.
        Returns after about `seconds` how many bytes that were, at least one piece; 0 at the file's end, or while
        it is open whether the stream is packed (then push some). Lets go of the GIL. OSError."""
    def pass_file(
        self,
        fd: int,
        start: int,
        end: int,
        out: int,
        *,
        seconds: float = 0.1,
        threads: Optional[int] = None,
        piece_bytes: Optional[int] = None,
    ) -> int:
        """As `judge_file`; what `feed` would return is written to the descriptor `out`, all of it before this returns,
        by the calling thread. Handlers of signals run when a write is interrupted; what they raise ends it. An OSError
        has the descriptor that failed, `fd` or `out`, as its `filename`; of a file that can't be read on, what was read
        before is written."""
    def finish(self) -> bytes:
        """The stream is over. A tail without LF is `torn_line`, never an event. Returns b"" or what
        decompression still held."""
    def take_findings(self) -> list[FindingTuple]:
        """Findings since the last call (of those kept)."""
    def peek_end(self) -> tuple[str, int, list[FindingTuple]]:
        """(status, findings_total, new findings) that `finish` would come to if the stream, not a packed one, were over
        here. It can go on: what is said is of a file that may still grow."""
    @property
    def all_ended(self) -> bool:
        """Whether every trace seen so far has its trace_end (False before the first line). For `cat -f`."""
    @property
    def findings_total(self) -> int: ...
    @property
    def passed(self) -> int:
        """Lines handed on so far."""
    def report(self) -> tuple[str, int, int, int, int, int]:
        """(status, traces, events, bytes, sealed, findings_total); status as FORMAT.md: intact, incomplete,
        unsupported, corrupt.
        events: good lines; bytes: of the unpacked stream."""

class Conversations:
    """Expands `llm_request` lines that hold only what is new (`base`). Feed it each good line in file order;
    traces may be interleaved. Remembers the last 64 requests of each trace, their messages shared.
    `check_seal=False` finds the base by its number alone (for lines that were edited)."""

    def __init__(self, *, check_seal: bool = True, max_line_bytes: int = ...) -> None: ...
    def expand(self, line: bytes) -> bytes:
        """The line itself unless it is an `llm_request` with `base`: then the same event with the whole `request`,
        without `base`, sealed anew if it was sealed. TraceFormatError where the base is missing or bad, or
        the result too long."""

class Totals:
    """What events add up to, as `trace_end` has it."""

    def count(self, kind: str, data: bytes) -> None:
        """Adds one event. data: its JSON."""
    def to_dict(self) -> dict[str, float]:
        """Counts by name; `cost_usd` only where a price was known."""

class ZstdUnpacker:
    """Unpacks a zstd stream piece by piece: the body of an HTTP answer. AgentTraceError where no zstd is installed."""

    def __init__(self) -> None: ...
    def decompress(self, data: bytes, max_bytes: int) -> bytes:
        """What became whole blocks, its first `max_bytes`. ValueError for what is no zstd."""

class Writer:
    """Numbers, seals and writes the lines of one trace to a file descriptor: one write(2) a line, LF in it.

    The descriptor stays the caller's (never closed here) and should be O_APPEND. flush: `event` writes each
    line at once; `batch` gathers whole lines up to 64 KiB (until flush(), or an event 100 ms after the last write);
    `sync` also fdatasyncs each line. `compress` writes a zstd stream with content checksums: a block flush per
    write(2), a new frame every 8 MiB of input. `first_lf`: begin with LF (the tail was torn).

    On a short or failed write the file is cut back to the last whole line (or, where it can't be, LF comes
    first next time), the
    event does not count, OSError is raised and the next write may succeed. EINTR is retried. Safe from any thread.
    redactor: puts its placeholders into all data first.
    """

    def __init__(
        self,
        fd: int,
        trace_id: str,
        *,
        flush: Literal["event", "batch", "sync"] = "event",
        compress: bool = False,
        first_lf: bool = False,
        max_line_bytes: int = ...,
        redactor: Optional[Redactor] = None,
    ) -> None: ...
    def write(
        self,
        kind: str,
        data: bytes,
        span_id: Optional[str] = None,
        parent_span_id: Optional[str] = None,
        ts_ns: int = 0,
    ) -> int:
        """`data`: one compact JSON object (trusted to be so: what compact_json or orjson makes). ts_ns 0 is
        now. Returns `seq`.
        In an `llm_request` whose data has an object `request` (and no `base`) the conversation rule applies.
        ValueError: bad kind or ids, not an object, line over the limit."""
    def write_sure(
        self,
        kind: str,
        data: bytes,
        span_id: Optional[str],
        parent_span_id: Optional[str],
        depth: int,
    ) -> bool:
        """As `write`, now. False, and nothing is written, where `may_surprise(data, depth)`: what orjson made
        is looked at and written in one call."""
    def end(self, data: bytes, ts_ns: int = 0) -> int:
        """Writes `trace_end`: `data` with `events` and `chain` added behind its members; flushes. Later
        writes raise ValueError."""
    def flush(self) -> None: ...
    def totals(self) -> dict[str, float]:
        """What the events so far add up to: `Totals.to_dict`."""
    @property
    def redactions(self) -> int: ...  # placeholders that were put in
    @property
    def trace_id(self) -> str: ...
    @property
    def events(self) -> int: ...
    @property
    def ended(self) -> bool: ...
