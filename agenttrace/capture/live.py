"""Whether the replay of this process has gone live: what was not recorded is asked of the real thing, and recorded."""

_has_begun = False


def begin():
    """The responder has said so."""
    global _has_begun
    _has_begun = True


def has_begun():
    """Whether it has, as far as this process knows."""
    return _has_begun
