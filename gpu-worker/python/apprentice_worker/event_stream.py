"""Events of running requests on their way to the gpu-worker; tokens are gathered for a moment.

Whatever is written wakes the gpu-worker, which on a machine of few cores takes one of them from the pass being
computed, and every response that it makes of it repeats the whole answer so far, as SGLang's do. Nobody sees the
difference between 25 and 50 pieces of text a second.
"""

import time
from collections.abc import Callable, Sequence

from .json_lines import Message
from .sampling import TopList

GATHER_S = 0.04


class EventStream:
    """Keeps the order of each request's events. One thread's."""

    def __init__(self, write: Callable[[Sequence[Message]], None]) -> None:
        """`write` is given all that is due at once."""
        self._write = write
        self._waiting: list[Message] = []
        # The last event of a request, while tokens may still be added to it.
        self._growing: dict[str, Message] = {}
        self._urgent = False
        self._written_at_s = 0.0

    def send(self, event: Message) -> None:
        """An event of `event["rid"]` that `flush_due` does not hold back, nor what waits before it."""
        self._waiting.append(event)
        self._growing.pop(event["rid"], None)
        self._urgent = True

    def send_token(self, rid: str, token: int, logprobs: list[float] | None, top: list[TopList] | None) -> None:
        """`logprobs`, `top`: of this token, each of length 1; None, for all of a request, where not asked for."""
        event = self._growing.get(rid)
        if event is None:
            event = {"type": "tokens", "rid": rid, "ids": [token], "logprobs": logprobs, "top": top}
            self._growing[rid] = event
            self._waiting.append(event)
            return
        event["ids"].append(token)
        if logprobs is not None:
            event["logprobs"] += logprobs
        if top is not None:
            event["top"] += top

    def flush_due(self) -> None:
        """To be called after every pass: writes what is urgent, and tokens once they have waited for `GATHER_S`."""
        if self._urgent or time.monotonic() - self._written_at_s >= GATHER_S:
            self.flush()

    def flush(self) -> None:
        self._urgent = False
        self._growing.clear()
        if self._waiting:
            self._write(self._waiting)
            self._waiting = []
            self._written_at_s = time.monotonic()
