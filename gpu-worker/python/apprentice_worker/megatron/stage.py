"""This rank's part of the model: the layers of its pipeline stage, cut over the tensor ranks.

Megatron's GPTModel gives embedding, layers and head; a pass goes through them one after the other, because the
packs' positions and spans (packing.py) are none that its own forward knows, and because the head belongs to the
response positions alone (head.py).
Shape suffixes: P packed positions, padded to a multiple of the tensor ranks; Q those of them that this rank holds
between layers (P, or its share under sequence parallelism); H hidden; D of a head.
"""

# megatron-core has wheels for Linux only; elsewhere its names are unknown.
# pyright: reportMissingImports=false, reportUntypedBaseClass=false

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from megatron.core.models.gpt import GPTModel
from megatron.core.models.gpt.gpt_layer_specs import get_gpt_decoder_block_spec
from megatron.core.tensor_parallel.mappings import gather_from_sequence_parallel_region
from megatron.core.transformer import TransformerConfig
from megatron.core.transformer.transformer_layer import TransformerLayer
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from transformers import AutoConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from ..memory import kept_positions
from ..packing import Pack, Span
from ..span_attention import span_attention
from .families import UnsupportedModel, head_size, megatron_config, padded_vocabulary
from .group import Group
from .weights import load_weights, placed_parameters


@dataclass(frozen=True)
class PackLayout:
    """Travels through Megatron's layers in the place of its PackedSeqParams."""

    spans: list[Span]
    qkv_format: str = "spans"


class SpanCoreAttention(nn.Module):
    """Megatron's place for attention without its projections; has no weights."""

    def __init__(self, **_: Any) -> None:
        super().__init__()

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        _attention_mask: Tensor | None,
        *,
        packed_seq_params: PackLayout,
        **_: Any,
    ) -> Tensor:
        """query [P, 1, heads, D]; key and value [P, 1, groups, D]; returns [P, 1, heads x D]."""
        query, key, value = (side.permute(1, 2, 0, 3) for side in (query, key, value))
        attended = span_attention(query, key, value, spans=packed_seq_params.spans)
        return attended.transpose(0, 1).flatten(start_dim=2)


class PlainRmsNorm(nn.RMSNorm):
    """torch's, which Megatron refuses under sequence parallelism: its weight's gradient has to be summed up over the
    ranks. Where it is trained, full_training.py sees to that."""

    def __init__(self, config: TransformerConfig, hidden_size: int, eps: float = 1e-5, **_: Any) -> None:
        super().__init__(hidden_size, eps=eps, dtype=config.params_dtype)


class RecomputableLayer(TransformerLayer):
    """Megatron's layer, which can be computed a second time for the backward pass instead of being kept.

    Megatron's own recomputation saves and restores CUDA's generator; nothing random happens here.
    """

    recompute = False

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """As TransformerLayer."""
        if not self.recompute or not torch.is_grad_enabled():
            return super().forward(*args, **kwargs)
        return checkpoint(super().forward, *args, use_reentrant=False, preserve_rng_state=False, **kwargs)


