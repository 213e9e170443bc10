"""What `agenttrace record` was asked to do."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RecordOptions:
    """output: a path, "-" for standard output, None for a new file in the trace folder.
    if_exists: "refuse", "append" or "replace", for a path that is there already.
    proxy: whether clients are led through a proxy of ours, which ends their TLS.
    keep_env: variables whose values are not redacted. redact: the user's own patterns of secrets.
    prices: a file of prices in litellm's form, which come before the package's own.
    rotate_bytes: a file that holds this much is followed by another one.
    sign: a file with the private key that the trace is signed with at its end."""

    command: tuple[str, ...]
    output: str | None = None
    if_exists: str = "refuse"
    name: str | None = None
    stdio: bool = True
    http: bool = True
    proxy: bool = False
    entropy: bool = True
    redaction: bool = True
    keep_env: tuple[str, ...] = ()
    redact: tuple[str, ...] = ()
    prices: str | None = None
    sign: str | None = None
    rotate_bytes: int | None = None
    quiet: bool = False
