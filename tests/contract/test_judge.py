"""What is found in a trace, exactly: each kind, its places, its modes, and the verdict."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

from tests.contract.making import OTHER, TRACE, end, event, judged, kinds, line, passed, trace

START = line(0, "trace_start")


def test_findings_of_numbering_say_what_was_expected(backend: ModuleType) -> None:
    """Gap and repeat in decimal, the start and the end by their trace alone."""
    stream = b"".join([START, line(2), line(1), line(3)])
    _, found = judged(backend, stream)
    at = len(START)
    step = len(line(2))
    assert found == [
        ("sequence_gap", TRACE, 2, 2, at, "1", "2"),
        ("sequence_repeat", TRACE, 1, 3, at + step, "3", "1"),
        ("no_end", TRACE, None, None, None, None, None),
    ]


@pytest.mark.parametrize("first", [line(1, "trace_start"), line(0, "log"), line(5)])
def test_a_trace_begins_with_its_start(backend: ModuleType, first: bytes) -> None:
    """Numbered 0 and of that kind; numbering goes on from what is there."""
    number = backend.open_line(first)[3]
    found = kinds(backend, first + line(number + 1))
    assert found == [("no_start", 1), ("no_end", None)]


def test_what_follows_the_end_is_after_it(backend: ModuleType) -> None:
    """Numbered on or not."""
    lines = trace(1)
    _, found = judged(backend, b"".join([*lines, line(3)]))
    assert [one[:4] for one in found] == [("after_end", TRACE, 3, 4)]


def test_count_and_chain_are_compared_with_the_lines(backend: ModuleType) -> None:
    """Both are reported, with what the end says and what the lines give."""
    data = b'{"events":7,"chain":"00000000"}'
    _, found = judged(backend, START + line(1, "trace_end", data))
    chain = f"{backend.crc32c(bytes.fromhex(START[-11:-3].decode())):08x}"
    at = len(START)
    assert found == [
        ("count_mismatch", TRACE, 1, 2, at, "7", "1"),
        ("chain_mismatch", TRACE, 1, 2, at, "00000000", chain),
    ]


@pytest.mark.parametrize(
    "data",
    [b"{}", b'{"events":1}', b'{"chain":"00000000"}', b'{"events":"1","chain":"00000000"}',
     b'{"events":1.0,"chain":"00000000"}', b'{"events":1,"chain":"0000000"}', b"{nonsense}",
     b'{"events":1,"chain":"0000000G"}', b'{"events":1,"chain":0}', b'{"x":{"events":1}}'],
)  # fmt: skip
def test_an_end_that_promises_nothing_is_malformed(backend: ModuleType, data: bytes) -> None:
    """Its `events` and `chain` must be there, of their types, in every mode."""
    stream = START + line(1, "trace_end", data)
    assert kinds(backend, stream, judge="lines") == [("malformed", 2)]
    assert kinds(backend, stream) == [("malformed", 2), ("no_end", None)]


def test_lines_of_a_later_version_count_and_are_skipped(backend: ModuleType) -> None:
    """They are one number, one event, one link of the chain; nothing else is said of them."""
    lines = [START, line(1, v=2), line(2), line(3, v=7), line(4)]
    stream = b"".join([*lines, end(lines)])
    status, found = judged(backend, stream)
    assert status == "unsupported"
    assert [(one[0], one[2], one[5], one[6]) for one in found] == [
        ("unsupported_version", 1, "1", "2"),
        ("unsupported_version", 3, "1", "7"),
    ]
    assert passed(backend, stream).count(b"\n") == 4


def test_unsealed_lines_count_as_well(backend: ModuleType) -> None:
    """Refused unless allowed; their virtual seal is a link of the chain either way."""
    lines = [START, event(1) + b"\n", event(2).replace(b",", b" , ", 3) + b"\n"]
    stream = b"".join([*lines, end(lines)])
    assert kinds(backend, stream) == [("unsealed", 2), ("unsealed", 3)]
    assert judged(backend, stream, allow_unsealed=True) == ("intact", [])
    assert judged(backend, stream, judge="lines") == ("intact", [])
    assert passed(backend, stream, judge="trace") == stream


def test_interleaved_traces_are_judged_each_by_itself(backend: ModuleType) -> None:
    """Several traces in one stream are legal."""
    first, second = trace(5), trace(5, trace=OTHER)
    stream = b"".join(one + other for one, other in zip(first, second))
    scanner = backend.Scanner(judge="trace")
    scanner.judge_only(stream)
    scanner.finish()
    assert scanner.report() == ("intact", 2, 14, len(stream), 14, 0)


def test_no_end_is_said_of_each_trace_in_order(backend: ModuleType) -> None:
    """The order is that of their first lines."""
    stream = START + line(0, "trace_start", trace=OTHER)
    _, found = judged(backend, stream)
    assert [one[1] for one in found] == [TRACE, OTHER]


STATUSES: dict[str, tuple[bytes, str]] = {
    "nothing at all": (b"", "incomplete"),
    "a torn line alone": (b'{"v":1', "incomplete"),
    "a start alone": (START, "incomplete"),
    "a start, torn": (START[:-1], "incomplete"),
    "later, cut off": (START + line(1, v=2), "unsupported"),
    "later and damaged": (START + line(1, v=2) + b"\n", "corrupt"),
    "no start": (line(1), "corrupt"),
    "a blank line": (b"\n", "corrupt"),
}


@pytest.mark.parametrize("name", STATUSES)
def test_the_verdict_is_that_of_the_worst_finding(backend: ModuleType, name: str) -> None:
    """intact, incomplete, unsupported, corrupt."""
    stream, status = STATUSES[name]
    assert judged(backend, stream)[0] == status


def test_an_empty_stream_has_no_start(backend: ModuleType) -> None:
    """One finding about nothing in particular; none where a part is judged."""
    assert judged(backend, b"")[1] == [("no_start", None, None, None, None, None, None)]
    assert judged(backend, b"", judge="partial") == ("intact", [])
    assert judged(backend, b"", judge="lines") == ("intact", [])


WAIVED = {
    "a filtered trace": b"".join([line(3), line(7), line(8)]),
    "a torn tail": START + line(1)[:-4],
    "an end of more": START + line(9, "trace_end", b'{"events":9,"chain":"00000000"}'),
    "a base that is elsewhere": line(4, "llm_request", b'{"request":{},"base":{"seq":1,"crc32c":"00000000"}}'),
}  # fmt: skip
KEPT = {
    "a repeat": (START + line(1) + line(1), ("sequence_repeat", 3)),
    "what follows an end, a gap between": (b"".join(trace(1)) + line(9), ("after_end", 4)),
    "a bad base": (line(4, "llm_request", b'{"request":{},"base":{}}'), ("bad_base", 1)),
    "an unsealed line": (event(4) + b"\n", ("unsealed", 1)),
    "damage": (b"x\n", ("malformed", 1)),
}


@pytest.mark.parametrize("name", WAIVED)
def test_a_part_is_not_blamed_for_what_it_lacks(backend: ModuleType, name: str) -> None:
    """`partial` waives what filtering, joining and growing bring."""
    assert judged(backend, WAIVED[name], judge="partial") == ("intact", [])
    assert judged(backend, WAIVED[name])[0] != "intact"


@pytest.mark.parametrize("name", KEPT)
def test_a_part_is_blamed_for_damage(backend: ModuleType, name: str) -> None:
    """Never waived: damage, repeats, reordering."""
    stream, found = KEPT[name]
    assert kinds(backend, stream, judge="partial") == [found]


def request(seq: int, members: bytes, base: bytes = b"") -> bytes:
    data = b'{"request":{%b}%b}' % (members, b',"base":' + base if base else b"")
    return line(seq, "llm_request", data)


FULL = request(1, b'"m":[1,[2],{"a":3}],"t":"x","n":[]')
SEAL = FULL[-11:-3]
BASES: dict[str, tuple[bytes, bytes, str | None]] = {
    "same and prefix": (b'"m":[4]', b',"same":["t"],"prefix":{"m":3}', None),
    "nothing shared": (b'"m":[4]', b"", None),
    "an empty prefix": (b'"n":[]', b',"prefix":{"n":0}', None),
    "a prefix too long": (b'"m":[4]', b',"prefix":{"m":4}', "bad_base"),
    "a prefix of no array there": (b'"t":[4]', b',"prefix":{"t":1}', "bad_base"),
    "a prefix of no array here": (b'"m":4', b',"prefix":{"m":1}', "bad_base"),
    "a prefix of nothing here": (b"", b',"prefix":{"m":1}', "bad_base"),
    "a prefix of nothing there": (b'"z":[]', b',"prefix":{"z":0}', "bad_base"),
    "same of nothing there": (b"", b',"same":["z"]', "bad_base"),
    "same and here": (b'"t":1', b',"same":["t"]', "bad_base"),
    "same twice": (b"", b',"same":["t","t"]', "bad_base"),
    "same and prefix of one": (b'"m":[]', b',"same":["m"],"prefix":{"m":1}', "bad_base"),
    "same of numbers": (b"", b',"same":[1]', "bad_base"),
    "same as a string": (b"", b',"same":"t"', "bad_base"),
    "prefix as an array": (b"", b',"prefix":[]', "bad_base"),
    "a negative prefix": (b'"m":[]', b',"prefix":{"m":-1}', "bad_base"),
    "a fraction as prefix": (b'"m":[]', b',"prefix":{"m":1.0}', "bad_base"),
    "an unknown member": (b"", b',"x":1', "bad_base"),
}


@pytest.mark.parametrize("name", BASES)
def test_a_base_must_fit_the_request_that_it_names(backend: ModuleType, name: str) -> None:
    """Types, names and lengths, without the messages being kept."""
    members, more, wanted = BASES[name]
    short = request(2, members, b'{"seq":1,"crc32c":"%b"%b}' % (SEAL, more))
    found = kinds(backend, START + FULL + short)
    assert found == ([(wanted, 3)] if wanted else []) + [("no_end", None)]


@pytest.mark.parametrize("base", [b"1", b"[]", b"null", b'{"seq":1}', b'{"crc32c":"00000000"}',
                                  b'{"seq":"1","crc32c":"00000000"}', b'{"seq":1,"crc32c":"0"}',
                                  b'{"seq":1,"crc32c":"0000000A"}', b'{"seq":01,"crc32c":1}'])  # fmt: skip
def test_a_base_of_another_type_is_bad_or_not_json(backend: ModuleType, base: bytes) -> None:
    """Bad where it is JSON; what is none is not looked into."""
    found = kinds(backend, START + FULL + request(2, b"", base))
    assert found == ([] if b":01" in base else [("bad_base", 3)]) + [("no_end", None)]


def test_a_base_without_a_request_is_bad(backend: ModuleType) -> None:
    """There is nothing that it could belong to."""
    data = b'{"body":"x","base":{"seq":1,"crc32c":"%b"}}' % SEAL
    assert ("bad_base", 3) in kinds(backend, START + FULL + line(2, "llm_request", data))


@pytest.mark.parametrize(
    "base", [b'{"seq":0,"crc32c":"%b"}' % SEAL, b'{"seq":1,"crc32c":"00000000"}']
)
def test_a_base_that_is_not_there_is_missing(backend: ModuleType, base: bytes) -> None:
    """By number and by seal; what builds on the unknown is not judged."""
    broken = request(2, b"", base)
    on_it = request(3, b"", b'{"seq":2,"crc32c":"%b","same":["zzz"]}' % broken[-11:-3])
    found = kinds(backend, START + FULL + broken + on_it)
    assert found == [("missing_base", 3), ("no_end", None)]


@pytest.mark.parametrize(("between", "wanted"), [(63, []), (64, [("missing_base", 67)])])
def test_a_base_is_within_the_last_64_requests(
    backend: ModuleType, between: int, wanted: list[Any]
) -> None:
    """Other kinds don't count, requests without a body do."""
    lines = [START, FULL, *(line(2 + i, "llm_request", b'{"body":""}') for i in range(between))]
    lines.append(request(2 + between, b"", b'{"seq":1,"crc32c":"%b"}' % SEAL))
    assert kinds(backend, b"".join(lines))[:-1] == wanted


