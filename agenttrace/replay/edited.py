"""Whether an answer's text still says what its body or pieces say: who edits a trace may have changed the one alone."""

from __future__ import annotations

from agenttrace import providers
from agenttrace.providers.base import parsed
from agenttrace.replay.recorded import Recorded


def contradicts(exchange: Recorded) -> bool:
    """Whether the answer is given with other words than `text` has. False where that can't be told."""
    if exchange.text is None or not exchange.is_of_model or exchange.error is not None:
        return False
    found = providers.recognise(exchange.method, exchange.url, exchange.request)
    if found is None or exchange.status is None:
        return False
    answer = _answer(exchange, *found)
    return answer.text is not None and answer.text != exchange.text


def _answer(exchange: Recorded, provider: providers.Provider, operation: str) -> providers.Answer:
    body = b"".join(exchange.pieces)
    kind = next((value for name, value in exchange.headers.items() if name == "content-type"), "")
    media_type = kind.partition(";")[0].strip().lower()
    if media_type not in providers.STREAMS:
        text = body.decode("utf-8", "replace")
        return provider.answer(operation, exchange.status or 0, parsed(text) or text)
    stream, fold = providers.STREAMS[media_type](), provider.fold(operation)
    for event, data in [*stream.feed(body), *stream.close()]:
        fold.feed(event, data)
    return fold.answer()
