"""`python -m apprentice_worker.megatron.trainer --model DIR`, alone or as a rank of a group (launch.py).

Rank 0 speaks the lines of ../trainer.py with the parent and tells the others each command; all run it. A rank that
dies takes the group with it, and whoever started the group starts it anew.
"""

import argparse
import logging
import os
import threading
import time
from pathlib import Path
from typing import get_args

import torch
from transformers import AutoConfig

from ..commands import Commands, run
from ..device import device_named
from ..job import Cancelled
from ..json_lines import JsonLines, Message
from ..memory import require_memory
from .families import TrainedWeights, layout_of
from .group import Group, Layout, join
from .launch import LAUNCHER
from .learner import MegatronLearner

log = logging.getLogger("trainer")

IDLE_WORD_S = 60.0
"""Rank 0 says so often that there is nothing to do, so that the others' wait has a limit."""
PARENT_LOOK_S = 1.0


def main() -> None:
    """Serves until rank 0's standard input ends."""
    parser = argparse.ArgumentParser(prog="apprentice_worker.megatron.trainer")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--device", default="auto", help="cpu, cuda; cuda:1 for a group of one")
    parser.add_argument("--tensor-parallel", type=int, default=1)
    parser.add_argument("--pipeline-parallel", type=int, default=1)
    parser.add_argument("--data-parallel", type=int, default=1)
    parser.add_argument("--trained-weights", choices=get_args(TrainedWeights), default="adapter")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    if "RANK" in os.environ:
        end_with_parent()
    is_first = os.environ.get("RANK", "0") == "0"
    lines = JsonLines.take_stdio() if is_first else None
    commands = Commands(lines) if lines is not None else None
    if arguments.threads is not None:
        torch.set_num_threads(arguments.threads)
    hf = AutoConfig.from_pretrained(arguments.model)
    layout = layout_of(hf, arguments.tensor_parallel, arguments.pipeline_parallel, arguments.data_parallel)
    device = device_named(arguments.device)
    dtype = torch.float32 if device.type == "cpu" else torch.bfloat16
    group = join(layout, device)
    weights: TrainedWeights = arguments.trained_weights
    each = bytes_a_parameter(layout, dtype, weights)
    group.together(lambda: require_memory(arguments.model, group.device, each, layout.world))
    learner = group.together(lambda: MegatronLearner(arguments.model, group, dtype, weights))
    if lines is not None:
        lines.send({"type": "ready"})
    while True:
        waiting = None if commands is None else commands.next_train(IDLE_WORD_S)
        try:
            command = group.tell(waiting)
        except RuntimeError:
            # Nothing is under way. Rank 0 ends at once when its parent does, and the others hear of it here.
            log.info("rank %d ends: another is gone", group.rank)
            logging.shutdown()
            os._exit(0)
        if command is not None:
            ended = run(learner, command, Watch(group, command, lines, commands))
            if lines is not None:
                lines.send(ended)


class Watch:
    """A run's progress: rank 0 tells the parent, and all ranks whether the run is still wanted."""

    def __init__(self, group: Group, command: Message, lines: JsonLines | None, commands: Commands | None) -> None:
        self._group = group
        self._id: str = command["id"]
        self._lines = lines
        self._commands = commands

    def __call__(self, phase: str, fraction: float) -> None:
        """Raises Cancelled on all ranks at once."""
        if self._group.tell(self._commands is not None and self._commands.is_cancelled(self._id)):
            raise Cancelled
        if self._lines is not None:
            self._lines.send({"type": "progress", "id": self._id, "phase": phase, "fraction": fraction})


def bytes_a_parameter(layout: Layout, dtype: torch.dtype, weights: TrainedWeights) -> float:
    """Of all ranks together: each copy has its weights, trained ones with float32 gradients; AdamW's two moments, and
    float32 masters where weights are not, are shared out over the copies."""
    if weights == "adapter":
        return dtype.itemsize
    moments = 8 if dtype == torch.float32 else 12
    return layout.data * (dtype.itemsize + 4) + moments


def end_with_parent() -> None:
    """Ends this rank when what started the group is gone, killed without a chance to end its ranks."""
    parent = int(os.environ.get(LAUNCHER, os.getppid()))

    def look() -> None:
        while os.getppid() == parent:
            time.sleep(PARENT_LOOK_S)
        os._exit(1)

    threading.Thread(target=look, name="parent", daemon=True).start()


if __name__ == "__main__":
    main()