def test_bases_are_not_looked_at_line_by_line(backend: ModuleType) -> None:
    """`lines` says what one line shows."""
    stream = START + request(1, b"", b"{}")
    assert judged(backend, stream, judge="lines") == ("intact", [])


@pytest.mark.parametrize(
    "data", [b"{x}", b'{"a":"\xff"}', b'{"a":NaN}', b'{"a":' + b"[" * 127 + b"]" * 127 + b"}"]
)
def test_deep_parses_the_data_of_sealed_lines(backend: ModuleType, data: bytes) -> None:
    """UTF-8, JSON and depth; without `deep` the seal is enough."""
    stream = START + line(1, data=data)
    assert kinds(backend, stream, deep=True)[0] == ("malformed", 2)
    assert kinds(backend, stream) == [("no_end", None)]


@pytest.mark.parametrize(
    "data",
    [
        b'{"a":' + b"[" * 126 + b"]" * 126 + b"}",
        b'{"a":"' + b"[" * 300 + b'"}',
        b'{"a":' + b"9" * 5000 + b"}",
        rb'{"a":"\ud800","a":1}',
    ],
)
def test_deep_takes_what_is_json(backend: ModuleType, data: bytes) -> None:
    """The deepest, brackets in strings, long integers, what only a writer must avoid."""
    assert kinds(backend, START + line(1, data=data), deep=True) == [("no_end", None)]


