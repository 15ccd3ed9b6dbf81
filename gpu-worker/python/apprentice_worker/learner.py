"""The model being trained: takes one batch at a time, writes one adapter.

Knows tensors and the loss, no algorithm and no protocol: trainer.py speaks to the outside. Kept in memory
between batches, so that a batch on top of the last one starts without reading anything.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import torch
from peft import PeftModel
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, PreTrainedModel
from transformers.modeling_layers import GradientCheckpointingLayer

from . import adapter_io, packed_attention
from .batch import Batch, Hyperparameters, read_batch
from .loss import PAD, Clip, LossTerms, gather_logprobs, weighted_loss
from .memory import require_memory
from .packing import Pack, Span, make_packs
from .probe import chunks, drift, moved

PACK_TOKENS = 1024
"""Positions whose activations are kept for the backward pass, some 2.5 MB each with the default model. A longer
sample is trained all the same, with each layer computed a second time instead of kept."""

Metrics = dict[str, float | list[dict[str, float | None]] | None]
"""TrainMetrics of agent-server/protocol/training.ts."""


class StepRejected(Exception):
    """The step would have made the adapter worthless. Nothing was written."""


class UnknownToken(Exception):
    """The batch names a token that the model does not have."""


class Cancelled(Exception):
    """The caller no longer wants the result. Nothing was written."""


@dataclass(frozen=True)
class Job:
    """Folders and files of one training run; `parent` None starts a fresh adapter."""

    batch: Path
    parent: Path | None
    optimizer_in: Path | None
    out: Path
    optimizer_out: Path


Progress = Callable[[str, float], None]
"""Called with the phase (loading, training, saving) and the share of it that is done. May raise Cancelled."""


class Learner:
    """Owns the base model, the adapter on top of it and the optimizer's moments."""

    def __init__(self, model_folder: Path, device: torch.device) -> None:
        self._device = device
        require_memory(model_folder, device, torch.float32)
        self._base: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
            model_folder, dtype=torch.float32, attn_implementation=packed_attention.NAME
        )
        nn.Module.to(self._base, device)
        # eval: the model's own dropout, where it has any, would make rho differ from 1 for no reason.
        self._base.requires_grad_(False).eval()
        self._base.activation_checkpointing_enable(activation_checkpointing_kwargs={"use_reentrant": False})
        head = self._base.get_output_embeddings()
        if head is None:
            raise ValueError(f"{model_folder} has no output head: it is not a causal language model")
        self._head: nn.Module = head
        self._adapter: PeftModel | None = None
        self._optimizer: torch.optim.AdamW | None = None
        self._in_memory: str | None = None
        self._refuse_other_logits()

    def train(self, job: Job, progress: Progress) -> Metrics:
        """Runs the batch's steps from the parent and writes `out` and `optimizer_out`; returns TrainMetrics.

        Raises StepRejected on a loss or gradient that is not finite, UnknownToken, Cancelled, AdapterMismatch,
        OSError.
        """
        started = time.monotonic()
        progress("loading", 0.0)
        batch = read_batch(job.batch)
        self._refuse_unknown_tokens(batch)
        adapter, optimizer = self._start_from(job, batch.hyperparameters)
        # Whatever ends this run early leaves memory between two versions: only a finished run names it again.
        self._in_memory = None
        metrics = self._steps(batch, adapter, optimizer, progress)
        progress("saving", 0.0)
        adapter_io.save_adapter(adapter, job.out)
        adapter_io.save_moments(optimizer, adapter_io.trained_parameters(adapter), job.optimizer_out)
        self._in_memory = adapter_io.fingerprint(job.out)
        return {**metrics, "tokens": batch.token_count, "seconds": time.monotonic() - started}

    def _refuse_unknown_tokens(self, batch: Batch) -> None:
        """Raises UnknownToken. Left to the embedding, an index out of range could read anything."""
        vocabulary = cast(nn.Embedding, self._base.get_input_embeddings()).num_embeddings
        support_ids_RK = batch.terms.support_ids_RK
        lowest = min(min(sample.tokens) for sample in batch.samples)
        highest = max(max(sample.tokens) for sample in batch.samples)
        # A batch of demonstrations alone has nothing but pads.
        if support_ids_RK.numel() > 0:
            highest = max(highest, int(support_ids_RK.max().item()))
        if lowest < 0 or highest >= vocabulary or bool((support_ids_RK < PAD).any()):
            raise UnknownToken(f"the batch has token ids outside 0 to {vocabulary - 1}")

    def _start_from(self, job: Job, settings: Hyperparameters) -> tuple[PeftModel, torch.optim.AdamW]:
        """The parent's adapter and moments. Moments are fresh without `optimizer_in`, whatever memory holds."""
        adapter, optimizer = self._adapter, self._optimizer
        if job.parent is not None:
            adapter_io.require_form(job.parent, settings)
        held = (
            job.parent is not None
            and self._in_memory is not None
            and self._in_memory == adapter_io.fingerprint(job.parent)
        )
        if not held or adapter is None:
            if adapter is not None:
                self._base = adapter.unload()
            adapter = self._adapter = adapter_io.fresh_adapter(self._base, settings)
            if job.parent is not None:
                adapter_io.load_adapter(adapter, job.parent)
        parameters = adapter_io.trained_parameters(adapter)
        if not held or optimizer is None or job.optimizer_in is None:
            optimizer = torch.optim.AdamW(parameters.values(), fused=True)
            if job.optimizer_in is not None:
                adapter_io.load_moments(optimizer, parameters, job.optimizer_in)
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate
            group["betas"] = (settings.adam_beta1, settings.adam_beta2)
            group["weight_decay"] = settings.weight_decay
        self._optimizer = optimizer
        return adapter, optimizer

    def _steps(self, batch: Batch, adapter: PeftModel, optimizer: torch.optim.AdamW, progress: Progress) -> Metrics:
        settings = batch.hyperparameters
        clip = Clip(settings.clip_low, settings.clip_high)
        packs = make_packs(batch.samples, PACK_TOKENS)
        parameters = list(adapter_io.trained_parameters(adapter).values())
        # A copy, because the first step fills in the old logprobs that the engine did not know.
        terms = replace(batch.terms, support_logprobs_RK=batch.terms.support_logprobs_RK.clone())
        before_R = torch.full_like(terms.old_logprobs_R, torch.nan)
        loss = grad_norm = 0.0
        steps: list[dict[str, float | None]] = []
        for step in range(settings.steps):
            optimizer.zero_grad()
            loss = 0.0
            for index, pack in enumerate(packs):
                progress("training", (step * len(packs) + index) / (settings.steps * len(packs)))
                loss += self._accumulate(pack, terms, clip, before_R if step == 0 else None)
            grad_norm = nn.utils.clip_grad_norm_(parameters, settings.max_grad_norm).item()
            if not (math.isfinite(loss) and math.isfinite(grad_norm)):
                raise StepRejected(f"step {step + 1} of {settings.steps} has loss {loss} and gradient norm {grad_norm}")
            optimizer.step()
            from_base = drift(batch, self._predictors, self._base_predictors, self._head)
            if from_base is not None and not math.isfinite(from_base):
                raise StepRejected(f"step {step + 1} of {settings.steps} leaves the base {from_base} nats behind")
            steps.append({"loss": loss, "gradNorm": grad_norm, "klToBase": from_base})
        optimizer.zero_grad()
        from_parent = moved(batch, before_R, self._predictors, self._head)
        if not math.isfinite(from_parent):
            raise StepRejected(f"adapter after the steps gives log-probabilities that differ by {from_parent}")
        return {
            "loss": loss,
            "gradNorm": grad_norm,
            "klToParent": from_parent,
            "klToBase": steps[-1]["klToBase"],
            "steps": steps,
            "trainedTokens": int((terms.weights_R > 0).sum().item()),
        }

    def _accumulate(self, pack: Pack, terms: LossTerms, clip: Clip, before_R: Tensor | None) -> float:
        """Adds the pack's gradient; returns its share of the loss.

        `before_R` is given in the first step: it receives the own tokens' logprobs, and unknown old logprobs
        among `terms` become the values of this moment, so that rho starts at 1 and counts from here.
        The loss is a sum over positions, so each chunk of logits can go backward as soon as it is there:
        none is kept and none is computed twice.
        """
        trained_N = terms.weights_R[pack.rows_N] > 0
        rows_N = pack.rows_N[trained_N]
        if rows_N.numel() == 0:
            return 0.0
        self._keep_activations(pack.tokens_P.numel() <= PACK_TOKENS)
        hidden_ND = self._hidden(pack)[pack.predictors_N[trained_N].to(self._device)]
        leaf_ND = hidden_ND.detach().requires_grad_()
        loss = 0.0
        for rows in chunks(rows_N.numel()):
            chunk_C = rows_N[rows]
            here = on_device(terms.rows(chunk_C), self._device)
            logits_CV = self._head(leaf_ND[rows])
            own_C, support_CK = gather_logprobs(logits_CV, here.tokens_R, here.support_ids_RK)
            if before_R is not None:
                before_R[chunk_C] = own_C.detach().cpu()
                old_CK = terms.support_logprobs_RK[chunk_C]
                terms.support_logprobs_RK[chunk_C] = torch.where(old_CK.isnan(), support_CK.detach().cpu(), old_CK)
            chunk_loss = weighted_loss(own_C, support_CK, here, clip)
            chunk_loss.backward()
            loss += chunk_loss.item()
        hidden_ND.backward(leaf_ND.grad)
        return loss

    def _keep_activations(self, keep: bool) -> None:
        """transformers recomputes layers in training mode only. Just the layer is put into it, not what it is made
        of, so that no dropout wakes up."""
        for module in self._base.modules():
            if isinstance(module, GradientCheckpointingLayer):
                module.training = not keep

    def _predictors(self, pack: Pack) -> Tensor:
        """Last hidden states [N, D] of the positions that predict the pack's responses."""
        return self._hidden(pack)[pack.predictors_N.to(self._device)]

    def _base_predictors(self, pack: Pack) -> Tensor:
        """The same without the adapter. The head has none."""
        if self._adapter is None:
            return self._predictors(pack)
        with self._adapter.disable_adapter():
            return self._predictors(pack)

    def _hidden(self, pack: Pack) -> Tensor:
        """Last hidden states [P, D] of a pack, from the model below the head."""
        return self._backbone(pack.tokens_P, pack.positions_P, pack.spans)

    def _backbone(self, tokens_P: Tensor, positions_P: Tensor, spans: list[Span]) -> Tensor:
        below: Any = self._base.base_model
        return below(
            input_ids=tokens_P[None].to(self._device),
            position_ids=positions_P[None].to(self._device),
            use_cache=False,
            spans=spans,
        ).last_hidden_state[0]

    @torch.no_grad()
    def _refuse_other_logits(self) -> None:
        """Raises ValueError for a model whose logits are more than its head on its hidden states.

        Some families scale or cap them; training would then follow other probabilities than the engine serves.
        """
        tokens_P = torch.arange(1, 9)
        positions_P = torch.arange(8)
        spans = [Span(0, 8, ())]
        ours_PV = self._head(self._backbone(tokens_P, positions_P, spans))
        model: Any = self._base
        theirs_PV = model(
            input_ids=tokens_P[None].to(self._device),
            position_ids=positions_P[None].to(self._device),
            use_cache=False,
            spans=spans,
        ).logits[0]
        if not torch.allclose(ours_PV, theirs_PV, atol=1e-3):
            raise ValueError(f"{model.config.model_type} changes its logits after the head, which cannot be trained")


def on_device(terms: LossTerms, device: torch.device) -> LossTerms:
    """The terms where the logits are."""
    return LossTerms(**{name: tensor.to(device) for name, tensor in vars(terms).items()})
