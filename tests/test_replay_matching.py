"""Which recorded answer a request gets: what may differ, what must not, and that each difference is told."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from agenttrace.errors import ReplayError
from agenttrace.redaction import Redactor
from agenttrace.replay import json_path, project
from agenttrace.replay.matching import Loosened, Matcher
from agenttrace.replay.nearest import DivergenceFound
from agenttrace.replay.recorded import Recorded, RecordedRun
from agenttrace.replay.volatile import Own, Owns, own_of_trace, owns

URL = "http://127.0.0.1:8080/v1/chat/completions"
ADA, BOB = "/home/" + "ada", "/Users/" + "bob"
THEN = {
    "cwd": f"{ADA}/weather",
    "place": {"home": ADA, "user": "ada", "hostname": "lovelace", "tmp": "/var/tmp/ada"},
}
NOW = Own((BOB, "/srv/job-7", "/private/tmp"), ("bob", "turing"))
UUIDS = [f"0b9d1b6e-4d3f-4f43-9c05-5c2f0b6f0e1{number}" for number in range(6)]


def said(text: Any) -> dict[str, Any]:
    """A request whose only message is this."""
    return {"model": "m", "messages": [{"role": "user", "content": text}]}


def matcher(*requests: Any, url: str = URL, **options: Any) -> Matcher:
    """Of a run in which these were asked, in events 1, 2, …; replayed by another user elsewhere."""
    exchanges = [
        Recorded(number, "POST", url, request) for number, request in enumerate(requests, 1)
    ]
    own = Owns(own_of_trace(THEN), NOW)
    return Matcher(RecordedRun(exchanges, start=dict(THEN)), own=options.pop("own", own), **options)


def ask(of: Matcher, request: Any, url: str = URL) -> int | None:
    """The number of the recorded request that answers; None if it has diverged."""
    found = of.ask("POST", url, json.dumps(request).encode())
    return None if isinstance(found, DivergenceFound) else found.seq


def test_the_same_request_is_matched_and_nothing_is_told() -> None:
    """Whatever the order of its keys."""
    one = matcher(said("Hello"))
    assert ask(one, {"messages": [{"content": "Hello", "role": "user"}], "model": "m"}) == 1
    assert one.report.masked == []


@pytest.mark.parametrize(
    ("then", "now"),
    [
        ("Today's date is 2026-11-22.", "Today's date is 2027-01-03."),
        ("Today is Monday.", "Today is Friday."),
        ("Today is Sunday, November 22, 2026", "Today is Saturday, January 2, 2027"),
        ("Now: Sun Nov 22 10:11:12 UTC 2026", "Now: Sat Jan  2 01:02:03 CET 2027"),
        ("at 2026-11-22T06:40:00.123Z sharp", "at 2027-01-03T16:00:01+01:00 sharp"),
        ("11/22/2026", "1/3/2027"),
        ("it is 10:11:12", "it is 01:02:03.25"),
        (f"session {UUIDS[0]}", f"session {UUIDS[1]}"),
        ("id call_AbCdEf0123456789", "id call_zyxwvu9876543210"),
        ("toolu_01A09q90qw90lq917835lq9", "toolu_01Zz9q90qw90lq917835lXX"),
        ("session 9f86d081884c7d65", "session 2c26b46b68ffc68f"),
        ("since 1763790000", "since 1767402000.25"),
        ("since 1763790000123", "since 1767402000456"),
        (f"in {ADA}/weather/src", "in /srv/job-7/src"),
        (f"in {ADA}/.config", f"in {BOB}/.config"),
        ("-home-ada-weather", "-srv-job-7"),
        ("at /var/tmp/ada/tmpab12cd34/x", "at /private/tmp/tmpzz99yy88/x"),
        ("I am ada on lovelace", "I am bob on turing"),
        ("<object at 0x7f0123456789>", "<object at 0x7fabcdef0123>"),
        ("http://127.0.0.1:8080/x", "http://127.0.0.1:43121/x"),
        ("pid 4711 runs", "pid 12 runs"),
        ("Process Group PGID: 24671", "Process Group PGID: 24702"),
        ("key [redacted:OPENAI_API_KEY]", "key sk-something-else"),
        ("key [redacted:OPENAI_API_KEY].", "key ."),
    ],
)
def test_a_volatile_value_may_differ_and_is_told(then: str, now: str) -> None:
    """Recorded on another day, in another folder, by another user."""
    one = matcher(said(then))
    assert ask(one, said(now)) == 1
    assert len(one.report.masked) == 1
    assert one.report.masked[0].startswith("event 1: ")


@pytest.mark.parametrize(
    ("then", "now"),
    [
        ("What is the weather in Bern?", "What is the weather in Chur?"),
        ("Today's date is 2026-11-22 in Bern", "Today's date is 2027-01-03 in Chur"),
        ("call me at 10:30", "call me at 11:30"),
        ("42 apples", "43 apples"),
        ("will you", "bob you"),
        (f"{ADA}m/x", "/srv/job-7/x"),
        ("my key [redacted:A] is good", "my key x is bad"),
        ("my key is [redacted:A]", "my key is whatever I like"),
        ("gpt-4o-mini", "gpt-4o"),
        (f"{UUIDS[0]} and {UUIDS[1]}", f"{UUIDS[2]} and {UUIDS[2]}"),
        ('{"a": 1}', '{"a": 2}'),
        (1, True),
        (1, 1.0),
    ],
)
def test_a_changed_word_has_diverged(then: Any, now: Any) -> None:
    """Never an old answer to new words."""
    one = matcher(said(then))
    assert ask(one, said(now)) is None
    assert one.report.diverged == 1


@pytest.mark.parametrize(
    ("then", "now"),
    [
        ("Order " + UUIDS[0], "Order " + UUIDS[1]),
        ("The weather on 2026-12-24", "The weather on 2026-12-25"),
        ("Review 9f86d081884c7d659a2f", "Review 2c26b46b68ffc68ff99b"),
        ("Ticket 1763790000", "Ticket 1767402000"),
    ],
)
def test_what_was_changed_on_the_command_line_is_no_chance(then: str, now: str) -> None:
    """Whatever it looks like; what both command lines say, or neither, may differ as ever."""
    own = owns({"command": ["agent.py", then]}, ["agent.py", now])
    assert ask(matcher(said(then), own=own), said(now)) is None
    for start in ({"command": ["agent.py", now]}, {"command": None}, {}):
        assert ask(matcher(said(then), own=owns(start, ["agent.py", now])), said(now)) == 1


def test_a_number_that_was_changed_on_the_command_line_is_no_chance() -> None:
    """Also where it is a JSON number in the request."""
    own = owns({"command": ["agent.py", "1763790000"]}, ["agent.py", "1767402000"])
    assert ask(matcher({"id": 1763790000}, own=own), {"id": 1767402000}) is None
    assert ask(matcher({"at": 1763790001.5}, own=own), {"at": 1767402001.5}) == 1


def test_what_is_told_names_the_values() -> None:
    """The class, the recorded value, the one of now."""
    one = matcher(said("Today's date is 2026-11-22."))
    ask(one, said("Today's date is 2027-01-03."))
    assert one.report.masked == ["event 1: date 2026-11-22 is now 2027-01-03"]


def test_json_in_a_string_is_read_as_json() -> None:
    """claude's `metadata.user_id`, codex's `client_metadata`: other keys' order, other ids."""
    then = {"metadata": {"user_id": json.dumps({"device": UUIDS[0], "session": UUIDS[1]})}}
    now = {"metadata": {"user_id": json.dumps({"session": UUIDS[2], "device": UUIDS[3]})}}
    assert ask(matcher(then), now) == 1
    same = {"metadata": {"user_id": json.dumps({"device": UUIDS[2], "session": UUIDS[2]})}}
    assert ask(matcher(then), same) is None


