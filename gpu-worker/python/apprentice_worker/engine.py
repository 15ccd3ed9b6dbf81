"""The engine process: `python -m apprentice_worker.engine --model DIR`. Commands and events as JSON lines.

Three threads. The main one reads commands and ends the process with its standard input. The model's owns every
request and runs the passes. The loader's reads adapters and weights from disk, so that streams do not wait for it.
"""

import argparse
import os
import queue
import threading
import traceback
from collections.abc import Callable
from pathlib import Path

import torch

from .device import device_named
from .engine_request import Request
from .json_lines import JsonLines, Message
from .lora import Adapter, AdapterError, read_adapter
from .memory import give_back
from .ragged_model import ModelError, RaggedModel
from .scheduler import DRAFT_ROWS, Scheduler

# Keys and values of finished requests; 45 kB a token with the default model.
CACHE_BYTES = 1 << 30


class Engine:
    def __init__(self, lines: JsonLines, model: RaggedModel, max_running: int, draft_rows: int) -> None:
        self._lines = lines
        self._model = model
        self._scheduler = Scheduler(model, max_running, CACHE_BYTES, lines.send_all, draft_rows)
        self._adapters: dict[str, Adapter] = {}
        # Work for the model's thread: commands, and what the loader has finished.
        self._inbox: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._loads: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        # Adapters that no new request may take, with the ids that wait for them to be gone.
        self._unloading: list[tuple[Adapter, str]] = []
        self._new_weights: tuple[RaggedModel, str] | None = None

    def receive(self, command: Message) -> None:
        """Called by the reader's thread."""
        self._inbox.put(lambda: self._execute(command))

    def run_model(self) -> None:
        """The model's thread: between two passes it takes every command that has come."""
        while True:
            if not self._scheduler.has_work:
                self._inbox.get()()
            while not self._inbox.empty():
                self._inbox.get()()
            if self._scheduler.has_work:
                self._scheduler.step()
            self._settle()

    def run_loader(self) -> None:
        # A thread that does math in parallel has a pool of its own, and with more threads than cores OpenMP lets none
        # wait awake (line-process.ts): once an adapter had been loaded, a pass took 1.6 times as long.
        torch.set_num_threads(1)
        while True:
            self._loads.get()()

    def _execute(self, command: Message) -> None:
        match command["type"]:
            case "submit":
                self._submit(command)
            case "abort":
                self._scheduler.abort(command["rid"])
            case "load_adapter":
                self._loads.put(lambda: self._load_adapter(command["id"], command["name"], Path(command["folder"])))
            case "unload_adapter":
                self._unload_adapter(command["id"], command["name"])
            case "forget":
                self._scheduler.forget_scope(command["scope"])
                self._reply(command["id"])
            case "pause" | "continue" as kind:
                self._scheduler.pause(kind == "pause")
                self._reply(command["id"])
            case "update_weights":
                self._loads.put(lambda: self._load_weights(command["id"], Path(command["folder"])))
            case unknown:
                raise ValueError(f"unknown command {unknown}")

    def _submit(self, command: Message) -> None:
        name: str | None = command["adapter"]
        adapter = None if name is None else self._adapters.get(name)
        if name is not None and adapter is None:
            self._lines.send(
                {
                    "type": "finish",
                    "rid": command["rid"],
                    "reason": "error",
                    "matched": None,
                    "code": "adapter_not_loaded",
                    "message": f"Adapter {name} is not loaded.",
                }
            )
            return
        self._scheduler.submit(Request.from_command(command, adapter))

    def _load_adapter(self, reply_id: str, name: str, folder: Path) -> None:
        """Loader's thread."""
        try:
            shape = self._model.kv_shape
            adapter = read_adapter(name, folder, self._model.layers, shape.dtype, shape.device)
        except AdapterError as error:
            self._refuse(reply_id, "adapter_invalid", f"{error}.")
            return
        self._inbox.put(lambda: self._add_adapter(reply_id, adapter))

    def _add_adapter(self, reply_id: str, adapter: Adapter) -> None:
        if adapter.name in self._adapters:
            self._refuse(reply_id, "adapter_invalid", f"an adapter {adapter.name} is loaded already; unload it first.")
            return
        self._adapters[adapter.name] = adapter
        self._reply(reply_id)

    def _unload_adapter(self, reply_id: str, name: str) -> None:
        adapter = self._adapters.pop(name, None)
        if adapter is None:
            self._refuse(reply_id, "adapter_not_loaded", f"Adapter {name} is not loaded.")
            return
        self._unloading.append((adapter, reply_id))

    def _load_weights(self, reply_id: str, folder: Path) -> None:
        """Loader's thread."""
        try:
            model = RaggedModel(folder, self._model.kv_shape.device)
        except ModelError as error:
            self._refuse(reply_id, "invalid_request", f"{error}.")
            return
        if (model.layers, model.vocab_size) != (self._model.layers, self._model.vocab_size):
            self._refuse(reply_id, "invalid_request", f"{folder} is another architecture than the model in use.")
            return
        self._inbox.put(lambda: self._queue_weights(reply_id, model))

    def _queue_weights(self, reply_id: str, model: RaggedModel) -> None:
        if self._new_weights is not None:
            self._refuse(reply_id, "invalid_request", "other weights are waiting to be put in place already.")
        elif self._scheduler.paused and self._scheduler.running_count > 0:
            self._refuse(
                reply_id, "invalid_request", "paused requests still use the old weights; abort or continue them."
            )
        else:
            self._new_weights = (model, reply_id)
            self._scheduler.draining = True

    def _settle(self) -> None:
        """What had to wait for running requests: unloading, and new weights."""
        for item in list(self._unloading):
            adapter, reply_id = item
            if not self._scheduler.uses(adapter):
                self._unloading.remove(item)
                self._scheduler.forget(adapter)
                self._reply(reply_id)
        if self._new_weights is not None and self._scheduler.running_count == 0:
            self._model, reply_id = self._new_weights
            self._new_weights = None
            self._scheduler.replace_model(self._model)
            self._scheduler.draining = False
            self._reply(reply_id)

    def _reply(self, reply_id: str) -> None:
        self._lines.send({"type": "reply", "id": reply_id, "ok": True, "code": None, "error": None})

    def _refuse(self, reply_id: str, code: str, message: str) -> None:
        self._lines.send({"type": "reply", "id": reply_id, "ok": False, "code": code, "error": message})


