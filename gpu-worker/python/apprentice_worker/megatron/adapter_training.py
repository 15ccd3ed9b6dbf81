"""An adapter on the frozen base, and its AdamW: what the torch trainer trains, from and to the very same files."""

from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager

import torch
from safetensors.torch import save_file

from .. import adapter_io
from ..batch import Hyperparameters
from ..job import Job, Progress
from ..optimizer import begin, step
from . import shards
from .gradients import Gradient
from .lora import Adapter, Shard
from .stage import Stage


class AdapterTraining:
    """This rank's part of adapter and moments; the files are written by rank 0 alone."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._group = stage.group
        self._adapter: Adapter | None = None
        self._optimizer: torch.optim.AdamW | None = None
        self._in_memory: str | None = None

    def start(self, job: Job, settings: Hyperparameters) -> None:
        adapter, optimizer = self._adapter, self._optimizer
        if job.parent is not None:
            adapter_io.require_form(job.parent, settings)
        held = adapter_io.is_same(self._in_memory, job.parent)
        # Whatever ends the run early leaves memory between two versions: only a finished run names it again.
        self._in_memory = None
        if not held or adapter is None:
            if adapter is not None:
                adapter.remove()
            adapter = self._adapter = Adapter(self._stage, settings.lora_rank, settings.lora_alpha)
            if job.parent is None:
                adapter.draw(settings.seed)
            else:
                shards.load_adapter(adapter.shards(), self._stage.hf, job.parent, self._group)
        own = adapter.shards()
        if not held or optimizer is None or job.optimizer_in is None:
            optimizer = torch.optim.AdamW([shard.parameter for shard in own], fused=True)
            if job.optimizer_in is not None:
                shards.load_moments(optimizer, own, job.optimizer_in, self._group)
        begin(optimizer, settings)
        self._optimizer = optimizer

    def gradients(self) -> list[Gradient]:
        return [self._gradient(shard) for shard in self._shards()]

    def _gradient(self, shard: Shard) -> Gradient:
        if shard.parameter.grad is None:
            shard.parameter.grad = torch.zeros_like(shard.parameter)
        shared = shard.dim is None
        # Under sequence parallelism each rank saw its part of the sequence.
        return Gradient(shard.parameter.grad, shared, shared and self._group.layout.sequence_parallel)

    def step(self) -> None:
        step(self._optimizer)

    def save(self, job: Job, settings: Hyperparameters, progress: Progress) -> None:
        progress("saving", 0.0)
        if self._optimizer is None:
            raise RuntimeError("there is nothing to save before a run has begun")
        weights = shards.adapter_weights(self._shards(), self._group)
        moments = shards.moments(self._optimizer, self._shards(), self._group)

        def write() -> str | None:
            if weights is None or moments is None:
                return None
            shards.write_adapter(weights, self._stage.hf, settings, job.out)
            save_file(moments, job.optimizer_out)
            return adapter_io.fingerprint(job.out)

        self._in_memory = self._group.tell(self._group.together(write))

    def base(self) -> AbstractContextManager[None] | None:
        return None if self._adapter is None else without(self._adapter)

    def _shards(self) -> list[Shard]:
        return [] if self._adapter is None else self._adapter.shards()


@contextmanager
def without(adapter: Adapter) -> Generator[None]:
    """The model is its base."""
    adapter.disable()
    try:
        yield
    finally:
        adapter.enable()
