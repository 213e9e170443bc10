"""Signatures: not in the standard library, and no cryptography of our own."""

from __future__ import annotations

from typing import NoReturn

from agenttrace.errors import AgentTraceError


def ed25519_sign(private_key: str, message: bytes) -> NoReturn:
    """Can't be done here: AgentTraceError."""
    raise AgentTraceError("signatures need the native module, which is not installed")


def ed25519_is_signed(public_key: str, message: bytes, signature: bytes) -> NoReturn:
    """Can't be done here: AgentTraceError."""
    raise AgentTraceError("signatures need the native module, which is not installed")