def _thread(name: str, work: Callable[[], None]) -> None:
    """A thread whose failure ends the process: the gpu-worker restarts it, which a half-dead engine would prevent."""

    def guarded() -> None:
        try:
            work()
        finally:
            # These threads never return, so being here means an exception, whichever it was.
            traceback.print_exc()
            os._exit(1)

    threading.Thread(target=guarded, name=name, daemon=True).start()


def main() -> None:
    parser = argparse.ArgumentParser(description="The embedded engine; speaks JSON lines with the gpu-worker.")
    parser.add_argument("--model", type=Path, required=True, help="Hugging Face model folder")
    parser.add_argument("--threads", type=int, default=None, help="math threads; all cores by default")
    parser.add_argument("--max-running", type=int, default=8, help="requests decoded together")
    parser.add_argument(
        "--draft-rows", type=int, default=DRAFT_ROWS, help="rows of a pass up to which tokens are guessed"
    )
    parser.add_argument("--device", default="auto", help="cpu, cuda, cuda:1, mps")
    arguments = parser.parse_args()
    lines = JsonLines.take_stdio()
    if arguments.threads is not None:
        torch.set_num_threads(arguments.threads)
    started = threading.Event()
    engines: list[Engine] = []

    def serve() -> None:
        # Loaded here and not by the reader, so that the end of standard input ends this process meanwhile too.
        model = RaggedModel(arguments.model, device_named(arguments.device))
        give_back()
        engine = Engine(lines, model, arguments.max_running, arguments.draft_rows)
        engines.append(engine)
        _thread("loader", engine.run_loader)
        lines.send(
            {
                "type": "ready",
                "vocab_size": model.vocab_size,
                "device": str(model.kv_shape.device),
                "dtype": str(model.kv_shape.dtype).removeprefix("torch."),
            }
        )
        started.set()
        engine.run_model()

    _thread("model", serve)
    for command in lines.commands():
        started.wait()
        engines[0].receive(command)
    os._exit(0)


if __name__ == "__main__":
    main()