class Stage:
    """The model as the base's folder has it, frozen. Adapters are put into `model` by lora.py; full_training.py thaws
    it and fills it from other folders."""

    def __init__(self, folder: Path, group: Group, dtype: torch.dtype = torch.float32) -> None:
        self.hf: Any = AutoConfig.from_pretrained(folder)
        self.group = group
        self.dtype = dtype
        config = megatron_config(self.hf, group.layout, dtype)
        spec: Any = get_gpt_decoder_block_spec(config, use_transformer_engine=False, normalization="RMSNorm")
        spec.layer_norm = PlainRmsNorm
        for layer in spec.layer_specs or []:
            layer.module = RecomputableLayer
            parts: Any = layer.submodules
            parts.input_layernorm = parts.pre_mlp_layernorm = PlainRmsNorm
            attention: Any = parts.self_attention.submodules
            attention.core_attention = SpanCoreAttention
            if config.qk_layernorm:
                attention.q_layernorm = attention.k_layernorm = PlainRmsNorm
        model = GPTModel(
            config,
            spec,
            vocab_size=padded_vocabulary(self.hf, group.layout),
            max_sequence_length=self.hf.max_position_embeddings,
            pre_process=group.is_first_stage,
            post_process=group.is_last_stage,
            position_embedding_type="none",
        )
        if self.hf.tie_word_embeddings and group.is_first_stage and group.is_last_stage:
            model.output_layer.weight = model.embedding.word_embeddings.weight
        self.layers = [cast(RecomputableLayer, layer) for layer in model.decoder.layers]
        self.first_layer = self.layers[0].layer_number - 1
        self.folder = folder
        load_weights(placed_parameters(model, self.hf, group, self.first_layer), folder)
        # eval: what is in training mode would want dropout and losses that balance experts.
        self.model = model.requires_grad_(False).eval().to(group.device)
        self._inverse_frequencies_D = rotary_frequencies(self.hf).to(group.device)

    @property
    def head_weight(self) -> Tensor:
        """[V of this rank, H]; on the last stage only."""
        return cast(Tensor, self.model.output_layer.weight)

    def positions(self, pack: Pack) -> int:
        """P: the pack's positions with padding."""
        tensor = self.group.layout.tensor
        return -(-pack.tokens_P.numel() // tensor) * tensor

    def kept_positions(self) -> int:
        """Positions of a pass whose activations may be kept for its backward pass."""
        return kept_positions(self.group.device, len(self.layers) * layer_bytes(self.hf, self.group, self.dtype))

    def input_shape(self, pack: Pack) -> tuple[int, int, int]:
        """[Q, 1, H] of what goes from stage to stage."""
        layout = self.group.layout
        share = layout.tensor if layout.sequence_parallel else 1
        return self.positions(pack) // share, 1, self.hf.hidden_size

    def forward(self, pack: Pack, received: Tensor | None, *, recompute: bool = False) -> Tensor:
        """Through the stage's layers: [Q, 1, H]. The first stage is given None, later ones what the one before made."""
        tokens_P, positions_P, spans = self._padded(pack)
        if received is None:
            received = self.model.embedding(tokens_P[None], positions_P[None])
        else:
            self.model.set_input_tensor(received)
        for layer in self.layers:
            layer.recompute = recompute
        angles_PD = positions_P[:, None].float() * self._inverse_frequencies_D
        return self.model.decoder(
            hidden_states=received,
            attention_mask=None,
            rotary_pos_emb=torch.cat([angles_PD, angles_PD], dim=-1)[:, None, None, :],
            packed_seq_params=PackLayout(spans),
        )

    def predictors(self, hidden_Q1H: Tensor, predictors_N: Tensor) -> Tensor:
        """Of the last stage's output the positions [N, H] that predict, the same on every tensor rank."""
        if self.group.layout.sequence_parallel:
            hidden_Q1H = gather_from_sequence_parallel_region(
                hidden_Q1H, tensor_parallel_output_grad=False, group=self.group.tensor_group
            )
        return hidden_Q1H[:, 0][predictors_N.to(self.group.device)]

    def _padded(self, pack: Pack) -> tuple[Tensor, Tensor, list[Span]]:
        """Tokens and positions [P] where the model is. What is added sees itself alone, and nobody sees it."""
        length, wanted = pack.tokens_P.numel(), self.positions(pack)
        device = self.group.device
        if length == wanted:
            return pack.tokens_P.to(device), pack.positions_P.to(device), pack.spans
        padding = (0, wanted - length)
        return (
            nn.functional.pad(pack.tokens_P, padding).to(device),
            nn.functional.pad(pack.positions_P, padding).to(device),
            [*pack.spans, Span(length, wanted, ())],
        )


def rotary_frequencies(hf: Any) -> Tensor:
    """Inverse frequencies [D/2], scaled as configured. Raises UnsupportedModel where attention is scaled too."""
    kind: str = hf.rope_parameters["rope_type"]
    if kind == "default":
        exponents_D = torch.arange(0, head_size(hf), 2, dtype=torch.int64).float() / head_size(hf)
        return 1.0 / hf.rope_parameters["rope_theta"] ** exponents_D
    if kind in ("dynamic", "longrope"):
        raise UnsupportedModel(f"rotary positions of type {kind} change with the length of the text")
    frequencies_D, attention_factor = ROPE_INIT_FUNCTIONS[kind](hf, torch.device("cpu"))
    if attention_factor != 1.0:
        raise UnsupportedModel(f"rotary positions of type {kind} scale attention by {attention_factor}")
    return frequencies_D


def layer_bytes(hf: Any, group: Group, dtype: torch.dtype) -> float:
    """What a layer keeps of one position for the backward pass: the input and output of two norms and a residual;
    queries, keys and values as they come, turned and repeated, and what attention makes of them; of the MLP what its
    two halves are, what is made of them, and the products' inputs."""
    head = head_size(hf)
    queries, keys = hf.num_attention_heads * head, hf.num_key_value_heads * head
    cut = 6 * queries + 3 * keys + 5 * hf.intermediate_size
    return dtype.itemsize * (5 * hf.hidden_size + cut / group.layout.tensor)
