"""What the steps change, whichever it is: an adapter (adapter_training.py), or all weights (full_training.py)."""

from contextlib import AbstractContextManager
from typing import Protocol

from ..batch import Hyperparameters
from ..job import Job, Progress
from .gradients import Gradient


class Trained(Protocol):
    """This rank's part of it, and of its optimizer. Kept in memory between batches, so that a batch on top of the last
    one starts without reading anything."""

    def start(self, job: Job, settings: Hyperparameters) -> None:
        """The parent's weights and moments. Moments are fresh without `optimizer_in`, whatever memory holds. No rank
        waits for another in here. Raises AdapterMismatch, OSError."""
        ...

    def gradients(self) -> list[Gradient]:
        """Of every parameter, zero where no pack had anything to train."""
        ...

    def step(self) -> None:
        """One optimizer step; the gradients are gone after it."""
        ...

    def save(self, job: Job, settings: Hyperparameters, progress: Progress) -> None:
        """Writes `out` and `optimizer_out`; what memory holds is from then on what `out` holds. All ranks at once.
        Raises OSError, and what `progress` raises, on all."""
        ...

    def base(self) -> AbstractContextManager[None] | None:
        """Inside, the model is its base; None where the base is not in memory."""
        ...
