"""What a training run is given and how it can end, whatever trains it. trainer.py turns the ends into events."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

Metrics = dict[str, float | list[dict[str, float | None]] | None]
"""TrainMetrics of agent-server/protocol/training.ts."""

Progress = Callable[[str, float], None]
"""Called with the phase (loading, training, saving) and the share of it that is done. May raise Cancelled."""


@dataclass(frozen=True)
class Job:
    """Folders and files of one training run; `parent` None starts a fresh adapter."""

    batch: Path
    parent: Path | None
    optimizer_in: Path | None
    out: Path
    optimizer_out: Path


class StepRejected(Exception):
    """The step would have made the adapter worthless. Nothing was written."""


class UnknownToken(Exception):
    """The batch names a token that the model does not have."""


class Cancelled(Exception):
    """The caller no longer wants the result. Nothing was written."""
