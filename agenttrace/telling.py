"""What our background parts tell a person, on standard error: cleaned, and never a fault of its own."""

from __future__ import annotations

import sys

from agenttrace.text_cleaning import clean


def tell(text: str) -> None:
    """Writes lines for a person. Where standard error is closed or gone there is nobody to tell."""
    stream = sys.stderr
    if stream is None:
        return
    try:
        stream.write(clean(text).rstrip("\n") + "\n")
        stream.flush()
    except (OSError, ValueError):
        return
