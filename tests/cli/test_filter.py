"""`agenttrace filter`: conditions on events, bytes unchanged, jq kept on a short leash."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Callable

import jq
import pytest

from agenttrace.cli.moment import parse_moment
from agenttrace.expression import worker
from agenttrace.expression.evaluator import Expression
from agenttrace.expression.words import barred_word
from agenttrace.expression.worker import BadExpression
from tests.cli.conftest import VECTORS, command, sealed

Run = Callable[..., Any]
Vector = Callable[[str], str]
WHOLE = (VECTORS / "whole.jsonl").read_bytes()
LINES = WHOLE.splitlines(keepends=True)


def of_kinds(*kinds: str) -> bytes:
    """The vector's lines of these kinds."""
    return b"".join(line for line in LINES if json.loads(line)["kind"] in kinds)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["-k", "tool_call"], of_kinds("tool_call")),
        (["-k", "tool_call,tool_result", "--kind", "user_input"],
         of_kinds("tool_call", "tool_result", "user_input")),
        (["--span", "00f067aa0ba902b7"], LINES[2] + LINES[3]),
        (["--trace-id", "4bf92f3577b34da6a3ce929d0e0e4736"], WHOLE),
        (["--trace-id", "0" * 31 + "1"], b""),
        (["--since", "2026-11-22T06:40:10Z"], b"".join(LINES[10:])),
        (["--until", "2026-11-22T07:40:01+01:00"], LINES[0]),
        (["--grep", "a_kind_nobody_knows"], LINES[10]),
        (["--errors"], b""),
        (["--errors", "-v"], WHOLE),
        (["-k", "tool_call", "-v"], b"".join(line for line in LINES if line != LINES[4])),
        (["-k", "llm_request", "--since", "2026-11-22T06:40:05Z"], LINES[6]),
        (["-k", "llm_request,user_input", "-x", ".seq > 1"], LINES[2] + LINES[6]),
        (["-k", "llm_request", "-x", ".seq > 2", "-v"],
         b"".join(line for line in LINES if line != LINES[6])),
        (["-m", "2", "-v", "--errors"], LINES[0] + LINES[1]),
        (["-m", "0", "--errors"], b""),
        (['.kind=="llm_response" and .data.usage.output_tokens>5'], LINES[3]),
        (['select(.kind=="llm_response") | .data'], LINES[3] + LINES[9]),
        ([".data.text | . , null"], b"".join(LINES[n] for n in (1, 7, 8, 9))),
        (["false, null, 1"], WHOLE),
        (["empty"], b""),
        ([".seq == 3 # a comment"], LINES[3]),
        ([".seq == 3 # a comment \\"], LINES[3]),
        (["-v", ".seq == 3"], b"".join(line for line in LINES if line != LINES[3])),
    ],
)  # fmt: skip
def test_events_that_meet_the_conditions_pass_byte_for_byte(
    run: Run, options: list[str], expected: bytes
) -> None:
    """Status 0, even where none does."""
    assert run("filter", *options, stdin=WHOLE) == (0, expected, "")


@pytest.mark.parametrize(
    "expression",
    [
        ".", ".data.text", '.kind | test("llm")', ".data.usage.input_tokens > 80", ".data | length",
        '.data.request.messages[]? | .role == "tool"', ".span_id // false", ".seq % 2 == 0",
        'any(.data[]?; . == true)', '[.. | numbers] | length > 3', ".data.a.b.c?", 'if .seq > 3 then . else empty end',
        "$__loc__.line == 1",
    ],
)  # fmt: skip
def test_jq_itself_agrees(run: Run, expression: str) -> None:
    """select(EXPR) of the jq library passes the same events."""
    program = jq.compile(f"select({expression})")
    expected = b"".join(line for line in LINES if program.input_text(line.decode()).all())
    result = run("filter", expression, stdin=WHOLE)
    assert (result.out, result.err) == (expected, "")