def test_ids_in_keys_numbers_and_paths_are_masked() -> None:
    """Names of members, epoch seconds as numbers, the URL's path."""
    then = {"by": {UUIDS[0]: 1}, "created": 1763790000, "pid": 12}
    now = {"by": {UUIDS[1]: 1}, "created": 1767402000.5, "pid": 3456}
    one = matcher(then, url=f"http://a/threads/{UUIDS[0]}/runs")
    assert ask(one, now, url=f"http://b/threads/{UUIDS[1]}/runs") == 1


def test_of_requests_alike_the_one_whose_ids_fit_is_chosen() -> None:
    """An id that an earlier match has tied to a recorded one stays tied to it."""
    one = matcher(said(f"begin {UUIDS[0]}"), said(f"end {UUIDS[1]}"), said(f"end {UUIDS[0]}"))
    assert ask(one, said(f"begin {UUIDS[3]}")) == 1
    assert ask(one, said(f"end {UUIDS[3]}")) == 3
    assert ask(one, said(f"end {UUIDS[4]}")) == 2


def test_the_same_request_twice_gets_its_answers_in_order() -> None:
    """And a third time there is none."""
    one = matcher(said("Hello"), said("Hello"))
    assert [ask(one, said("Hello")) for _ in range(3)] == [1, 2, None]


def test_another_key_of_a_well_known_shape_matches() -> None:
    """Redacted alike on both sides, under another rule's name."""
    one = matcher(said("key [redacted:MY_SECRET]"), redactor=Redactor({}))
    assert ask(one, said("key sk-ant-abcdefghijklmnopqrstuvwxyz")) == 1


