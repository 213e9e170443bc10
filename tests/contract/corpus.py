"""A whole trace, harmed in every way that files are harmed in: the cases that a judge of traces has to tell.

A class of harm has so many cases, made by their number, so that a test can take all or some of them.
`python -m tests.contract.corpus [FILE]` judges all, of a trace of its own or of FILE, and prints how many were told.
"""

from __future__ import annotations

import json
import random
import sys
import time
from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from types import ModuleType
from typing import Callable, NamedTuple, Optional

from tests.contract.making import OTHER, TRACE, compact, end, line, sealed

TOLD = frozenset({"incomplete", "unsupported", "corrupt"})
CORRUPT = frozenset({"corrupt"})
CUT_OFF = frozenset({"incomplete"})
_INSERTED = b" \n\r\0\tx0"


class Harm(NamedTuple):
    """A class of damage. verdicts: those that are right. makes_lines: new good lines may come of it."""

    name: str
    count: int
    make: Callable[[int], bytes]
    verdicts: frozenset[str] = TOLD
    makes_lines: bool = False

    def sample(self, most: Optional[int]) -> Iterator[tuple[int, bytes]]:
        """At most so many cases, spread over all of them; the first and the last are there."""
        count = self.count if most is None else min(most, self.count)
        for index in range(count):
            number = index * (self.count - 1) // max(count - 1, 1)
            yield number, self.make(number)


def conversation(trace: str = TRACE, turns: int = 6, word: str = "Zürich") -> list[bytes]:
    """A trace as an agent leaves it: `4 * turns` lines, requests on one another among them."""
    lines = [line(0, "trace_start", compact({"name": "weather"}), trace=trace)]
    before: Optional[bytes] = None
    for turn in range(turns):
        span = f'"span_id":"{turn + 1:016x}",'
        messages: list[object] = [{"role": "user", "content": f"And {word} on day {turn}? " * 14}]
        data: dict[str, object] = {"model": "gpt-5", "request": {"messages": messages}}
        if before is not None:
            base = {"seq": len(lines) - 3, "crc32c": before[-11:-3].decode()}
            data["base"] = {**base, "prefix": {"messages": turn}}
        before = line(len(lines), "llm_request", compact(data), trace=trace, more=span)
        lines.append(before)
        for kind in ("llm_chunk", "llm_response"):
            said = {"text": f'4 °C and rain in {word}, "{turn}" ' * (1 + 9 * (turn % 3))}
            lines.append(line(len(lines), kind, compact(said), trace=trace, more=span))
    return [*lines, end(lines, trace=trace)]


def harms(lines: list[bytes], foreign: list[bytes]) -> list[Harm]:
    """Every class, for a whole trace and one of another trace id with as many lines at least."""
    stream = b"".join(lines)
    return [
        *_of_bytes(stream),
        *_of_sectors(lines, b"".join(foreign)),
        *_of_lines(lines, foreign),
        *_of_spelling(lines),
        *_of_ends(lines),
        *_sealed_again(lines),
        _welds(lines),
    ]