def test_once_an_option_gives_a_condition_every_positional_is_a_file(
    run: Run, vector: Vector
) -> None:
    """As with grep."""
    vector("whole.jsonl")
    assert run("filter", "-k", "tool_call", "whole.jsonl", "whole.jsonl").out == LINES[4] * 2
    assert run("filter", ".seq==4", "whole.jsonl", "whole.jsonl").out == LINES[4] * 2
    assert "No such file" in run("filter", "-k", "tool_call", ".seq==4", "whole.jsonl").err


@pytest.mark.parametrize("option", ["-x", "--grep"])
def test_a_condition_that_would_be_overridden_is_wrong_usage(run: Run, option: str) -> None:
    """All conditions hold: of two EXPRs or patterns none is dropped without a word."""
    result = run("filter", option, "seq", option, "kind", stdin=WHOLE)
    assert (result.status, result.out) == (2, b"")
    assert f"{option} can be given once" in result.err


def test_exit_status_on_demand(run: Run) -> None:
    """-e: 1 if none passed."""
    assert run("filter", "-e", "--errors", stdin=WHOLE).status == 1
    assert run("filter", "-e", "-k", "tool_call", stdin=WHOLE).status == 0
    assert run("filter", "--errors").status == 0


def test_a_damaged_line_is_told_and_not_passed(run: Run, vector: Vector) -> None:
    """Also with -v."""
    for options in (["-v", "--errors"], ["."]):
        result = run("filter", *options, vector("flipped.jsonl"))
        assert result.status == 1
        assert len(result.out.splitlines()) == 11
        assert result.err.startswith("agenttrace: flipped.jsonl:5: ")


def test_full_shows_and_passes_the_whole_conversation(run: Run) -> None:
    """What stands only in the base is found; the line is sealed anew."""
    expression = '.data.request.messages[0].role == "system"'
    assert run("filter", expression, stdin=WHOLE).out == LINES[2]
    result = run("filter", "--full", expression, stdin=WHOLE)
    assert len(result.out.splitlines()) == 2
    expected = json.loads((VECTORS / "whole.seq6-expanded.json").read_bytes())
    assert json.loads(result.out.splitlines()[1])["data"]["request"] == expected
    assert run("verify", "--partial", "--deep", stdin=result.out).status == 0


def test_a_bad_expression_is_wrong_usage_in_the_words_of_jq(run: Run) -> None:
    """Before anything is read."""
    result = run("filter", ".kind ==", stdin=WHOLE)
    assert (result.status, result.out) == (2, b"")
    assert result.err == (
        "agenttrace: EXPR: jq: error: syntax error, unexpected end of file at <top-level>, "
        "line 1, column 7:\n    .kind ==\n          ^^\njq: 1 compile error\n"
        "agenttrace: try 'agenttrace filter --help'\n"
    )


@pytest.mark.parametrize("expression", ["1) , (2", '"a") ; ("', "1 # )", ". ) | input | ( ."])
def test_an_expression_cannot_leave_its_brackets(run: Run, expression: str) -> None:
    """What does not compile alone is refused; what does, is what it says."""
    result = run("filter", expression, stdin=WHOLE)
    assert result.status == (0 if expression == "1 # )" else 2)


def test_an_expression_that_fails_on_an_event_does_not_match_it(run: Run) -> None:
    """Counted, told once, status 2; the others pass."""
    result = run(
        "filter", '.data.text | ltrimstr("x") | test("weather")', stdin=LINES[1] + LINES[3]
    )
    assert (result.status, result.out) == (2, LINES[1])
    assert result.err.startswith("agenttrace: EXPR failed on 1 event: ")


@pytest.mark.parametrize(
    "expression",
    [
        "input", "[inputs]", "input_filename", "debug", ".a | debug(.b)", "halt", '"x" | halt_error',
        "stderr", "get_search_list", 'import "a" as a; .', 'include "a"; .', "# c\ninclude \"a\"; .",
        '"\\(input)"', '@sh "\\("a" + input)"', "{a: input}", "[.a, input]", 'modulemeta',
    ],
)  # fmt: skip
def test_words_that_reach_outside_are_refused(run: Run, expression: str) -> None:
    """Wrong usage, named."""
    result = run("filter", expression, stdin=WHOLE)
    assert (result.status, result.out) == (2, b"")
    assert " is refused: " in result.err


