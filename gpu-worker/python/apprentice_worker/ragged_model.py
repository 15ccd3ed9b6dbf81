"""Any Hugging Face causal LM, run on a flat batch of several requests' tokens with our own KV cache.

The model's own forward is used; only its attention function (transformers' AttentionInterface) and its linear layers
are replaced. At load a prompt is run both ways, and a model that comes out differently is refused: families whose
attention takes more than this (soft caps, sinks) would otherwise answer wrongly in silence.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn
from transformers import AttentionInterface, AutoModelForCausalLM, PreTrainedModel

from .kv_cache import KvSequence, KvShape
from .lora import Adapter, wrap_linears
from .memory import require_memory
from .step import Segment, Step, current_step, running

ATTENTION = "apprentice_ragged"
# Largest difference in a log-probability between our pass and transformers' own.
TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 0.25}

# Fewer rows are filled up with idle ones: on a CPU the matrix kernels take less time for 4 rows than the vector
# kernel for one (37 against 46 ms a token for the default model), and 1 to 4 streams come out bit for bit the same.
MIN_ROWS = 4


class ModelError(Exception):
    """The folder holds no model that this engine can run. The message says why."""


@dataclass(frozen=True)
class Tokens:
    """New tokens of one request for one pass, and the offsets among them whose next-token logits are wanted."""

    adapter: Adapter | None
    kv: KvSequence
    ids: list[int]
    logits_at: list[int]


def ragged_attention(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    _mask: torch.Tensor | None,
    scaling: float | None = None,
    sliding_window: int | None = None,
    **_unused: Any,
) -> tuple[torch.Tensor, None]:
    """query[1, H, T, D], key and value[1, G, T, D] of the flat batch to [1, T, H, D], each segment on its own
    cache. No mask comes in: transformers makes none for an attention that it does not know."""
    layer = cast(int, module.layer_idx)
    heads, head_dim = query.shape[1], query.shape[3]
    # Zeros, because rows of no segment are carried along (MIN_ROWS).
    out_1THD = query.new_zeros((1, query.shape[2], heads, head_dim))
    for segment in current_step().segments:
        rows = slice(segment.first, segment.end)
        keys_GKD, values_GKD = segment.kv.write(layer, segment.start_position, key[0, :, rows], value[0, :, rows])
        if segment.end - segment.first == 1:
            # One token: its heads that share keys stand in for several queries, and nothing is repeated.
            if sliding_window is not None:
                keys_GKD, values_GKD = keys_GKD[:, -sliding_window:], values_GKD[:, -sliding_window:]
            grouped = query[0, :, segment.first].view(1, keys_GKD.shape[0], -1, head_dim)
            attended = nn.functional.scaled_dot_product_attention(
                grouped, keys_GKD.unsqueeze(0), values_GKD.unsqueeze(0), scale=scaling
            )
            out_1THD[0, segment.first] = attended.reshape(heads, head_dim)
        else:
            mask_NK = segment.mask_NK
            if sliding_window is not None and keys_GKD.shape[1] > sliding_window:
                mask_NK = causal_mask(segment.start_position, rows.stop - rows.start, query, sliding_window)
            attended = nn.functional.scaled_dot_product_attention(
                query[:, :, rows],
                keys_GKD.unsqueeze(0),
                values_GKD.unsqueeze(0),
                attn_mask=mask_NK,
                is_causal=mask_NK is None,
                scale=scaling,
                enable_gqa=True,
            )
            out_1THD[0, rows] = attended[0].transpose(0, 1)
    return out_1THD, None


def causal_mask(start: int, count: int, like: torch.Tensor, window: int | None = None) -> torch.Tensor:
    """Additive mask[count, start + count] for tokens that follow `start` earlier ones."""
    query_N1 = torch.arange(start, start + count, device=like.device).unsqueeze(1)
    key_K = torch.arange(start + count, device=like.device)
    hidden_NK = key_K > query_N1
    if window is not None:
        hidden_NK |= key_K <= query_N1 - window
    return torch.zeros(hidden_NK.shape, dtype=like.dtype, device=like.device).masked_fill_(hidden_NK, float("-inf"))


class RaggedModel:
    """A loaded model. `forward` belongs to one thread at a time."""

    def __init__(self, folder: Path, device: torch.device) -> None:
        """Raises ModelError, NotEnoughMemory."""
        AttentionInterface.register(ATTENTION, ragged_attention)
        dtype = torch.float32 if device.type == "cpu" else torch.bfloat16
        require_memory(folder, device, dtype.itemsize)
        try:
            loaded = AutoModelForCausalLM.from_pretrained(
                folder, dtype=dtype, attn_implementation="eager", local_files_only=True
            )
        except (OSError, ValueError, RuntimeError) as error:
            raise ModelError(f"{folder} cannot be loaded: {error}") from error
        self._model = cast(PreTrainedModel, loaded).to(device).eval()  # pyright: ignore[reportArgumentType]
        config = self._model.config.get_text_config()
        self.vocab_size = int(config.vocab_size)
        heads = int(config.num_attention_heads)
        self.kv_shape = KvShape(
            layers=int(config.num_hidden_layers),
            heads=int(getattr(config, "num_key_value_heads", None) or heads),
            head_dim=int(getattr(config, "head_dim", None) or config.hidden_size // heads),
            dtype=dtype,
            device=device,
        )
        output_layer = self._model.get_output_embeddings()
        output_name = next((name for name, module in self._model.named_modules() if module is output_layer), None)
        probe = [(index * 7919 + 11) % self.vocab_size for index in range(12)]
        with torch.inference_mode():
            expected_TV = self._model(torch.tensor([probe], device=device), use_cache=False).logits[0].float()
            self._model.set_attn_implementation(ATTENTION)
            shapes = wrap_linears(self._model)
            # The output layer sees only the wanted rows, so a step's slices do not fit it: no LoRA there.
            self.linear_shapes = {name: shape for name, shape in shapes.items() if name != output_name}
            self._verify(folder, probe, expected_TV.log_softmax(-1))

    def _verify(self, folder: Path, probe: list[int], expected_TV: torch.Tensor) -> None:
        """Runs the probe in two chunks and a single token, beside a second request, and compares."""
        kv, other = KvSequence(self.kv_shape, len(probe)), KvSequence(self.kv_shape, len(probe))
        logits: list[torch.Tensor] = []
        for first, end in ((0, 5), (5, 11), (11, 12)):
            ids = probe[first:end]
            wanted = list(range(len(ids)))
            logits.append(self.forward([Tokens(None, other, ids, []), Tokens(None, kv, ids, wanted)]))
        worst = (torch.cat(logits).float().log_softmax(-1) - expected_TV).abs().max().item()
        if not worst <= TOLERANCE[self.kv_shape.dtype]:
            raise ModelError(f"{folder}: this family's attention is not supported (logprobs differ by {worst:.2g})")

    def forward(self, batch: list[Tokens]) -> torch.Tensor:
        """Runs new tokens of several requests and extends their caches. Returns logits[W, V], W = wanted positions in
        batch order. Requests of one adapter must stand together."""
        device = self.kv_shape.device
        ids_T: list[int] = []
        positions_T: list[int] = []
        wanted_W: list[int] = []
        segments: list[Segment] = []
        slices: list[tuple[Adapter, int, int]] = []
        for tokens in batch:
            start, count, first = tokens.kv.length, len(tokens.ids), len(ids_T)
            tokens.kv.reserve(start + count)
            mask_NK = None
            if start > 0 and count > 1:
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
        idle = max(0, MIN_ROWS - len(ids_T))
        wanted_count = len(wanted_W)
        if wanted_count > 0:
            wanted_W += wanted_W[:1] * max(0, MIN_ROWS - wanted_count)
        with torch.inference_mode(), running(Step(segments, slices)):
            logits_1WV = self._model(
                input_ids=torch.tensor([ids_T + [0] * idle], device=device),
                position_ids=torch.tensor([positions_T + [0] * idle], device=device),
                logits_to_keep=torch.tensor(wanted_W, dtype=torch.long, device=device),
                use_cache=False,
            ).logits
        for tokens in batch:
            tokens.kv.length += len(tokens.ids)
        return logits_1WV[0, :wanted_count]