@pytest.mark.parametrize(
    ("then", "now", "is_of_model", "is_matched"),
    [
        ("https://a.example/v1/x", "https://b.example/v1/x", False, False),
        ("https://a.example/v1/x", "http://127.0.0.1:8080/v1/x", False, False),
        ("http://127.0.0.1:8080/v1/x", "http://localhost:9090/v1/x", False, True),
        ("http://127.0.0.1:8080/v1/x", "http://127.0.0.1.example/v1/x", False, False),
        ("https://a.example/v1/x", "https://b.example/v1/x", True, True),
        ("https://a.example/v1/x", "https://a.example/v1/y", True, False),
        ("https://a.example/v1/x", "https://A.example/v1/x", False, True),
    ],
)
@pytest.mark.parametrize("body", [b"", b'{"id": "%b"}'])
def test_who_is_asked_counts_unless_it_is_a_model(
    then: str, now: str, is_of_model: bool, is_matched: bool, body: bytes
) -> None:
    """Another site's page is another page; a model, and a server of this machine, may have moved, which is told."""
    bodies = [body.replace(b"%b", one.encode()) for one in UUIDS[:2]]
    recorded = Recorded(1, "GET", then, json.loads(bodies[0]) if body else b"")
    recorded.is_of_model = is_of_model
    one = Matcher(RecordedRun([recorded]), own=Owns(NOW, NOW))
    found = one.ask("GET", now, bodies[1])
    assert isinstance(found, Recorded) == is_matched
    if is_matched and "A.example" not in now:
        assert f"asked at {now}, recorded at {then}" in one.report.masked[0]
    if not is_matched:
        assert one.report.divergence is not None
        assert one.report.divergence.differences or now.endswith("y")


def test_the_users_own_masks() -> None:
    """`masks` of the project's file."""
    now = said("build-0815 is out")
    assert ask(matcher(said("build-4711 is out")), now) is None
    loosened = Loosened(masks=("build-(1|[0-9])+",))
    assert ask(matcher(said("build-4711 is out"), loosened=loosened), now) == 1


def test_the_difference_that_matters_is_shown_first() -> None:
    """Values that may differ come behind the changed word."""
    one = matcher({"a": UUIDS[0], "b": "Bern"})
    ask(one, {"a": UUIDS[1], "b": "Chur"})
    assert one.report.divergence is not None
    assert [found.path for found in one.report.divergence.differences] == [".b", ".a"]


def test_a_long_text_is_compared_quickly_and_shown_in_part() -> None:
    """Thousands of lines of which two differ; a long line around its change."""
    lines = [f"line {number}" for number in range(20_000)]
    one = matcher(said("\n".join(lines)))
    lines[4321], lines[15_000] = "changed", "changed too"
    began = time.process_time()
    ask(one, said("\n".join(lines)))
    assert one.report.divergence is not None
    shown = list(one.report.divergence.differences[0].lines())
    assert time.process_time() - began < 1
    assert len(shown) < 30
    other = matcher(said("x" * 5000 + "Bern" + "y" * 5000))
    ask(other, said("x" * 5000 + "Chur" + "y" * 5000))
    assert other.report.divergence is not None
    assert all(len(line) < 300 for line in other.report.divergence.differences[0].lines())


def test_hostile_nesting_and_texts_harm_nothing() -> None:
    """Deep JSON in a string, texts made to be slow."""
    deep = said("[" * 50_000 + "]" * 50_000)
    assert ask(matcher(deep), said("x")) is None
    slow = said("1" * 20_000 + "-" + "a" * 20_000 + "[redacted:A]" * 500)
    began = time.process_time()
    assert ask(matcher(slow), said("1" * 20_000 + "-" + "a" * 20_000)) == 1
    assert time.process_time() - began < 2


def test_a_lookup_does_not_depend_on_the_length_of_the_trace() -> None:
    """2,000 exact and 2,000 masked lookups, 0.3 ms each at most (measured well below)."""
    requests = [said(f"question {number} of {UUIDS[0]}") for number in range(2000)]
    bodies = [json.dumps(request).encode() for request in requests]
    others = [body.replace(UUIDS[0].encode(), UUIDS[1].encode()) for body in bodies]
    for asked in (bodies, others):
        one = matcher(*requests)
        one.ask("POST", URL, b"{}")  # the index of masked forms is made
        began = time.process_time()
        for body in asked:
            assert isinstance(one.ask("POST", URL, body), Recorded)
        assert (time.process_time() - began) / len(asked) < 0.0003


def test_a_projects_file_loosens(tmp_path: Path) -> None:
    """`ignore` and `masks`; a folder without one loosens nothing."""
    assert project.loosened(tmp_path) == Loosened()
    text = '[replay]\nignore = [".a"]\nmasks = ["x+"]\n'
    (tmp_path / ".agenttrace.toml").write_text(text)
    assert project.loosened(tmp_path) == Loosened((json_path.parse(".a"),), ("x+",))
    (tmp_path / "below").mkdir()
    assert project.loosened(tmp_path / "below") == Loosened()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[replay", "toml"),
        ("replay = 1", "table"),
        ("[replay]\nignore = 1", "list of strings"),
        ('[replay]\nignore = ["a b"]', "not a path"),
        ('[replay]\nmasks = ["("]', "regular expression"),
        ('[replay]\nmasks = ["(?P<a>x)"]', "named groups"),
        ("[replay]\nspeed = 1", "replay.speed"),
    ],
)
def test_a_projects_file_that_is_wrong_is_told(tmp_path: Path, text: str, told: str) -> None:
    """With its name and the reason."""
    (tmp_path / ".agenttrace.toml").write_text(text)
    with pytest.raises(ReplayError, match=r"\.agenttrace\.toml: ") as caught:
        project.loosened(tmp_path)
    assert told in str(caught.value)