@pytest.mark.parametrize(
    "expression",
    [".input", "{input}", "{input: 1}", '"input"', "# input\n.", ".debug.halt", '.["inputs"]',
     '"\\\\(input)"', "{a: 1, debug}", ". as {input: $x} | $x"],
)  # fmt: skip
def test_keys_and_strings_and_comments_may_hold_those_words(expression: str) -> None:
    """Only calls are refused."""
    assert barred_word(expression) is None


def test_what_slips_by_as_a_key_does_no_harm() -> None:
    """The prelude shadows each word: it fails at run time."""
    expression = Expression("[1, {a: 2}] | {input} | .input")
    assert expression.verdicts([b'{"input": 1}']) == [False]
    expression.close()


def test_an_expression_sees_no_environment_and_no_home(run: Run, tmp_path: Path) -> None:
    """env and $ENV are empty; ~/.jq is not read."""
    (tmp_path / "home" / ".jq").write_text("def mine: true;")
    secret = {"SECRET_TOKEN": "hush"}
    assert run("filter", "env | length > 0", stdin=WHOLE, env=secret).out == b""
    assert run("filter", "$ENV.SECRET_TOKEN", stdin=WHOLE, env=secret).out == b""
    result = run("filter", "mine", stdin=WHOLE, env=secret)
    assert result.status == 2
    assert "mine/0 is not defined" in result.err
    failing = run("filter", "error($ENV | tostring)", stdin=WHOLE, env=secret)
    assert "hush" not in failing.err


def test_an_expression_has_a_time_limit_for_one_event() -> None:
    """The event does not match; the next one is looked at."""
    expression = Expression("if .n then [range(1e12)] else true end", limit_s=0.3)
    assert expression.verdicts([b"{}", b'{"n":1}', b"{}"]) == [True, False, True]
    assert (expression.failures, expression.first_failure) == (1, "took longer than 0.3 s")
    expression.close()


def test_what_takes_too_long_for_every_event_is_given_up() -> None:
    expression = Expression("def f: f; if .n then f else true end", limit_s=0.2)
    slow = b'{"n":1}'
    assert expression.verdicts([b"{}", slow, slow, b"{}", slow, slow, slow, b"{}"]) == [
        *(True, False, False, True),
        *(False, False, False, False),
    ]
    assert (expression.failures, expression.first_failure) == (6, "took longer than 0.2 s")
    expression.close()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the system has no such limit")
