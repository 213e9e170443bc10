"""What a child's environment must carry: the hooks, and the variables that lead clients to the gateway.

What the hooks need is remembered when they are loaded, so that a child has it whatever the program makes of its
environment. The front sets the gateway's variables to its addresses and says so in AGENTTRACE_GATEWAY (`spelled`). A
hooked Python tells of its exchanges itself and must not go through the gateway: for its code the user's own values are
put back, in `os.environ` alone. The C environment keeps the gateway's, for native libraries and for children that
inherit it.
"""

import os

VARIABLE = "AGENTTRACE_GATEWAY"
SOCKET = "AGENTTRACE_SOCKET"
RETOLD = "AGENTTRACE_RETOLD"
BOOTSTRAP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "bootstrap")

_NEEDED = (
    SOCKET,
    "AGENTTRACE_MODE",
    "AGENTTRACE_WITHOUT",
    RETOLD,
    "AGENTTRACE_TRACE_ID",
    VARIABLE,
)

_prefixes = None
# What was there when the hooks were loaded: {name: value}.
_needed = {}


def remember():
    """Keeps what the hooks of children need, before the program can change its environment."""
    for name in _NEEDED:
        if name in os.environ:
            _needed[name] = os.environ[name]


def lacking(environment, needed):
    """What an environment has to be given so that the hooks get into a Python in it. needed: a mapping that has it."""
    wanted = {name: needed[name] for name in _NEEDED if name in needed}
    wanted["PYTHONPATH"] = python_path(environment.get("PYTHONPATH"))
    return {name: value for name, value in wanted.items() if environment.get(name) != value}


def is_hooked():
    """Whether this process was started by a recorder or a replay."""
    return SOCKET in _needed


def is_retold():
    """Whether this process is part of a replay that is recorded."""
    return os.environ.get(RETOLD) == "1"


def needed():
    """What the hooks of children need: {name: value}."""
    return _needed


def python_path(value):
    """A PYTHONPATH with the hooks' folder at its head."""
    parts = [part for part in (value or "").split(os.pathsep) if part != BOOTSTRAP]
    return os.pathsep.join([BOOTSTRAP, *parts] if any(parts) else [BOOTSTRAP])


def keep():
    """A child that inherits this process's environment gets what the hooks need, also where the program took it out.

    It goes into the C environment alone: the program's own view stays as it made it.
    """
    if not is_hooked() or _is_of_another(os.environ):
        return
    for name, value in lacking(os.environ, _needed).items():
        os.putenv(name, value)


def _is_of_another(environment):
    # The command of a recording inside this one, or of a replay.
    return environment.get(SOCKET, _needed[SOCKET]) != _needed[SOCKET]


def spelled(told):
    """AGENTTRACE_GATEWAY for {name: (the gateway's value, the user's own or None)}: a line for each, of two or three
    words. No JSON: each Python that starts reads it.
    """
    words = (
        (name, ours) if own is None else (name, ours, own) for name, (ours, own) in told.items()
    )
    return "\n".join(" ".join(map(_escaped, line)) for line in words)


def substituted(environment):
    """What AGENTTRACE_GATEWAY in this mapping says: {name: (the gateway's value, the user's own or None)}."""
    told = {}
    for line in (environment.get(VARIABLE) or "").split("\n"):
        words = [_unescaped(word) for word in line.split(" ")]
        if len(words) == 2:
            told[words[0]] = (words[1], None)
        elif len(words) == 3:
            told[words[0]] = (words[1], words[2])
    return told


def _escaped(word):
    return word.replace("%", "%25").replace(" ", "%20").replace("\n", "%0A")


def _unescaped(word):
    return word.replace("%0A", "\n").replace("%20", " ").replace("%25", "%")


def restore():
    """Puts the user's own values back, for the code of this process; its C environment stays as it is."""
    global _prefixes
    told = substituted(os.environ)
    _prefixes = _origins(told)
    data = getattr(os.environ, "_data", None)  # a plain dict: nothing is told to C
    if data is None:
        return
    for name, (ours, own) in told.items():
        if os.environ.get(name) == ours:
            if own is None:
                del data[os.environ.encodekey(name)]
            else:
                data[os.environ.encodekey(name)] = os.environ.encodevalue(own)


def for_child(environment):
    """A copy of a child's environment with what the hooks need, in which the gateway's values stand again.

    These replace the user's own values; what the program set differently, or took out, stays so.
    """
    child = dict(environment)
    spelled = {os.fsdecode(name): name for name in child}
    if is_hooked():
        texts = {name: os.fsdecode(child[key]) for name, key in spelled.items()}
        if _is_of_another(texts):
            return child
        for name, value in lacking(texts, _needed).items():
            child[spelled.get(name, name)] = value
    told = substituted(_needed or os.environ)
    if not told:
        return child
    for name, (ours, own) in told.items():
        key = spelled.get(name, name)
        has = os.fsdecode(child[key]) if key in child else None
        if has == own:
            child[key] = os.fsencode(ours) if isinstance(child.get(key), bytes) else ours
    child[spelled.get(VARIABLE, VARIABLE)] = _needed.get(VARIABLE) or os.environ[VARIABLE]
    return child


def is_gateway(url):
    """Whether this URL leads to the gateway, which tells of what passes through it."""
    global _prefixes
    if _prefixes is None:
        _prefixes = _origins(substituted(os.environ))
    return bool(_prefixes) and url.startswith(_prefixes)


def _origins(told):
    # "http://127.0.0.1:PORT/"; other values of ours are no addresses
    found = set()
    for ours, _ in told.values():
        scheme, _, rest = ours.partition("://")
        if scheme == "http" and rest:
            found.add("http://" + rest.partition("/")[0] + "/")
    return tuple(found)
