"""What a person types, as the command gets it: lines out of keys, by the rules of the command's own terminal.

What the terminal doesn't echo may be a password, so it is never told: a line typed without echo is told as such, of
keys in raw mode only that there were some.
"""

from __future__ import annotations

import termios
from collections.abc import Callable
from typing import Any

NO_ECHO = b"[redacted:no-echo]"
_MAX_LINE_BYTES = 1 << 16

# What was typed, and whether it is a line (its LF is not in it). No line: what the end-of-file key handed over; nothing
# where it stood alone, which is the end of the input.
Told = Callable[[bytes, bool], None]


class TypedLines:
    """Follows the keys that go to a terminal. tell: called with each line before the command can read it."""

    def __init__(self, tell: Told) -> None:
        self._tell = tell
        self._line = bytearray()
        self._is_secret = False
        self._is_literal = False
        self.has_raw_keys = False

    def feed(self, keys: bytes, mode: list[Any]) -> None:
        """The next keys. mode: the terminal's settings (`termios.tcgetattr`) as they come to it."""
        if not mode[3] & termios.ICANON:
            self.has_raw_keys = True
            self._drop()
            return
        settings = _Settings(mode)
        for key in keys:
            self._key(key, settings)

    def _key(self, key: int, settings: _Settings) -> None:
        if self._is_literal:
            self._is_literal = False
            self._add(key, settings)
            return
        translated = settings.translated(key)
        if translated is None:
            return
        meaning = settings.meaning.get(translated)
        if meaning == "literal":
            self._is_literal = True
        elif meaning == "drop":
            self._drop()
        elif meaning == "erase":
            self._erase_character(settings.is_utf8)
        elif meaning == "erase word":
            self._erase_word()
        elif meaning == "end":
            self._hand_over(False)
        elif translated == 0x0A:
            self._is_secret = self._is_secret or not settings.echoes
            self._hand_over(True)
        elif meaning is None:
            self._add(translated, settings)

    def _add(self, key: int, settings: _Settings) -> None:
        self._is_secret = self._is_secret or not settings.echoes
        if len(self._line) < _MAX_LINE_BYTES:
            self._line.append(key)

    def _hand_over(self, is_line: bool) -> None:
        self._tell(NO_ECHO if self._is_secret else bytes(self._line), is_line)
        self._drop()

    def _drop(self) -> None:
        self._line.clear()
        self._is_secret = False
        self._is_literal = False

    def _erase_character(self, is_utf8: bool) -> None:
        while self._line:
            byte = self._line.pop()
            if not is_utf8 or byte & 0xC0 != 0x80:
                return

    def _erase_word(self) -> None:
        has_seen_word = False
        while self._line:
            is_word = chr(self._line[-1]).isalnum() or self._line[-1] == ord("_")
            if has_seen_word and not is_word:
                return
            has_seen_word = has_seen_word or is_word
            self._line.pop()


class _Settings:
    """What keys mean in one mode of a terminal."""

    def __init__(self, mode: list[Any]) -> None:
        self._input, local, characters = mode[0], mode[3], mode[6]
        self.echoes = bool(local & termios.ECHO)
        # Not in the `termios` module: 0x4000 on Linux and macOS alike.
        self.is_utf8 = bool(self._input & 0x4000)
        self.meaning: dict[int, str] = {}
        names = {"VERASE": "erase", "VKILL": "drop", "VEOF": "end"}
        if local & termios.IEXTEN:
            names.update(VWERASE="erase word", VLNEXT="literal", VREPRINT="nothing")
        if self._input & termios.IXON:
            names.update(VSTART="nothing", VSTOP="nothing")
        if local & termios.ISIG:
            kept = "nothing" if local & termios.NOFLSH else "drop"
            names.update(VINTR=kept, VQUIT=kept, VSUSP=kept)
        for name, meaning in names.items():
            character = characters[getattr(termios, name)]
            if character not in (b"\0", b"\xff", 0):  # none
                self.meaning[ord(character)] = meaning

    def translated(self, key: int) -> int | None:
        """CR and LF as the terminal hands them on; None for one that it leaves out."""
        if key == 0x0D:
            if self._input & termios.IGNCR:
                return None
            return 0x0A if self._input & termios.ICRNL else key
        if key == 0x0A and self._input & termios.INLCR:
            return 0x0D
        return key
