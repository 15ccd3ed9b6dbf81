"""The steps of a run, whatever computes them: which packs, in which order, what is measured and what is refused."""

import math
from dataclasses import replace
from typing import Protocol

import torch
from torch import Tensor

from .batch import Batch
from .job import Metrics, Progress, StepRejected, UnknownToken
from .loss import PAD, Clip, LossTerms
from .packing import Pack, make_packs

PACK_TOKENS = 1024
"""Positions of a pass on a processor: more in one make no product faster, and their activations take memory. A longer
sample is a pass of its own, with layers computed a second time where its activations do not fit."""
GPU_PACK_TOKENS = 8192
"""As many may be in one where each pass costs its thousands of kernels' starts first."""


def pack_tokens(device: torch.device, kept_positions: int) -> int:
    """Positions of a pass, where the activations of so many can be kept."""
    if device.type == "cpu":
        return PACK_TOKENS
    return max(PACK_TOKENS, min(kept_positions, GPU_PACK_TOKENS))


class Policy(Protocol):
    """A model with the adapter that is trained, and its optimizer."""

    @property
    def pack_tokens(self) -> int:
        """Positions of a pack, at most; a longer sample is one of its own."""
        ...

    @property
    def packs_at_once(self) -> int:
        """Packs that `accumulate` is best given together."""
        ...

    def accumulate(self, packs: list[Pack], terms: LossTerms, clip: Clip, before_R: Tensor | None) -> float:
        """Adds the packs' gradient; returns their share of the loss. `before_R`: see head.py."""
        ...

    def clip_gradient(self, limit: float) -> float:
        """Scales the gradient down to a norm of `limit`; returns the norm that it had."""
        ...

    def update(self) -> None:
        """One optimizer step; the gradient is gone after it."""
        ...

    def drift(self, batch: Batch) -> float | None:
        """How far the policy is from the base; None without anchors (probe.py)."""
        ...

    def moved(self, batch: Batch, before_R: Tensor) -> float:
        """How far the steps have moved the policy (probe.py)."""
        ...


def run_steps(batch: Batch, policy: Policy, progress: Progress) -> Metrics:
    """All steps of the batch. Raises StepRejected on a loss, gradient or result that is not finite."""
    settings = batch.hyperparameters
    clip = Clip(settings.clip_low, settings.clip_high)
    packs = make_packs(batch.samples, policy.pack_tokens)
    # A copy, because the first step fills in the old logprobs that the engine did not know.
    terms = replace(batch.terms, support_logprobs_RK=batch.terms.support_logprobs_RK.clone())
    before_R = torch.full_like(terms.old_logprobs_R, torch.nan)
    loss = grad_norm = 0.0
    steps: list[dict[str, float | None]] = []
    for step in range(settings.steps):
        loss = 0.0
        for start in range(0, len(packs), policy.packs_at_once):
            progress("training", (step * len(packs) + start) / (settings.steps * len(packs)))
            together = packs[start : start + policy.packs_at_once]
            loss += policy.accumulate(together, terms, clip, before_R if step == 0 else None)
        grad_norm = policy.clip_gradient(settings.max_grad_norm)
        if not (math.isfinite(loss) and math.isfinite(grad_norm)):
            raise StepRejected(f"step {step + 1} of {settings.steps} has loss {loss} and gradient norm {grad_norm}")
        policy.update()
        from_base = policy.drift(batch)
        if from_base is not None and not math.isfinite(from_base):
            raise StepRejected(f"step {step + 1} of {settings.steps} leaves the base {from_base} nats behind")
        steps.append({"loss": loss, "gradNorm": grad_norm, "klToBase": from_base})
    from_parent = policy.moved(batch, before_R)
    if not math.isfinite(from_parent):
        raise StepRejected(f"adapter after the steps gives log-probabilities that differ by {from_parent}")
    return {
        "loss": loss,
        "gradNorm": grad_norm,
        "logprobFall": from_parent,
        "klToBase": steps[-1]["klToBase"],
        "steps": steps,
        "trainedTokens": int((terms.weights_R > 0).sum().item()),
    }


def trained_positions(pack: Pack, terms: LossTerms) -> tuple[Tensor, Tensor]:
    """The pack's predictors and rows [N] that the loss counts."""
    trained_N = terms.weights_R[pack.rows_N] > 0
    return pack.predictors_N[trained_N], pack.rows_N[trained_N]


def refuse_unknown_tokens(batch: Batch, vocabulary: int) -> None:
    """Raises UnknownToken. Left to the embedding, an index out of range could read anything."""
    support_ids_RK = batch.terms.support_ids_RK
    lowest = min(min(sample.tokens) for sample in batch.samples)
    highest = max(max(sample.tokens) for sample in batch.samples)
    # A batch of demonstrations alone has nothing but pads.
    if support_ids_RK.numel() > 0:
        highest = max(highest, int(support_ids_RK.max().item()))
    if lowest < 0 or highest >= vocabulary or bool((support_ids_RK < PAD).any()):
        raise UnknownToken(f"the batch has token ids outside 0 to {vocabulary - 1}")