def test_at_most_so_many_findings_are_kept_and_all_counted(backend: ModuleType) -> None:
    """Memory is bounded by the limit, the verdict is not."""
    scanner = backend.Scanner(max_findings=3)
    scanner.judge_only(b"x\n" * 10)
    assert [found[3] for found in scanner.take_findings()] == [1, 2, 3]
    scanner.judge_only(b"x\n" * 10)
    assert scanner.take_findings() == []
    assert scanner.findings_total == 20
    assert scanner.report() == ("corrupt", 0, 0, 40, 0, 20)


def test_all_ended_follows_the_traces(backend: ModuleType) -> None:
    """False before the first line, and while one trace is open."""
    scanner = backend.Scanner()
    states = [scanner.all_ended]
    for piece in (START, line(0, "trace_start", trace=OTHER), end([START])):
        scanner.feed(piece)
        states.append(scanner.all_ended)
    scanner.feed(end([START], trace=OTHER))
    assert states == [False, False, False, False]
    assert scanner.all_ended is True


def test_a_finding_says_it_in_a_sentence(backend: ModuleType) -> None:
    """The message is for people, and of one line."""
    scanner = backend.Scanner(judge="trace")
    scanner.feed(b"\n" + line(3) + line(3, v=2) + line(1)[:-3])
    scanner.finish()
    for found in scanner.take_findings():
        assert len(found[7]) > 10
        assert "\n" not in found[7]
