"""The trainer's commands and the events that end them, whatever trains: `train {id, batch, parent, optimizer_in,
out, optimizer_out}` and `cancel {id}`; `progress`, `done`, `error`."""

import logging
import os
import threading
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Protocol

from .adapter_io import AdapterMismatch
from .job import Cancelled, Job, Metrics, Progress, StepRejected, UnknownToken
from .json_lines import JsonLines, Message

log = logging.getLogger("trainer")


class Trains(Protocol):
    """What runs one job."""

    def train(self, job: Job, progress: Progress) -> Metrics:
        """Raises what job.py names, AdapterMismatch and OSError."""
        ...


class Commands:
    """Reads standard input on a thread of its own, so that a cancel is seen while a run is going on."""

    def __init__(self, lines: JsonLines) -> None:
        self._lines = lines
        self._trains: SimpleQueue[Message] = SimpleQueue()
        self._cancelled: set[str] = set()
        threading.Thread(target=self._read, name="commands", daemon=True).start()

    def next_train(self, timeout_s: float | None = None) -> Message | None:
        """Waits for the next `train` command; None when none came in time. The parent sends one at a time, so the
        queue stays short."""
        try:
            return self._trains.get(timeout=timeout_s)
        except Empty:
            return None

    def is_cancelled(self, run_id: str) -> bool:
        """Has a `cancel` for this run arrived?"""
        return run_id in self._cancelled

    def _read(self) -> None:
        status = 1
        try:
            for command in self._lines.commands():
                match command["type"]:
                    case "train":
                        self._trains.put(command)
                    case "cancel":
                        self._cancelled.add(command["id"])
                    case other:
                        raise ValueError(f"unknown command {other!r}")
            status = 0
        finally:
            # The parent is gone or talks nonsense: there is nobody to finish a run for. A run in progress has
            # written nothing that counts.
            logging.shutdown()
            os._exit(status)


def run(learner: Trains, command: Message, progress: Progress) -> Message:
    """One run, to the event that ends it. What no job ends with is raised: it is the process's fault."""

    def error(code: str, message: str) -> Message:
        return {"type": "error", "id": run_id, "code": code, "message": message}

    run_id: str = command["id"]
    try:
        return {"type": "done", "id": run_id, "metrics": learner.train(job(command), progress)}
    except Cancelled:
        return error("aborted", "The run was cancelled.")
    except StepRejected as rejected:
        return error("step_rejected", f"The {rejected}.")
    except UnknownToken as unknown:
        return error("batch_invalid", f"The batch does not fit the model: {unknown}.")
    except AdapterMismatch as mismatch:
        return error("adapter_invalid", f"The parent cannot be trained further: {mismatch}.")
    except OSError as failure:
        log.exception("run %s failed", run_id)
        return error("internal", f"{type(failure).__name__}: {failure}")


def job(command: Message) -> Job:
    """The command's paths."""

    def path(value: Any) -> Path | None:
        return None if value is None else Path(value)

    return Job(
        batch=Path(command["batch"]),
        parent=path(command["parent"]),
        optimizer_in=path(command["optimizer_in"]),
        out=Path(command["out"]),
        optimizer_out=Path(command["optimizer_out"]),
    )
