"""Cuts a stream of bytes into server-sent events, wherever the pieces were cut.

Source: the WHATWG HTML standard, "Interpreting an event stream". Lines end in CR, LF or CRLF and in
nothing else: U+2028 and U+0085, at which `str.splitlines` cuts, are ordinary characters.
"""

from __future__ import annotations

import codecs
import re
from typing import Optional

_LINE_END = re.compile("\r\n|\r|\n")


class EventStream:
    """An incremental parser: bytes in, the events that they complete out.

    An event is its name (None where the stream gives none) and its data, the lines joined by LF.
    Comments, `id` and `retry` are passed over, as are events without data. Bytes that are not UTF-8
    become U+FFFD.
    """

    def __init__(self) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._is_at_start = True
        self._ended_in_cr = False
        self._line: list[str] = []
        self._name: Optional[str] = None
        self._data: list[str] = []

    def feed(self, piece: bytes) -> list[tuple[Optional[str], str]]:
        """The events that this piece completes."""
        return self._take(self._decode(piece))

    def close(self) -> list[tuple[Optional[str], str]]:
        """The event that the end of the bytes left without its blank line, if there is one.

        The standard drops it. Some servers leave out the last blank line, and whoever reads the
        event finds out by its data whether it is whole.
        """
        events = self._take(self._decode(b"", True))
        if self._line:
            self._field("".join(self._line))
            self._line = []
        return events + self._dispatch()

    def _take(self, text: str) -> list[tuple[Optional[str], str]]:
        if self._is_at_start and text:
            self._is_at_start = False
            text = text[1:] if text[0] == "\ufeff" else text
        if self._ended_in_cr and text:
            self._ended_in_cr = False
            text = text[1:] if text[0] == "\n" else text
        if not text:
            return []
        self._ended_in_cr = text[-1] == "\r"
        first, *others = _LINE_END.split(text)
        self._line.append(first)
        events = []
        for following in others:
            line = "".join(self._line)
            self._line = [following]
            if line:
                self._field(line)
            else:
                events += self._dispatch()
        return events

    def _field(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value[1:] if value[:1] == " " else value
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._name = value

    def _dispatch(self) -> list[tuple[Optional[str], str]]:
        events = [(self._name or None, "\n".join(self._data))] if self._data else []
        self._name, self._data = None, []
        return events
