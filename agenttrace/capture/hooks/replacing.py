"""Puts hooks in the place of a class's methods, and the methods back."""

import functools


def replaced(kind, hooks):
    """hooks: by a method's name, a function that takes the original and gives what stands in for it.
    Returns a function that undoes it.
    """
    originals = {name: getattr(kind, name) for name in hooks}
    own = {name for name in hooks if name in vars(kind)}
    for name, hook in hooks.items():
        setattr(kind, name, functools.wraps(originals[name])(hook(originals[name])))

    def undo():
        for name, original in originals.items():
            if name in own:
                setattr(kind, name, original)
            else:
                delattr(kind, name)

    return undo
