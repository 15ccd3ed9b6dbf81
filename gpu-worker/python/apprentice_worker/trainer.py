"""`python -m apprentice_worker.trainer --model DIR`: one training run at a time, commanded over JSON lines.

Owns this process's life; commands.py owns the protocol, learner.py the tensors.
"""

import argparse
import logging
from pathlib import Path

import torch

from .commands import Commands, run
from .device import device_named
from .frozen_linear import fast_dtype
from .job import Cancelled
from .json_lines import JsonLines
from .learner import Learner
from .memory import give_back

log = logging.getLogger("trainer")

# Without a run for so long, the memory of the last one is given back: taking it anew costs less than a tenth of a step.
REST_S = 5.0


def main() -> None:
    """Serves until standard input ends."""
    parser = argparse.ArgumentParser(prog="apprentice_worker.trainer")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--device", default="auto", help="cpu, cuda, cuda:1, mps")
    parser.add_argument(
        "--precision", choices=("auto", "float32"), default="auto", help="of products with the base's linear layers"
    )
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    lines = JsonLines.take_stdio()
    commands = Commands(lines)
    if arguments.threads is not None:
        torch.set_num_threads(arguments.threads)
    device = device_named(arguments.device)
    dtype = fast_dtype(device) if arguments.precision == "auto" else torch.float32
    log.info("products with the base's linear layers are in %s", dtype)
    learner = Learner(arguments.model, device, dtype)
    lines.send({"type": "ready"})
    rests = False
    while True:
        command = commands.next_train(None if rests else REST_S)
        rests = command is None
        if command is None:
            give_back()
            continue
        run_id: str = command["id"]

        def progress(phase: str, fraction: float, run_id: str = run_id) -> None:
            if commands.is_cancelled(run_id):
                raise Cancelled
            lines.send({"type": "progress", "id": run_id, "phase": phase, "fraction": fraction})

        try:
            lines.send(run(learner, command, progress))
        except Exception as failure:
            # The process's edge: a run that fails must not cost the next one the model.
            log.exception("run %s failed", run_id)
            message = f"{type(failure).__name__}: {failure}"
            lines.send({"type": "error", "id": run_id, "code": "internal", "message": message})


if __name__ == "__main__":
    main()
