"""What all commands share towards people: messages, colour, progress, standard output."""

from __future__ import annotations

import os
import select
import sys
import time
from contextlib import suppress
from typing import Any, Optional

from agenttrace.cli.failure import Failure
from agenttrace.text_cleaning import clean, clean_line

_CODES = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "blue": "34",
    "cyan": "36",
}
_ERASE_LINE = "\r\x1b[K"
_F_SETPIPE_SZ = 1031  # of Linux; Python knows it from 3.10 on


def say(message: str) -> None:
    """One message for a person: `agenttrace: …` on standard error, cleaned, on one line."""
    write_error(f"agenttrace: {clean_line(message)}\n")


def write_error(text: str) -> None:
    """Text to standard error; a closed one is nobody's trouble."""
    if sys.stderr is None:
        return
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except BrokenPipeError:
        raise
    except OSError:
        return


def is_terminal(fd: int) -> bool:
    """Whether `fd` is open and a terminal."""
    try:
        return os.isatty(fd)
    except OSError:
        return False


class Paint:
    """Colours text for a terminal, or leaves it. What is painted must be clean already."""

    def __init__(self, color: str, fd: int = 1) -> None:
        plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
        self.is_on = color == "always" or (color == "auto" and not plain and is_terminal(fd))

    def __call__(self, text: str, style: str) -> str:
        return f"\x1b[{_CODES[style]}m{text}\x1b[0m" if self.is_on and text else text


class Output:
    """Bytes to a file or standard output, at once; on a terminal JSON is cleaned, and stays so."""

    def __init__(self, path: Optional[str] = None, *, holds_json: bool = True) -> None:
        self.fd = 1 if path in (None, "-") else _new_file(path)
        self._name = "standard output" if self.fd == 1 else path
        self._is_cleaned = holds_json and is_terminal(self.fd)
        self._is_widened = False

    def write(self, data: bytes) -> None:
        """Writes all of `data`. BrokenPipeError where the reader is gone."""
        if self._is_cleaned:
            data = clean(data.decode("utf-8", "replace")).encode("utf-8")
        try:
            _write_all(self.fd, data)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OSError(error.errno, error.strerror, self._name) from None

    @property
    def is_plain(self) -> bool:
        """Whether bytes are written as they are."""
        return not self._is_cleaned

    def take(self, scanner: Any, fd: int, start: int, end: int) -> int:
        """Has the scanner write a file's good lines here; how many of the file's bytes it took. BrokenPipeError where
        the reader is gone, Failure where nothing can be written; OSError is of the file.
        """
        if not self._is_widened:
            self._is_widened = True
            _widen_pipe(self.fd)
        try:
            return scanner.pass_file(fd, start, end, self.fd)  # type: ignore[no-any-return]
        except BrokenPipeError:
            raise
        except OSError as error:
            if error.filename != self.fd:
                raise
            raise Failure(f"{self._name}: {error.strerror}") from None

    def close(self) -> None:
        """Closes a file; standard output stays."""
        if self.fd != 1:
            os.close(self.fd)


def _new_file(path: str) -> int:
    from agenttrace.trace_folder import open_for_writing

    if path.endswith(".zst"):
        raise Failure(
            f"{path}: cat does not compress; write to a pipe: agenttrace cat … | zstd -o FILE"
        )
    try:
        return open_for_writing(path).fd
    except FileExistsError:
        raise Failure(
            f"{path}: is there already; nothing is overwritten, choose another name"
        ) from None


def _widen_pipe(fd: int) -> None:
    """Lets a pipe hold a megabyte: with the usual 64 KiB writer and reader wait for each other in turn."""
    if sys.platform != "linux":
        return
    import fcntl

    with suppress(OSError):  # no pipe, or the user's pipes hold too much already
        fcntl.fcntl(fd, _F_SETPIPE_SZ, 1 << 20)


def _write_all(fd: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(fd, rest) :]
        except BlockingIOError:  # standard output was made non-blocking by someone before us
            select.select([], [fd], [])


class Progress:
    """A bar on standard error for what takes over a second; only on a terminal."""

    def __init__(self, total_bytes: int, *, quiet: bool = False) -> None:
        self._total = total_bytes
        self._done = 0
        self._is_on = not quiet and total_bytes > 0 and is_terminal(2)
        self._next_s = time.monotonic() + 1.0
        self._is_shown = False

    def add(self, count: int) -> None:
        """`count` more bytes are done."""
        self._done += count
        if self._is_on and time.monotonic() >= self._next_s:
            self._next_s = time.monotonic() + 0.1
            self._show()

    def _show(self) -> None:
        share = min(1.0, self._done / self._total)
        bar = "█" * int(share * 30)
        write_error(f"{_ERASE_LINE}{bar:·<30} {share:4.0%} of {format_bytes(self._total)}")
        self._is_shown = True

    def clear(self) -> None:
        """Takes the bar off the screen, before anything else is written there."""
        if self._is_shown:
            write_error(_ERASE_LINE)
            self._is_shown = False


def format_bytes(count: float) -> str:
    """1234567 -> `1.2 MB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
