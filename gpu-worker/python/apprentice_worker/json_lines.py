"""JSON lines between a Python process and the gpu-worker: commands in on stdin, events out on stdout.

Owns framing only; what a command means is the caller's. Anything else that Python code prints goes to stderr,
so that a chatty library cannot break the protocol.
"""

import json
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import Any, TextIO, cast

Message = dict[str, Any]


class JsonLines:
    """The process's end of the pipe. Reading belongs to one thread; `send` may be called from any."""

    def __init__(self, commands: TextIO, events: TextIO) -> None:
        self._commands = commands
        self._events = events
        self._lock = threading.Lock()

    @classmethod
    def take_stdio(cls) -> "JsonLines":
        """Takes stdin and stdout for the protocol and points `sys.stdout` (and C's file 1) at stderr."""
        events = os.fdopen(os.dup(1), "w", encoding="utf-8", newline="\n")
        os.dup2(2, 1)
        sys.stdout = sys.stderr
        return cls(os.fdopen(0, "r", encoding="utf-8", closefd=False), events)

    def commands(self) -> Iterator[Message]:
        """Every command until stdin ends. Raises ValueError on a line that is not a JSON object."""
        for line in self._commands:
            message: object = json.loads(line)
            if not isinstance(message, dict):
                raise ValueError(f"not a JSON object: {line[:200]}")
            yield cast(Message, message)

    def send(self, event: Message) -> None:
        self.send_all([event])

    def send_all(self, events: Sequence[Message]) -> None:
        """Writes events at once. A parent that is gone ends this process: nobody is left to answer to."""
        text = "".join(json.dumps(event, separators=(",", ":"), allow_nan=False) + "\n" for event in events)
        with self._lock:
            try:
                self._events.write(text)
                self._events.flush()
            except BrokenPipeError:
                os._exit(0)
