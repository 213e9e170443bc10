"""http.client in a replay: no connection is made, a socket of ours answers from the recording.

Once the replay has gone live, what was to be sent is sent after all, as in a recording.
"""

import functools
import io
import re
import sys

from .. import answer as answers
from .. import exchange as exchanges
from .. import wire
from . import connections, http_client_recording
from .replacing import replaced

# In a connection's __dict__.
_ASKING = "_agenttrace_asking"
_IS_LIVE = "_agenttrace_is_live"
_ERRNO = re.compile(r"\[Errno (-?\d+)\] (.*)", re.DOTALL)
# Where the class of a recorded error is looked for.
_ERROR_MODULES = ("builtins", "socket", "http.client", "ssl", "urllib3.exceptions")


def install(module, link):
    """Hooks http.client. Returns a function that undoes it."""
    return replaced(
        module.HTTPConnection,
        {
            "__init__": _init,
            "connect": _connecting,
            "putrequest": _putrequest,
            "send": functools.partial(_send, link),
            "getresponse": functools.partial(_getresponse, module, link),
            "close": http_client_recording.recording_close,
        },
    )


def _connecting(original):
    def connect(self):
        if self.__dict__.get(_IS_LIVE):
            original(self)
        else:
            _connect(self)

    return connect


def _connect(self):
    self.sock = _AnsweringSocket()
    if hasattr(self, "is_verified"):  # urllib3 warns of connections without
        self.is_verified = True


def _init(original):
    def __init__(self, *arguments, **named):
        original(self, *arguments, **named)
        # On the object: subclasses (urllib3's) have a `connect` of their own.
        self.connect = functools.partial(_connect, self)

    return __init__


def _putrequest(original):
    def putrequest(self, *arguments, **named):
        result = original(self, *arguments, **named)
        self.__dict__[_ASKING] = _Asking(self)
        return result

    return putrequest


def _send(link, original):
    live = http_client_recording.recording_send(original)

    def send(self, data):
        if self.sock is None:
            self.connect()
        asking = self.__dict__.get(_ASKING)
        if asking is None:
            if not isinstance(self.sock, _AnsweringSocket):
                live(self, data)
            return
        for block in connections.blocks(self, data):
            asking.feed(block)
        if asking.is_complete:
            answer = asking.answer(link)
            if answer is None:
                _go_live(self, link, asking)
                return
            error = as_raised(answer.error, self) if answer.status is None else None
            if error is not None and not _is_of_answering(error):
                raise error

    return send


def _getresponse(module, link, original):
    live = http_client_recording.recording_getresponse(module)(original)

    def getresponse(self):
        asking = self.__dict__.pop(_ASKING, None)
        if asking is None:
            return live(self)
        answer = asking.answer(link)
        if answer is None:
            _go_live(self, link, asking)
            return live(self)
        if answer.status is None:
            self.close()
            raise as_raised(answer.error, self)
        self.sock = _AnsweringSocket(answer, self._method, self)
        response = original(self)
        self.sock = None  # each request gets a socket of its own
        return response

    return getresponse


def _go_live(connection, link, asking):
    """Sends to the real server what was to be asked."""
    connection.__dict__.pop(_ASKING, None)
    try:
        connect_live(connection)
    except BaseException as error:
        asking.tell_unsent(link, error)
        raise
    http_client_recording.begin(connection, link, asking.method, asking.target)
    for block in asking.blocks:
        connection.send(block)


def connect_live(connection):
    """Connects to the real server what has not been connected, or to us."""
    if connection.sock is None or isinstance(connection.sock, _AnsweringSocket):
        connection.sock = None
        connection.__dict__[_IS_LIVE] = True
        type(connection).connect(connection)


class _Asking(wire.Request):
    """The request that a connection is about to ask, and once it is complete its answer. blocks: its bytes."""

    def __init__(self, connection):
        super().__init__()
        self._base = connections.base_url(connection)
        self._answer = None
        self._is_asked = False
        self.blocks = []

    def feed(self, data):
        self.blocks.append(bytes(data))
        super().feed(data)

    def answer(self, link):
        """The recorded answer; None if the real thing is to be asked."""
        if not self._is_asked:
            self._is_asked = True
            if not self._is_carried():
                self._answer = answers.ask(link, *self._what())
        return self._answer

    def tell_unsent(self, link, error):
        """No connection can be made."""
        if not self._is_carried():
            wire.tell_unsent(link, *self._what(), error)

    def _what(self):
        return self.method, self.url(self._base), self.headers, self.body

    def _is_carried(self):
        # By a library above, which has gone live.
        return exchanges.is_carried(self.method, self.url(self._base))


class _AnsweringSocket:
    """As much of a socket as http.client and urllib3 ask for."""

    def __init__(self, answer=None, method=None, connection=None):
        self._answer = answer
        self._method = method
        self._connection = connection
        self._timeout = None

    def makefile(self, mode="rb", *arguments, **named):
        return io.BufferedReader(_Pieces(self._answer, self._method, self._connection))

    def settimeout(self, timeout):
        self._timeout = timeout

    def gettimeout(self):
        return self._timeout

    def setsockopt(self, *arguments):
        return None

    def sendall(self, data):
        return None

    def shutdown(self, how):
        return None

    def close(self):
        return None


class _Pieces(io.RawIOBase):
    """The bytes of an answer; one piece at most for each read, and at the end the error if one was recorded."""

    def __init__(self, answer, method, connection):
        self._pieces = answer.deliver(wire.answer_bytes(answer, method))
        self._rest = b""
        self._error = answer.error
        self._connection = connection

    def readable(self):
        return True

    def readinto(self, buffer):
        if not self._rest:
            self._rest = next(self._pieces, b"")
        if not self._rest and self._error is not None and self._error["type"] != "IncompleteRead":
            raise as_raised(self._error, self._connection)
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


def _is_of_answering(error):
    """Whether it is an error of waiting for an answer, not of connecting."""
    from http.client import HTTPException

    return isinstance(error, (HTTPException, ConnectionResetError, TimeoutError)) or (
        type(error).__name__ == "timeout"
    )


def as_raised(error, connection):
    """What the agent was given when it was recorded, as far as its class is there."""
    name, message = str((error or {}).get("type")), str((error or {}).get("message"))
    for module_name in _ERROR_MODULES:
        kind = getattr(sys.modules.get(module_name), name, None)
        if isinstance(kind, type) and issubclass(kind, Exception):
            made = _made(kind, message, connection)
            if made is not None:
                return made
    return ConnectionError("%s: %s" % (name, message))


def _made(kind, message, connection):
    if issubclass(kind, OSError):
        found = _ERRNO.match(message)
        return kind(int(found[1]), found[2]) if found else kind(message)
    if kind.__module__ == "http.client":
        return kind(message)
    if kind.__module__ != "urllib3.exceptions":
        return None
    start = "%s: " % (connection,)
    message = message[len(start) :] if message.startswith(start) else message
    for arguments in ((connection, message), (message,)):
        try:
            return kind(*arguments)
        except TypeError:
            continue
    return None