def _of_bytes(stream: bytes) -> list[Harm]:
    def flip(number: int) -> bytes:
        harmed = bytearray(stream)
        harmed[number // 8] ^= 1 << number % 8
        return bytes(harmed)

    def insert(number: int) -> bytes:
        at, byte = divmod(number, len(_INSERTED))
        return stream[:at] + _INSERTED[byte : byte + 1] + stream[at:]

    size = len(stream)
    return [
        Harm("a bit flipped", 8 * size, flip),
        Harm("a byte deleted", size, lambda at: stream[:at] + stream[at + 1 :]),
        Harm("a byte inserted", (size + 1) * len(_INSERTED), insert),
        Harm("cut at a length", size, lambda at: stream[:at], CUT_OFF),
    ]


def _of_sectors(lines: list[bytes], old: bytes) -> list[Harm]:
    stream = b"".join(lines)

    def zeroed(size: int) -> Harm:
        def make(number: int) -> bytes:
            at = number * size
            return stream[:at] + bytes(len(stream[at : at + size])) + stream[at + size :]

        return Harm(f"a sector of {size} bytes zeroed", -(-len(stream) // size), make)

    def lost_power(number: int) -> bytes:
        """What was not synced is there, reads as zeros, or as what stood there before, sector by sector."""
        chance = random.Random(number)
        at = chance.randrange(len(lines))
        synced = len(b"".join(lines[:at]))
        rest = bytearray(stream[synced:])
        kinds = [chance.randrange(3) for _ in range(0, len(rest), 512)]
        kinds[chance.randrange(len(kinds))] = 1
        for index, kind in enumerate(kinds):
            place = slice(512 * index, 512 * index + 512)
            if kind:
                size = len(rest[place])
                was = old[synced + 512 * index :][:size].ljust(size, b"\0")
                rest[place] = bytes(size) if kind == 1 else was
        return stream[:synced] + bytes(rest)

    def nul_run(number: int) -> bytes:
        at, exponent = divmod(number, 10)
        return b"".join([*lines[:at], bytes(1 << exponent), *lines[at:]])

    return [
        zeroed(512),
        zeroed(4096),
        Harm("a tail zeroed", len(stream), lambda at: stream[:at] + bytes(len(stream) - at)),
        Harm("a run of NUL", 10 * (len(lines) + 1), nul_run),
        Harm("power lost", 500, lost_power),
    ]


def _of_lines(lines: list[bytes], foreign: list[bytes]) -> list[Harm]:
    pairs = [(a, b) for b in range(len(lines)) for a in range(b)]
    last = len(lines) - 1

    def swapped(number: int) -> bytes:
        a, b = pairs[number]
        return b"".join([*lines[:a], lines[b], *lines[a + 1 : b], lines[a], *lines[b + 1 :]])

    def without(at: int) -> bytes:
        return b"".join(lines[:at] + lines[at + 1 :])

    def mixed(at: int) -> bytes:
        return b"".join([*lines[:at], foreign[at], *lines[at + 1 :]])

    return [
        Harm("a line deleted", last, without, CORRUPT),
        Harm("the end deleted", 1, lambda _: without(last), CUT_OFF),
        Harm(
            "a line doubled", last + 1, lambda at: b"".join(lines[: at + 1] + lines[at:]), CORRUPT
        ),
        Harm("two lines swapped", len(pairs), swapped, CORRUPT),
        Harm("joined to itself", 1, lambda _: b"".join(lines * 2), CORRUPT),
        Harm("a line of another trace", last + 1, mixed, CORRUPT, makes_lines=True),
        Harm(
            "no end, and a line deleted",
            last - 1,
            lambda at: b"".join(lines[:at] + lines[at + 1 : last]),
            CORRUPT,
        ),
        Harm(
            "no end, and a line of another trace",
            last - 1,
            lambda at: b"".join([*lines[:at], foreign[at], *lines[at + 1 : last]]),
            CORRUPT,
            makes_lines=True,
        ),
    ]


def _of_spelling(lines: list[bytes]) -> list[Harm]:
    stream = b"".join(lines)

    def one_by(change: Callable[[bytes], bytes]) -> Callable[[int], bytes]:
        return lambda at: b"".join([*lines[:at], change(lines[at]), *lines[at + 1 :]])

    def unsealed(one: bytes) -> bytes:
        return one[:-22] + b"}\n"

    spelled = [one for one in range(len(lines)) if lines[one][-11:-3].upper() != lines[one][-11:-3]]
    upper = one_by(lambda one: one[:-11] + one[-11:-3].upper() + one[-3:])
    each = len(lines)
    return [
        Harm("CRLF everywhere", 1, lambda _: stream.replace(b"\n", b"\r\n"), CORRUPT),
        Harm("a CRLF", each, one_by(lambda one: one[:-1] + b"\r\n"), CORRUPT),
        Harm("a blank line", each, one_by(lambda one: b"\n" + one), CORRUPT),
        Harm("a byte order mark", each, one_by(lambda one: b"\xef\xbb\xbf" + one), CORRUPT),
        Harm("a space at the end of a line", each, one_by(lambda one: one[:-1] + b" \n"), CORRUPT),
        Harm("a seal in upper case", len(spelled), lambda at: upper(spelled[at]), CORRUPT),
        Harm("a seal taken off", each, one_by(unsealed), CORRUPT, makes_lines=True),
        Harm("a line of noise", each, one_by(lambda one: b"noise\n" + one), CORRUPT),
        Harm(
            "a damaged line more",
            each,
            one_by(lambda one: one[:-11] + _other_digit(one[-11:-3]) + one[-3:] + one),
            CORRUPT,
        ),
        Harm("a torn line behind the end", 60, lambda at: stream + lines[1][: at + 1], CUT_OFF),
    ]


def _other_digit(digits: bytes) -> bytes:
    return (b"0" if digits[:1] != b"0" else b"1") + digits[1:]


def _again(one: bytes, old: bytes, new: bytes) -> bytes:
    """The line with something else in it, sealed again."""
    assert old in one
    return sealed((one[:-22] + b"}").replace(old, new, 1))


def _of_ends(lines: list[bytes]) -> list[Harm]:
    """Ends that state what is not so."""
    states = json.loads(lines[-1])["data"]
    events, chain = states["events"], states["chain"].encode()
    counts = [events + 1, events - 1, 0, -events, events * 10]

    def other_count(number: int) -> bytes:
        last = _again(lines[-1], b'"events":%d' % events, b'"events":%d' % counts[number])
        return b"".join([*lines[:-1], last])

    def other_chain(_: int) -> bytes:
        return b"".join([*lines[:-1], _again(lines[-1], chain, _other_digit(chain))])

    return [
        Harm("an end with another count", len(counts), other_count, CORRUPT, makes_lines=True),
        Harm("an end with another chain", 1, other_chain, CORRUPT, makes_lines=True),
    ]


def _sealed_again(lines: list[bytes]) -> list[Harm]:
    """Lines whose seals fit, and for most of them the end too: what only one check tells."""
    inner = lines[:-1]

    def edited(at: int) -> bytes:
        return b"".join(
            [*lines[:at], _again(lines[at], b'"data":{', b'"data":{"e":1,'), *lines[at + 1 :]]
        )

    def closed(some: list[bytes], seq: Optional[int] = None) -> bytes:
        return b"".join([*some, end(some, seq)])

    top = len(inner)
    newer = [*inner, line(top, "log", v=2)]
    far = [*inner, line(top + 5)]
    twice = [*inner, line(top - 1)]
    on_nothing = [*inner, line(top, "llm_request", b'{"request":{},"base":' + _NO_BASE + b"}")]
    badly = [*inner, line(top, "llm_request", b'{"request":{},"base":{"seq":"1"}}')]
    ended = closed(inner)
    cases = {
        "a line of a later version": (closed(newer), frozenset({"unsupported"})),
        "a number left out": (closed(far, top + 6), CORRUPT),
        "a number twice": (closed(twice, top), CORRUPT),
        "a request without its base": (closed(on_nothing), CORRUPT),
        "a request with a bad base": (closed(badly), CORRUPT),
        "a line behind the end": (ended + line(top + 1), CORRUPT),
        "a second end": (ended + end([*inner, lines[-1]]), CORRUPT),
        "no start": (closed([line(0), *inner[1:]]), CORRUPT),
        "numbers from 1 on": (
            closed([line(1, "trace_start"), line(2), line(3)], 4),
            CORRUPT,
        ),
        "a CR under a seal that fits": (closed([*inner, line(top, data=b'{"a":\r1}')]), CORRUPT),
        "a NUL under a seal that fits": (closed([*inner, line(top, data=b'{"a":\x001}')]), CORRUPT),
        "an end without figures": (b"".join([*inner, line(top, "trace_end")]), CORRUPT),
        "a trace in a trace": (
            b"".join([*inner, line(0, "log", trace=OTHER), end(inner)]),
            CORRUPT,
        ),
    }
    return [
        Harm("a line edited and sealed again", top, edited, CORRUPT, makes_lines=True),
        *(
            Harm(name, 1, lambda _, made=made: made, verdicts, makes_lines=True)  # type: ignore[misc]
            for name, (made, verdicts) in cases.items()
        ),
    ]


_NO_BASE = b'{"seq":0,"crc32c":"00000000","prefix":{"messages":1}}'


def _welds(lines: list[bytes]) -> Harm:
    """Any line, cut at any place, and any later one behind it, the next too."""
    pairs = [(a, b) for a in range(len(lines)) for b in range(a + 1, len(lines))]
    starts = [0, *accumulate(len(lines[a]) - 1 for a, _ in pairs)]

    def make(number: int) -> bytes:
        pair = bisect_right(starts, number) - 1
        a, b = pairs[pair]
        cut = number - starts[pair] + 1
        return b"".join([*lines[:a], lines[a][:cut], *lines[b:]])

    return Harm("two lines welded", starts[-1], make, CORRUPT)


def verdict(backend: ModuleType, stream: bytes) -> tuple[str, bytes]:
    """(status, the lines that were handed on)."""
    scanner = backend.Scanner(judge="trace")
    out = scanner.feed(stream) + scanner.finish()
    return scanner.report()[0], out


def fault(backend: ModuleType, harm: Harm, stream: bytes, good: frozenset[bytes]) -> Optional[str]:
    """What a judge does wrong with a case; None if it tells what is to be told."""
    status, out = verdict(backend, stream)
    if status not in harm.verdicts:
        return f"{status}, not {' or '.join(sorted(harm.verdicts))}"
    if harm.makes_lines:
        return None
    wrong = [one for one in out.splitlines(keepends=True) if one not in good]
    return f"handed on {wrong[0]!r}" if wrong else None


def trace_and_foreign() -> tuple[list[bytes], list[bytes]]:
    """The trace that is harmed, 20 lines, and one of somebody else's."""
    return conversation(), conversation(OTHER, word="Genève")


def _of_file(path: Path) -> tuple[list[bytes], list[bytes]]:
    """The lines of a trace, and the same under another trace id with seals that fit."""
    lines = path.read_bytes().splitlines(keepends=True)
    trace = json.loads(lines[0])["trace_id"].encode()
    return lines, [_again(one, trace, OTHER.encode()) for one in lines]


def _print_table(backend: ModuleType, lines: list[bytes], foreign: list[bytes]) -> int:
    good = frozenset(lines) | frozenset(foreign)
    print(f"{len(b''.join(lines)):,} bytes, {len(lines)} lines, backend {backend.BACKEND}")
    total = missed = 0
    for harm in harms(lines, foreign):
        began, wrong = time.monotonic(), 0
        for number, stream in harm.sample(None):
            said = fault(backend, harm, stream, good)
            if said is not None:
                wrong += 1
                print(f"  {harm.name} {number}: {said}")
        print(f"{harm.count:>9,}  {wrong:>3} {time.monotonic() - began:6.1f} s  {harm.name}")
        total, missed = total + harm.count, missed + wrong
    print(f"{total:>9,}  {missed:>3}  in all")
    return 1 if missed else 0


if __name__ == "__main__":
    from agenttrace import _native

    given = _of_file(Path(sys.argv[1])) if len(sys.argv) > 1 else trace_and_foreign()
    sys.exit(_print_table(_native, *given))
