"""`python -m apprentice_worker.trainer --model DIR`: one training run at a time, commanded over JSON lines.

Owns the protocol and this process's life; learner.py owns the tensors. Commands `train {id, batch, parent,
optimizer_in, out, optimizer_out}` and `cancel {id}`; events `ready`, `progress`, `done`, `error`.
"""

import argparse
import logging
import os
import threading
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import torch

from .adapter_io import AdapterMismatch
from .device import device_named
from .json_lines import JsonLines, Message
from .learner import Cancelled, Job, Learner, StepRejected, UnknownToken

log = logging.getLogger("trainer")


class Commands:
    """Reads standard input on a thread of its own, so that a cancel is seen while a run is going on."""

    def __init__(self, lines: JsonLines) -> None:
        self._lines = lines
        self._trains: SimpleQueue[Message] = SimpleQueue()
        self._cancelled: set[str] = set()
        threading.Thread(target=self._read, name="commands", daemon=True).start()

    def next_train(self) -> Message:
        """Waits for the next `train` command. The parent sends one at a time, so the queue stays short."""
        return self._trains.get()

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


def main() -> None:
    """Serves until standard input ends."""
    parser = argparse.ArgumentParser(prog="apprentice_worker.trainer")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--device", default="auto", help="cpu, cuda, cuda:1, mps")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    lines = JsonLines.take_stdio()
    commands = Commands(lines)
    if arguments.threads is not None:
        torch.set_num_threads(arguments.threads)
    learner = Learner(arguments.model, device_named(arguments.device))
    lines.send({"type": "ready"})
    while True:
        command = commands.next_train()
        lines.send(run(learner, commands, lines, command))


def run(learner: Learner, commands: Commands, lines: JsonLines, command: Message) -> Message:
    """One run, to the event that ends it."""
    run_id: str = command["id"]

    def progress(phase: str, fraction: float) -> None:
        if commands.is_cancelled(run_id):
            raise Cancelled
        lines.send({"type": "progress", "id": run_id, "phase": phase, "fraction": fraction})

    def error(code: str, message: str) -> Message:
        return {"type": "error", "id": run_id, "code": code, "message": message}

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
    except Exception as failure:
        # The process's edge: a run that fails must not cost the next one the model.
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


if __name__ == "__main__":
    main()
