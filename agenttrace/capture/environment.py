"""The variables that lead a command's clients to the gateway, as the Pythons in it see them.

The front sets them to addresses of the gateway and says so in AGENTTRACE_GATEWAY, a JSON object: name to [the value
that was set, the user's own value or null]. A hooked Python tells of its exchanges itself and must not go through the
gateway: for its code the user's own values are put back, in `os.environ` alone. The C environment keeps the gateway's,
for native libraries and for children that inherit it.
"""

import os

VARIABLE = "AGENTTRACE_GATEWAY"

_prefixes = None


def substituted(environment):
    """What AGENTTRACE_GATEWAY in this mapping says: {name: (the gateway's value, the user's own or None)}."""
    text = environment.get(VARIABLE)
    if not text:
        return {}
    import json

    try:
        told = json.loads(text)
    except ValueError:  # not of our making
        return {}
    pairs = told.items() if isinstance(told, dict) else ()
    return {name: tuple(pair) for name, pair in pairs if _is_pair(pair)}


def _is_pair(pair):
    if not isinstance(pair, list) or len(pair) != 2:
        return False
    return isinstance(pair[0], str) and isinstance(pair[1], (str, type(None)))


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
    """A copy of a child's environment in which the gateway's values stand again.

    They replace the user's own values; what the program set differently, or took out, stays so.
    """
    child = dict(environment)
    told = substituted(os.environ)
    if not told:
        return child
    spelled = {os.fsdecode(name): name for name in child}
    for name, (ours, own) in told.items():
        key = spelled.get(name, name)
        has = os.fsdecode(child[key]) if key in child else None
        if has == own:
            child[key] = os.fsencode(ours) if isinstance(child.get(key), bytes) else ours
    child[spelled.get(VARIABLE, VARIABLE)] = os.environ[VARIABLE]
    return child


def is_gateway(url):
    """Whether this URL leads to the gateway, which tells of what passes through it."""
    global _prefixes
    if _prefixes is None:
        _prefixes = _origins(substituted(os.environ))
    return bool(_prefixes) and url.startswith(_prefixes)


def _origins(told):
    # "http://127.0.0.1:PORT/", with or without the scheme as a variable has it
    found = set()
    for ours, _ in told.values():
        host = ours.partition("://")[2] or ours
        found.add("http://" + host.partition("/")[0] + "/")
    return tuple(found)
