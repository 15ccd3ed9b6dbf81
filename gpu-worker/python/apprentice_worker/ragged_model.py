"""A causal LM of transformers, run on a flat batch of several requests' tokens with our own KV cache.

Two passes do it: llama_pass.py for models that are built as Llama is, transformers_pass.py for all others. At load a
prompt is run through transformers' own forward and through the pass, and a model that comes out differently is refused:
families whose attention takes more than this (soft caps, sinks) would otherwise answer wrongly in silence.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

import torch
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from .decode_attention import LONGEST, is_right, one_tokens
from .kv_cache import KvSequence, KvShape
from .llama_pass import LlamaPass, fits
from .lora import Adapter, LinearLayers
from .memory import require_memory
from .segment_attention import causal_mask
from .step import Segment, Step
from .transformers_pass import TransformersPass

# Mean difference in a log-probability, over the vocabulary, between our pass and transformers' own: so much, and
# besides so many times what the model itself makes of it when its input is nudged by the last bit. The default model
# makes 6e-6 of that in float32, 0.018 in float16 and 0.22 in bfloat16, where our pass differs by 1.7e-5, 0.012 and
# 0.14.
TOLERANCE = 1e-4
TOLERANCE_OF_NUDGES = 2.0


class ModelError(Exception):
    """The folder holds no model that this engine can run. The message says why."""


@dataclass(frozen=True)
class Tokens:
    """New tokens of one request for one pass, and the offsets among them whose next-token logits are wanted."""

    adapter: Adapter | None
    kv: KvSequence
    ids: list[int]
    logits_at: list[int]


class Pass(Protocol):
    """What computes logits. It has the model to itself."""

    @property
    def layers(self) -> LinearLayers:
        """What adapters can be made of."""
        ...

    @property
    def fastest_rows(self) -> int:
        """Fewer rows than these are filled up with idle ones: they take as long or longer (frozen_product.py)."""
        ...

    def logits(
        self, ids_T: torch.Tensor, positions_T: torch.Tensor, step: Step, wanted_W: torch.Tensor
    ) -> torch.Tensor:
        """[W, V], of the rows `wanted_W`. Extends the caches of the step's segments. Rows that are in no segment are
        computed for nothing."""
        ...


def served_dtype(stored: object, device: torch.device) -> torch.dtype:
    """What a model stored in `stored` (a dtype or its name; None: its folder does not say) computes in: float32 on a
    processor, elsewhere the 16 bits that it is stored in, and bfloat16 where those are more."""
    if device.type == "cpu":
        return torch.float32
    return torch.float16 if stored in (torch.float16, "float16") else torch.bfloat16


def moved_by_a_nudge(model: PreTrainedModel, ids_1T: torch.Tensor) -> float:
    """By how much log-probabilities move, on average over the vocabulary, when what goes in does by its last bit."""
    embedded_1TD = model.get_input_embeddings()(ids_1T)
    # A third of the numbers up, a third down.
    signs_1TD = (torch.arange(embedded_1TD.numel(), device=ids_1T.device) % 3 - 1).view_as(embedded_1TD)
    nudged_1TD = embedded_1TD * (1 + torch.finfo(embedded_1TD.dtype).eps * signs_1TD.to(embedded_1TD.dtype))
    before_TV, after_TV = (
        cast(Any, model)(inputs_embeds=given, use_cache=False).logits[0].float().log_softmax(-1)
        for given in (embedded_1TD, nudged_1TD)
    )
    return (after_TV - before_TV).abs().mean().item()


class RaggedModel:
    """A loaded model. `forward` belongs to one thread at a time."""

    def __init__(self, folder: Path, device: torch.device) -> None:
        """Raises ModelError, NotEnoughMemory."""
        try:
            dtype = served_dtype(AutoConfig.from_pretrained(folder, local_files_only=True).dtype, device)
            require_memory(folder, device, dtype.itemsize)
            loaded = AutoModelForCausalLM.from_pretrained(
                folder, dtype=dtype, attn_implementation="eager", local_files_only=True
            )
        except (OSError, ValueError, RuntimeError) as error:
            raise ModelError(f"{folder} cannot be loaded: {error}") from error
        model = cast(PreTrainedModel, loaded).to(device).eval()  # pyright: ignore[reportArgumentType]
        config = model.config.get_text_config()
        self.vocab_size = int(config.vocab_size)
        heads = int(config.num_attention_heads)
        self.kv_shape = KvShape(
            layers=int(config.num_hidden_layers),
            heads=int(getattr(config, "num_key_value_heads", None) or heads),
            head_dim=int(getattr(config, "head_dim", None) or config.hidden_size // heads),
            dtype=dtype,
            device=device,
        )
        self._together = is_right(self.kv_shape, heads)
        probe = [(index * 7919 + 11) % self.vocab_size for index in range(12)]
        with torch.inference_mode():
            ids_1T = torch.tensor([probe], device=device)
            expected_TV = model(ids_1T, use_cache=False).logits[0].float().log_softmax(-1)
            tolerance = TOLERANCE + TOLERANCE_OF_NUDGES * moved_by_a_nudge(model, ids_1T)
            self._pass: Pass = LlamaPass(model) if fits(model) else TransformersPass(model)
            self.layers = self._pass.layers
            self._verify(folder, probe, expected_TV, tolerance)

    def _verify(self, folder: Path, probe: list[int], expected_TV: torch.Tensor, tolerance: float) -> None:
        """Runs the probe in two chunks and a single token, beside a second request, and compares."""
        kv, other = KvSequence(self.kv_shape, len(probe)), KvSequence(self.kv_shape, len(probe))
        logits: list[torch.Tensor] = []
        for first, end in ((0, 5), (5, 11), (11, 12)):
            ids = probe[first:end]
            wanted = list(range(len(ids)))
            logits.append(self.forward([Tokens(None, other, ids, []), Tokens(None, kv, ids, wanted)]))
        wrong = (torch.cat(logits).float().log_softmax(-1) - expected_TV).abs().mean().item()
        if not wrong <= tolerance:
            raise ModelError(f"{folder}: this family's attention is not supported (logprobs differ by {wrong:.2g})")

    def forward(self, batch: list[Tokens]) -> torch.Tensor:
        """Runs new tokens of several requests and extends their caches. Returns logits[W, V], W = wanted positions in
        batch order. Requests of one adapter must stand together."""
        device = self.kv_shape.device
        ids_T: list[int] = []
        positions_T: list[int] = []
        wanted_W: list[int] = []
        segments: list[Segment] = []
        rows: list[int] = []
        caches: list[KvSequence] = []
        slices: list[tuple[Adapter, int, int]] = []
        for tokens in batch:
            start, count, first = tokens.kv.length, len(tokens.ids), len(ids_T)
            tokens.kv.reserve(start + count)
            if self._together and count == 1 and start < LONGEST:
                rows.append(first)
                caches.append(tokens.kv)
            else:
                mask_NK = None
                if start > 0 and count > 1 and device.type != "cuda":
                    mask_NK = causal_mask(start, count, tokens.kv.kv_L2HCD)
                segments.append(Segment(tokens.kv, start, first, first + count, mask_NK))
            ids_T.extend(tokens.ids)
            positions_T.extend(range(start, start + count))
            wanted_W.extend(first + offset for offset in tokens.logits_at)
            if tokens.adapter is not None:
                if slices and slices[-1][0] is tokens.adapter:
                    slices[-1] = (tokens.adapter, slices[-1][1], first + count)
                else:
                    slices.append((tokens.adapter, first, first + count))
        fastest_rows = self._pass.fastest_rows
        idle = max(0, fastest_rows - len(ids_T))
        wanted_count = len(wanted_W)
        if wanted_count > 0:
            wanted_W += wanted_W[:1] * max(0, fastest_rows - wanted_count)
        with torch.inference_mode():
            logits_WV = self._pass.logits(
                torch.tensor(ids_T + [0] * idle, device=device),
                torch.tensor(positions_T + [0] * idle, device=device),
                Step(segments, one_tokens(rows, caches, device) if rows else None, slices),
                torch.tensor(wanted_W, dtype=torch.long, device=device),
            )
        for tokens in batch:
            tokens.kv.length += len(tokens.ids)
        return logits_WV[:wanted_count]
