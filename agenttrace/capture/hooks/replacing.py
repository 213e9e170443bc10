"""Puts hooks in the place of a class's methods, and the methods back."""

_TOLD = ("__module__", "__name__", "__qualname__", "__doc__")


def replaced(kind, hooks):
    """hooks: by a method's name, a function that takes the original and gives what stands in for it.
    Returns a function that undoes it.
    """
    originals = {name: getattr(kind, name) for name in hooks}
    own = {name for name in hooks if name in vars(kind)}
    for name, hook in hooks.items():
        setattr(kind, name, _looking_like(originals[name], hook(originals[name])))

    def undo():
        for name, original in originals.items():
            if name in own:
                setattr(kind, name, original)
            else:
                delattr(kind, name)

    return undo


def _looking_like(original, hook):
    # What functools.wraps does; each Python that starts would have to load that.
    for name in _TOLD:
        if hasattr(original, name):
            setattr(hook, name, getattr(original, name))
    hook.__dict__.update(getattr(original, "__dict__", {}))
    hook.__wrapped__ = original
    return hook
