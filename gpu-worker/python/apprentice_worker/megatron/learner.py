"""The model being trained, over the ranks of a group: takes one batch at a time, writes one version.

As ../learner.py, whose steps and loss it shares; every rank calls the same in the same order. What decides anything
(a loss, a norm) is told to all by one rank, so that none goes another way than the rest. What is trained, an adapter or
all weights, is trained.py.
"""

import time
from pathlib import Path

import torch
from torch import Tensor

from .. import probe
from ..batch import Batch, read_batch
from ..head import loss_and_gradient
from ..job import Job, Metrics, Progress
from ..loss import Clip, LossTerms
from ..packing import Pack
from ..steps import PACK_TOKENS, pack_tokens, refuse_unknown_tokens, run_steps, trained_positions
from .adapter_training import AdapterTraining
from .families import TrainedWeights
from .full_training import FullTraining
from .gradients import clip
from .group import Group
from .pipeline import Pipeline
from .stage import Stage
from .trained import Trained
from .vocabulary_head import VocabularyHead

PACKS_A_STAGE = 2
"""Packs under way for each stage of a pipeline. More would keep the stages busier and more activations in memory."""


class MegatronLearner:
    """Owns this rank's part of the model, and what trains it."""

    def __init__(
        self,
        model_folder: Path,
        group: Group,
        dtype: torch.dtype = torch.float32,
        weights: TrainedWeights = "adapter",
    ) -> None:
        self._group = group
        self._stage = Stage(model_folder, group, dtype)
        self._pipeline = Pipeline(self._stage)
        self._head = (
            VocabularyHead(self._stage.head_weight, self._stage.hf.vocab_size, group) if group.is_last_stage else None
        )
        self._kept_positions = 0
        self._trained: Trained = AdapterTraining(self._stage) if weights == "adapter" else FullTraining(self._stage)

    @property
    def packs_at_once(self) -> int:
        """Some for every copy; where there is one stage alone, it has none to wait for."""
        stages = self._group.layout.pipeline
        return self._group.layout.data * (1 if stages == 1 else PACKS_A_STAGE * stages)

    @property
    def pack_tokens(self) -> int:
        """Positions of a pack, of which every copy and stage is to have some."""
        if self._group.device.type == "cpu":
            return PACK_TOKENS
        return max(PACK_TOKENS, pack_tokens(self._group.device, self._kept_positions) // self.packs_at_once)

    def train(self, job: Job, progress: Progress) -> Metrics:
        """As Learner.train; what is written is read by any other layout."""
        started = time.monotonic()
        progress("loading", 0.0)
        batch = self._group.together(lambda: self._load(job))
        # Where it has least memory: all have to compute the same packs, in the same way.
        self._kept_positions = min(self._group.everyones(self._stage.kept_positions()))
        metrics = run_steps(batch, self, progress)
        self._trained.save(job, batch.hyperparameters, progress)
        return {**metrics, "tokens": batch.token_count, "seconds": time.monotonic() - started}

    def _load(self, job: Job) -> Batch:
        batch = read_batch(job.batch)
        refuse_unknown_tokens(batch, self._stage.hf.vocab_size)
        self._trained.start(job, batch.hyperparameters)
        return batch

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

        self._pipeline.train(trained, self._recomputes, gradient)
        total = torch.tensor([loss], dtype=torch.float64)
        self._group.sum_over_copies(total)
        return self._group.from_last(total.item())

    def _recomputes(self, pack: Pack) -> bool:
        """Are the pack's layers computed a second time, and not kept?"""
        kept = PACK_TOKENS if self._group.device.type == "cpu" else self._kept_positions // self.packs_at_once
        return pack.tokens_P.numel() > kept

    def clip_gradient(self, limit: float) -> float:
        """Scales the gradient down to a norm of `limit`; returns the norm that it had."""
        return clip(self._trained.gradients(), self._group, limit)

    def update(self) -> None:
        """One optimizer step; the gradient is gone after it."""
        self._trained.step()

    def drift(self, batch: Batch) -> float | None:
        """How far the policy is from the base; None without anchors, and where the base is not in memory."""
        pack, base = probe.drift_pack(batch), self._trained.base()
        if pack is None or base is None:
            return None
        policy_NH = self._predictors(pack)
        with base:
            base_NH = self._predictors(pack)
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