def test_an_expression_has_a_limit_of_memory(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(worker, "_MEMORY_BYTES", 1 << 30)
    expression = Expression('if .n then "x" * (.n * 1.2e9) else true end')
    assert expression.verdicts([b"{}", b'{"n":1}', b"{}"]) == [True, False, True]
    why = "jq ended unexpectedly (out of memory?)"
    assert (expression.failures, expression.first_failure) == (1, why)
    expression.close()
    with pytest.raises(
        BadExpression, match="out of memory"
    ):  # jq multiplies constants as it compiles
        Expression('"x" * 1.2e9')
    assert capfd.readouterr().err == ""


def test_of_endless_values_the_first_that_is_true_suffices() -> None:
    expression = Expression("repeat(.n) | . > 1", limit_s=0.3)
    assert expression.verdicts([b'{"n":2}', b'{"n":1}', b'{"n":3}']) == [True, False, True]
    expression.close()


def test_many_lines_are_judged_in_their_order() -> None:
    expression = Expression(".n % 3 == 0 | select(.)")
    lines = [b'{"n":%d,"rest":"%s"}' % (n, b"x" * (n % 700)) for n in range(20_000)]
    asked = [expression.ask(lines[start : start + 77]) for start in range(0, len(lines), 77)]
    found = [verdict for one in asked for verdict in one.verdicts()]
    assert found == [n % 3 == 0 for n in range(20_000)]
    expression.close()


def test_numbers_keep_their_digits(run: Run) -> None:
    """jq reads doubles; only its verdict is taken."""
    line = sealed(0, "log", {"n": 12345678901234567890123, "m": 1.10})
    assert run("filter", ".data.m > 1", stdin=line).out == line


@pytest.mark.parametrize("closed", ["2>&-", "<&- 2>&-"])
def test_an_expression_needs_no_standard_error(tmp_path: Path, env: Any, closed: str) -> None:
    """Where it is closed its number is free, and is not what EXPR is asked through."""
    (tmp_path / "t.jsonl").write_bytes(WHOLE)
    script = f"{shlex.join(command())} filter '.data|length>=0' t.jsonl {closed}"
    done = subprocess.run(["sh", "-c", script], stdout=subprocess.PIPE, cwd=tmp_path, env=env)
    assert (done.returncode, done.stdout) == (0, WHOLE)


def test_a_line_of_two_json_texts_fools_nobody() -> None:
    """It is a failure, and the verdicts of others stay theirs."""
    expression = Expression(".a")
    assert expression.verdicts([b'{"a":0}{"a":1}', b'{"a":false}']) == [False, False]
    assert expression.failures == 1
    expression.close()


def test_a_condition_is_needed(run: Run) -> None:
    """Wrong usage."""
    result = run("filter", stdin=WHOLE)
    assert result.status == 2
    assert result.err == (
        "agenttrace: give a condition: an EXPR, or an option such as --kind\n"
        "agenttrace: try 'agenttrace filter --help'\n"
    )


@pytest.mark.parametrize(
    ("text", "ts"),
    [
        ("2026-11-22T06:40:00Z", "2026-11-22T06:40:00.000000000Z"),
        ("2026-11-22T06:40:00.5Z", "2026-11-22T06:40:00.500000000Z"),
        ("2026-11-22 06:40", "2026-11-22T06:40:00.000000000Z"),
        ("2026-11-22", "2026-11-22T00:00:00.000000000Z"),
        ("2026-11-22T06:40:00.123456789+02:00", "2026-11-22T04:40:00.123456789Z"),
        ("2026-11-22T23:40:00-0130", "2026-11-23T01:10:00.000000000Z"),
    ],
)
def test_times_are_read_as_people_write_them(text: str, ts: str) -> None:
    """To the 30 bytes of `ts`."""
    assert parse_moment(text) == ts


def test_how_long_ago_is_a_time() -> None:
    """2h, 10m ago."""
    ago = datetime.now(timezone.utc) - timedelta(hours=2)
    found = datetime.fromisoformat(parse_moment("2h ago")[:19] + "+00:00")
    assert abs((found - ago).total_seconds()) < 5


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01", "2026-11-22T25:00:00Z", "5y", ""])
def test_what_is_no_time_is_wrong_usage(run: Run, text: str) -> None:
    """With an example of one."""
    result = run("filter", "--since", text, stdin=WHOLE)
    assert result.status == 2
    assert result.err.startswith("agenttrace: --since: ")


def test_lines_keep_their_seals_through_jq() -> None:
    """What jq itself writes for a line (1.7 and later: `tojson`) is the line, byte for byte."""
    chosen = jq.compile('select(.kind=="llm_response") | tojson')
    through_jq = [text for line in LINES for text in chosen.input_text(line.decode()).all()]
    assert "".join(f"{text}\n" for text in through_jq).encode() == of_kinds("llm_response")


@pytest.mark.parametrize(
    ("option", "value"),
    [("--trace-id", "abc"), ("--trace-id", "A" * 32), ("--span", "0" * 15), ("--span", "0" * 32)],
)
def test_what_can_be_no_id_is_wrong_usage(run: Run, option: str, value: str) -> None:
    """It would match nothing, and say nothing."""
    result = run("filter", option, value, stdin=WHOLE)
    assert (result.status, result.out) == (2, b"")
    assert f"{option}: '{value}' is no id" in result.err
