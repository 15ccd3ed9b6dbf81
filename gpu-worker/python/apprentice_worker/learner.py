"""The model being trained: takes one batch at a time, writes one adapter.

Knows tensors and the loss, no algorithm and no protocol: trainer.py speaks to the outside. Kept in memory
between batches, so that a batch on top of the last one starts without reading anything.
"""

import time
from pathlib import Path
from typing import Any, cast

import torch
from peft import PeftModel
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, PreTrainedModel
from transformers.modeling_layers import GradientCheckpointingLayer

from . import adapter_io, packed_attention, probe
from .batch import Batch, Hyperparameters, read_batch
from .frozen_linear import adapt_frozen, freeze_linears
from .head import DenseHead, loss_and_gradient
from .job import Job, Metrics, Progress
from .lean_layers import make_lean, narrow
from .loss import Clip, LossTerms
from .memory import kept_positions, require_memory
from .optimizer import begin, step
from .packing import Pack, Span
from .steps import pack_tokens, refuse_unknown_tokens, run_steps, trained_positions


class Learner:
    """Owns the base model, the adapter on top of it and the optimizer's moments."""

    packs_at_once = 1

    def __init__(self, model_folder: Path, device: torch.device, dtype: torch.dtype = torch.float32) -> None:
        """`dtype`: of the products with the base's linear layers (frozen_linear.py); all else is float32."""
        self._device = device
        require_memory(model_folder, device, torch.float32.itemsize)
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
        # The adapter's, by name: to find them anew takes as long as some layers do.
        self._parameters: dict[str, nn.Parameter] = {}
        self._optimizer: torch.optim.AdamW | None = None
        self._in_memory: str | None = None
        self._attention_dtype: torch.dtype | None = None
        expected_PV = self._probed()
        make_lean(self._base)
        self._refuse_other_logits(expected_PV)
        freeze_linears(self._base, head, dtype)
        narrow(self._base, dtype)
        # GPUs have kernels of attention for 16 bits that are many times as fast as those for 32.
        self._attention_dtype = dtype if device.type == "cuda" else None
        self._activation_bytes = activation_bytes(self._base, dtype)
        self._kept_positions = kept_positions(device, self._activation_bytes)

    def train(self, job: Job, progress: Progress) -> Metrics:
        """Runs the batch's steps from the parent and writes `out` and `optimizer_out`; returns TrainMetrics.

        Raises StepRejected on a loss or gradient that is not finite, UnknownToken, Cancelled, AdapterMismatch,
        OSError.
        """
        started = time.monotonic()
        progress("loading", 0.0)
        batch = read_batch(job.batch)
        refuse_unknown_tokens(batch, cast(nn.Embedding, self._base.get_input_embeddings()).num_embeddings)
        adapter, optimizer = self._start_from(job, batch.hyperparameters)
        self._kept_positions = kept_positions(self._device, self._activation_bytes)
        metrics = run_steps(batch, self, progress)
        progress("saving", 0.0)
        adapter_io.save_adapter(adapter, self._parameters, job.out)
        adapter_io.save_moments(optimizer, self._parameters, job.optimizer_out)
        self._in_memory = adapter_io.fingerprint(job.out)
        return {**metrics, "tokens": batch.token_count, "seconds": time.monotonic() - started}

    def _start_from(self, job: Job, settings: Hyperparameters) -> tuple[PeftModel, torch.optim.AdamW]:
        """The parent's adapter and moments. Moments are fresh without `optimizer_in`, whatever memory holds."""
        adapter, optimizer = self._adapter, self._optimizer
        if job.parent is not None:
            adapter_io.require_form(job.parent, settings)
        held = adapter_io.is_same(self._in_memory, job.parent)
        # Whatever ends the run early leaves memory between two versions: only a finished run names it again.
        self._in_memory = None
        if not held or adapter is None:
            if adapter is not None:
                self._base = adapter.unload()
            adapter = self._adapter = self._fresh_adapter(settings)
            if job.parent is not None:
                adapter_io.load_adapter(adapter, job.parent)
            self._parameters = adapter_io.trained_parameters(adapter)
        if not held or optimizer is None or job.optimizer_in is None:
            optimizer = torch.optim.AdamW(self._parameters.values(), fused=True)
            if job.optimizer_in is not None:
                adapter_io.load_moments(optimizer, self._parameters, job.optimizer_in)
        begin(optimizer, settings)
        self._optimizer = optimizer
        return adapter, optimizer

    def _fresh_adapter(self, settings: Hyperparameters) -> PeftModel:
        adapter = adapter_io.fresh_adapter(self._base, settings)
        adapt_frozen(adapter)
        return adapter

    @property
    def pack_tokens(self) -> int:
        """Positions of a pack."""
        return pack_tokens(self._device, self._kept_positions)

    def accumulate(self, packs: list[Pack], terms: LossTerms, clip: Clip, before_R: Tensor | None) -> float:
        """Adds the packs' gradient; returns their share of the loss."""
        loss = 0.0
        for pack in packs:
            predictors_N, rows_N = trained_positions(pack, terms)
            if rows_N.numel() == 0:
                continue
            self._recompute_first_layers(pack.tokens_P.numel())
            hidden_ND = self._hidden(pack)[predictors_N.to(self._device)]
            pack_loss, gradient_ND = loss_and_gradient(hidden_ND, rows_N, terms, clip, DenseHead(self._head), before_R)
            hidden_ND.backward(gradient_ND)
            loss += pack_loss
        return loss

    def clip_gradient(self, limit: float) -> float:
        """Scales the gradient down to a norm of `limit`; returns the norm that it had."""
        return nn.utils.clip_grad_norm_(self._parameters.values(), limit).item()

    def update(self) -> None:
        """One optimizer step; the gradient is gone after it."""
        step(self._optimizer)

    def drift(self, batch: Batch) -> float | None:
        """How far the policy is from the base; None without anchors."""
        pack = probe.drift_pack(batch)
        if pack is None:
            return None
        return probe.drift(self._predictors(pack), self._base_predictors(pack), DenseHead(self._head))

    def moved(self, batch: Batch, before_R: Tensor) -> float:
        """How far the steps have moved the policy."""
        pack = probe.moved_pack(batch)
        return probe.moved(batch, pack, before_R, self._predictors(pack), DenseHead(self._head))

    def _recompute_first_layers(self, positions: int) -> None:
        """Keeps the activations of as many layers as there is memory for; those below are computed again in the
        backward pass, by when the ones above are free.

        transformers recomputes in training mode only. Just the layer is put into it, not what it is made of, so that no
        dropout wakes up.
        """
        layers = [module for module in self._base.modules() if isinstance(module, GradientCheckpointingLayer)]
        kept = min(len(layers), len(layers) * self._kept_positions // positions)
        for index, layer in enumerate(layers):
            layer.training = index < len(layers) - kept

    @torch.no_grad()
    def _predictors(self, pack: Pack) -> Tensor:
        """Last hidden states [N, D] of the positions that predict the pack's responses."""
        return self._hidden(pack)[pack.predictors_N.to(self._device)]

    @torch.no_grad()
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
            attention_dtype=self._attention_dtype,
        ).last_hidden_state[0]

    @torch.no_grad()
    def _probed(self) -> Tensor:
        """Logits [P, V] of a few tokens, as transformers computes them."""
        tokens_P, positions_P, spans = probe_tokens()
        model: Any = self._base
        return model(
            input_ids=tokens_P[None].to(self._device),
            position_ids=positions_P[None].to(self._device),
            use_cache=False,
            spans=spans,
        ).logits[0]

    @torch.no_grad()
    def _refuse_other_logits(self, expected_PV: Tensor) -> None:
        """Raises ValueError for a model whose logits are more than its head on the hidden states that we compute.

        Some families scale or cap them; training would then follow other probabilities than the engine serves.
        """
        ours_PV = self._head(self._backbone(*probe_tokens()))
        if not torch.allclose(ours_PV, expected_PV, atol=1e-3):
            family = self._base.config.model_type
            raise ValueError(f"{family} computes its logits otherwise than the trainer does, so it cannot be trained")


def activation_bytes(model: PreTrainedModel, dtype: torch.dtype) -> int:
    """What all layers keep of one position for the backward pass, an adapter's few aside (lean_layers.py,
    packed_attention.py): in float32 the input of two norms, and queries, keys, values and what attention makes of them;
    in `dtype` the inputs of products, of which three are as wide as the MLP. For the default model 0.81 MB with
    bfloat16 and 1.12 MB with float32 were counted, for which this says 0.79 and 1.18.
    """
    config = model.config.get_text_config()
    wide = getattr(config, "intermediate_size", None) or 4 * config.hidden_size
    each_layer = (6 * 4 + 3 * dtype.itemsize) * config.hidden_size + 3 * dtype.itemsize * wide
    return config.num_hidden_layers * each_layer


def probe_tokens() -> tuple[Tensor, Tensor, list[Span]]:
    """Tokens, positions and the one span of a pack that every model can read."""
    return torch.arange(1, 9), torch.arange(8), [Span(0, 8, ())]
