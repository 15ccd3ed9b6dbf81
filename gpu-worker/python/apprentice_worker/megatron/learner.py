"""The model being trained, over the ranks of a group: takes one batch at a time, writes one adapter.

As ../learner.py, whose steps, loss and files it shares; every rank calls the same in the same order. What decides
anything (a loss, a norm) is told to all by one rank, so that none goes another way than the rest.
"""

import time
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from .. import adapter_io, probe
from ..batch import Batch, Hyperparameters, read_batch
from ..head import loss_and_gradient
from ..job import Job, Metrics, Progress
from ..loss import Clip, LossTerms
from ..optimizer import begin, step
from ..packing import Pack
from ..steps import PACK_TOKENS, refuse_unknown_tokens, run_steps, trained_positions
from . import shards
from .group import Group
from .lora import Adapter, Shard
from .pipeline import Pipeline
from .stage import Stage
from .vocabulary_head import VocabularyHead

PACKS_A_STAGE = 2
"""Packs under way for each stage of a pipeline. More would keep the stages busier and more activations in memory."""


class MegatronLearner:
    """Owns this rank's part of the base model, of the adapter on top of it, and of the optimizer's moments."""

    def __init__(self, model_folder: Path, group: Group, dtype: torch.dtype = torch.float32) -> None:
        self._group = group
        self._stage = Stage(model_folder, group, dtype)
        self._pipeline = Pipeline(self._stage)
        self._head = (
            VocabularyHead(self._stage.head_weight, self._stage.hf.vocab_size, group) if group.is_last_stage else None
        )
        self._adapter: Adapter | None = None
        self._optimizer: torch.optim.AdamW | None = None
        self._in_memory: str | None = None

    @property
    def packs_at_once(self) -> int:
        """Some for every copy; where there is one stage alone, it has none to wait for."""
        stages = self._group.layout.pipeline
        return self._group.layout.data * (1 if stages == 1 else PACKS_A_STAGE * stages)

    def train(self, job: Job, progress: Progress) -> Metrics:
        """As Learner.train; the files are written by rank 0 alone."""
        started = time.monotonic()
        progress("loading", 0.0)
        batch, adapter, optimizer = self._group.together(lambda: self._load(job))
        # Whatever ends this run early leaves memory between two versions: only a finished run names it again.
        self._in_memory = None
        metrics = run_steps(batch, self, progress)
        progress("saving", 0.0)
        weights = shards.adapter_weights(adapter.shards(), self._group)
        moments = shards.moments(optimizer, adapter.shards(), self._group)

        def write() -> str | None:
            if weights is None or moments is None:
                return None
            shards.write_adapter(weights, self._stage.hf, batch.hyperparameters, job.out)
            save_file(moments, job.optimizer_out)
            return adapter_io.fingerprint(job.out)

        self._in_memory = self._group.tell(self._group.together(write))
        return {**metrics, "tokens": batch.token_count, "seconds": time.monotonic() - started}

    def _load(self, job: Job) -> tuple[Batch, Adapter, torch.optim.AdamW]:
        batch = read_batch(job.batch)
        refuse_unknown_tokens(batch, self._stage.hf.vocab_size)
        return batch, *self._start_from(job, batch.hyperparameters)

    def _start_from(self, job: Job, settings: Hyperparameters) -> tuple[Adapter, torch.optim.AdamW]:
        """The parent's adapter and moments. Moments are fresh without `optimizer_in`, whatever memory holds."""
        adapter, optimizer = self._adapter, self._optimizer
        if job.parent is not None:
            adapter_io.require_form(job.parent, settings)
        held = adapter_io.is_same(self._in_memory, job.parent)
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
        return adapter, optimizer

    def accumulate(self, packs: list[Pack], terms: LossTerms, clip: Clip, before_R: Tensor | None) -> float:
        """Adds the packs' gradient; returns their share of the loss."""
        trained = [pack for pack in packs if trained_positions(pack, terms)[1].numel() > 0]
        trained = trained[self._group.copy :: self._group.layout.data]
        loss = 0.0

        def gradient(number: int, output_Q1H: Tensor) -> Tensor:
            nonlocal loss
            if self._head is None:
                raise RuntimeError("only the last stage has a loss")
            predictors_N, rows_N = trained_positions(trained[number], terms)
            leaf_Q1H = output_Q1H.detach().requires_grad_()
            hidden_NH = self._stage.predictors(leaf_Q1H, predictors_N)
            pack_loss, gradient_NH = loss_and_gradient(hidden_NH, rows_N, terms, clip, self._head, before_R)
            loss += pack_loss
            # Each rank knows what its part of the vocabulary asks for.
            self._group.sum_over_tensor_ranks(gradient_NH)
            hidden_NH.backward(gradient_NH)
            return torch.zeros_like(leaf_Q1H) if leaf_Q1H.grad is None else leaf_Q1H.grad

        self._pipeline.train(trained, lambda pack: pack.tokens_P.numel() > PACK_TOKENS, gradient)
        total = torch.tensor([loss], dtype=torch.float64)
        self._group.sum_over_copies(total)
        return self._group.from_last(total.item())

    @torch.no_grad()
    def clip_gradient(self, limit: float) -> float:
        """Scales the gradient down to a norm of `limit`; returns the norm that it had."""
        gradients: list[Tensor] = []
        whole: list[Tensor] = []
        counted: list[Tensor] = []
        for shard in self._shards():
            # Where no pack had anything to train.
            gradient = shard.parameter.grad = (
                torch.zeros_like(shard.parameter) if shard.parameter.grad is None else shard.parameter.grad
            )
            gradients.append(gradient)
            if shard.dim is None:
                whole.append(gradient)
            if self._group.copy == 0 and (shard.dim is not None or self._group.tensor_rank == 0):
                counted.append(gradient)
        if self._group.layout.sequence_parallel:
            # Each rank saw its part of the sequence.
            sum_up(whole, self._group.sum_over_tensor_ranks)
        if self._group.layout.data > 1:
            # Each copy saw its share of the packs.
            sum_up(gradients, self._group.sum_over_copies)
        squares = torch.stack([gradient.double().square().sum() for gradient in counted]).sum() if counted else 0.0
        norm = self._group.sum_over_all(float(squares)) ** 0.5
        # As torch.nn.utils.clip_grad_norm_, which does not know of the other ranks.
        scale = min(1.0, limit / (norm + 1e-6))
        for gradient in gradients:
            gradient.mul_(scale)
        return norm

    def update(self) -> None:
        """One optimizer step; the gradient is gone after it."""
        step(self._optimizer)

    def drift(self, batch: Batch) -> float | None:
        """How far the policy is from the base; None without anchors."""
        pack = probe.drift_pack(batch)
        if pack is None or self._adapter is None:
            return None
        policy_NH = self._predictors(pack)
        self._adapter.disable()
        try:
            base_NH = self._predictors(pack)
        finally:
            self._adapter.enable()
        drift = 0.0
        if self._head is not None and policy_NH is not None and base_NH is not None:
            drift = probe.drift(policy_NH, base_NH, self._head)
        return self._group.from_last(drift)

    def moved(self, batch: Batch, before_R: Tensor) -> float:
        """How far the steps have moved the policy."""
        pack = probe.moved_pack(batch)
        before_R = self._known_to_all(before_R)
        hidden_NH = self._predictors(pack)
        moved = 0.0
        if self._head is not None and hidden_NH is not None:
            moved = probe.moved(batch, pack, before_R, hidden_NH, self._head)
        return self._group.from_last(moved)

    def _known_to_all(self, before_R: Tensor) -> Tensor:
        """What one copy knows and the others do not (NaN), known to all."""
        if self._group.layout.data == 1:
            return before_R
        known_R = (~before_R.isnan()).float()
        values_R = before_R.nan_to_num()
        self._group.sum_over_copies(known_R)
        self._group.sum_over_copies(values_R)
        return values_R.masked_fill(known_R == 0, torch.nan)

    @torch.no_grad()
    def _predictors(self, pack: Pack) -> Tensor | None:
        """Last hidden states [N, H] of the positions that predict the pack's responses, on the last stage."""
        output_Q1H = self._pipeline.read(pack)
        return None if output_Q1H is None else self._stage.predictors(output_Q1H, pack.predictors_N)

    def _shards(self) -> list[Shard]:
        return [] if self._adapter is None else self._adapter.shards()


def sum_up(tensors: list[Tensor], over: Callable[[Tensor], None]) -> None:
    """Sums each up over ranks, in place: all in one go, since every sum has to be waited for."""
    flat = torch.cat([tensor.flatten() for tensor in tensors])
    over(flat)
    for tensor, part in zip(tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True):
        tensor.copy_(part.view_as(tensor))
