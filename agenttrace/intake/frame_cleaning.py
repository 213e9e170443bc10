"""Cleans a stream of Amazon's frames of secrets: within payloads, so that lengths and checksums hold again."""

from __future__ import annotations

import base64
import json
from typing import Callable

from agenttrace.providers import amazon_frames
from agenttrace.redaction import PieceCleaner


class FrameCleaner:
    """Has the interface of `PieceCleaner`. What is no frame is cleaned as the bytes that it is.

    cleaner: makes what cleans one payload.
    """

    def __init__(self, cleaner: Callable[[], PieceCleaner]) -> None:
        self._cleaner = cleaner
        self._frames = amazon_frames.AmazonFrames()
        self._others = cleaner()

    def feed(self, piece: bytes) -> bytes:
        """The frames that this piece completes."""
        frames = b"".join([self._frame(frame) for frame in self._frames.frames(piece)])
        return frames + self._others.feed(self._frames.refused())

    def rest(self) -> bytes:
        """The stream is over."""
        return self._others.feed(self._frames.refused(is_over=True)) + self._others.rest()

    def _frame(self, frame: bytes) -> bytes:
        payload = amazon_frames.payload_of(frame)
        inner = amazon_frames.wrapped(payload)
        if inner is None:
            cleaned = self._cleaned(payload)
        elif (event := self._cleaned(inner)) == inner:
            return frame
        else:
            # What else the object has is padding, which hides lengths that the trace shows anyway.
            cleaned = json.dumps({"bytes": base64.b64encode(event).decode()}).encode()
        return frame if cleaned == payload else amazon_frames.with_payload(frame, cleaned)

    def _cleaned(self, text: bytes) -> bytes:
        cleaner = self._cleaner()
        return cleaner.feed(text) + cleaner.rest()
