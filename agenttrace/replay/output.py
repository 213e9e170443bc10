"""What a replayed command writes, beside what it wrote when it was recorded."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

from agenttrace.redaction import NoRedactor, Redactor
from agenttrace.replay.masking import fits
from agenttrace.replay.recorded import MAX_OUTPUT_BYTES, RecordedRun
from agenttrace.replay.volatile import DURATION, Finder, Owns

STREAMS = ("stdout", "stderr")


class Output:
    """Gathers the streams of one run."""

    def __init__(
        self, run: RecordedRun, redactor: Redactor | NoRedactor, masks: Sequence[str], own: Owns
    ) -> None:
        self._run = run
        self._redactor = redactor
        self._then = Finder(own.then, masks, extra=[DURATION])
        self._now = Finder(own.now, masks, extra=[DURATION])
        self._written = {stream: bytearray() for stream in STREAMS}

    def take(self, stream: str, fd: int, is_terminal: bool, data: bytes) -> None:
        """What it has written to a stream."""
        written = self._written[stream]
        written += data[: MAX_OUTPUT_BYTES - len(written)]

    def compared(self) -> dict[str, dict[str, Any] | None]:
        """For each stream: {"verdict": "same"}, "masked" (but for volatile values) or "different", the latter two
        with the first such line: its number, what was recorded, what was written (None: there is no such line). None:
        the output was not recorded.
        """
        is_recorded = self._run.start.get("command") and self._run.start.get("stdio", True)
        if not is_recorded:
            return dict.fromkeys(STREAMS)
        return {stream: self._compare(stream) for stream in STREAMS}

    def _compare(self, stream: str) -> dict[str, Any]:
        then = _lines(bytes(self._run.output[stream]))
        now = _lines(self._redactor.clean_text(bytes(self._written[stream])))
        masked = None
        for number, (one, other) in enumerate(zip_longest(then, now), 1):
            if one == other:
                continue
            told = {"line": number, "recorded": one, "written": other}
            if one is None or other is None or not self._is_alike(one, other):
                return {"verdict": "different", **told}
            masked = masked or {"verdict": "masked", **told}
        return masked or {"verdict": "same"}

    def _is_alike(self, then: str, now: str) -> bool:
        """But for volatile values, and for secrets that were removed: another key is used now, or none."""
        return fits(_form(self._then, then), _form(self._now, now))


def _form(finder: Finder, line: str) -> str:
    parts = finder.parts(line)
    return "".join(part if isinstance(part, str) else f"\0{part.group}\0" for part in parts)


def _lines(data: bytes) -> list[str]:
    """A terminal's line breaks are as good as others."""
    return data.decode("utf-8", "replace").replace("\r\n", "\n").split("\n")
