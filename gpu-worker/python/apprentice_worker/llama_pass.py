"""The pass of models that are built as Llama is, without transformers' forward: 22 operations a layer instead of 87.

With few rows in a pass, calling small operations takes a good part of its time. Here q, k and v are one product, gate
and up another, the residual is added to the product before it, and keys and queries are turned together. Everything
that a model's family may have beside this is looked for in `fits`; whoever makes a pass compares its logits with
transformers' own.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from transformers import PreTrainedModel

from .decode_attention import attend_one_tokens
from .kv_cache import OneToken
from .linear import AdapterSlices, LoraLinear, layers_of
from .lora import LinearLayers
from .segment_attention import attend
from .step import Segment, Step

FAMILIES = ("llama", "mistral", "qwen2")
LAYER = {
    "": {"self_attn", "mlp", "input_layernorm", "post_attention_layernorm"},
    "self_attn": {"q_proj", "k_proj", "v_proj", "o_proj"},
    "mlp": {"gate_proj", "up_proj", "down_proj", "act_fn"},
}
"""The parts of a decoder layer, and the parts of those."""


def fits(model: PreTrainedModel) -> bool:
    """Whether a LlamaPass computes what this model does, as far as its modules tell."""
    config, backbone = model.config, cast(Any, model.base_model)
    return (
        config.model_type in FAMILIES
        and getattr(config, "sliding_window", None) is None
        and config.hidden_act == "silu"
        # All of a head is turned, and not a part of it.
        and 2 * backbone.rotary_emb.inv_freq.numel() == backbone.layers[0].self_attn.head_dim
        and all(
            {name for name, _ in layer.get_submodule(part).named_children()} == parts
            for layer in backbone.layers
            for part, parts in LAYER.items()
        )
    )


@dataclass(frozen=True)
class Layer:
    """One decoder layer. The norms' weights are [D]."""

    input_norm_D: Tensor
    qkv: LoraLinear
    out: LoraLinear
    mlp_norm_D: Tensor
    gate_up: LoraLinear
    down: LoraLinear


class LlamaPass:
    """Takes the model's weights over; the model itself is not used any more."""

    def __init__(self, model: PreTrainedModel) -> None:
        """The model must be one that `fits`."""
        config = model.config
        backbone: Any = model.base_model
        head: Any = model.get_output_embeddings()
        self._heads = int(config.num_attention_heads)
        self._groups = int(config.num_key_value_heads)
        self._epsilon = float(config.rms_norm_eps)
        self._scaling = float(backbone.layers[0].self_attn.scaling)
        # Copies: the mapping of the model's file stays in memory as long as a part of it is used.
        self._embedding_VD: Tensor = backbone.embed_tokens.weight.detach().clone()
        self._rotary = backbone.rotary_emb
        self._norm_D: Tensor = backbone.norm.weight.detach().clone()
        self._head = LoraLinear("", [head])
        shapes = layers_of(model, head).shapes
        names = {module: name for name, module in model.named_modules()}
        products: dict[str, tuple[str, ...]] = {}

        def product(*linears: nn.Linear) -> LoraLinear:
            of = tuple(names[linear] for linear in linears)
            products["+".join(of)] = of
            return LoraLinear("+".join(of), linears)

        self._layers: list[Layer] = []
        for layer in backbone.layers:
            attention, mlp = layer.self_attn, layer.mlp
            self._layers.append(
                Layer(
                    input_norm_D=layer.input_layernorm.weight.detach().clone(),
                    qkv=product(attention.q_proj, attention.k_proj, attention.v_proj),
                    out=product(attention.o_proj),
                    mlp_norm_D=layer.post_attention_layernorm.weight.detach().clone(),
                    gate_up=product(mlp.gate_proj, mlp.up_proj),
                    down=product(mlp.down_proj),
                )
            )
            # Each layer's own weights go once it is packed, or both copies of the model would be there at one time.
            layer.self_attn = layer.mlp = None
        self.layers = LinearLayers(shapes, products)
        linears = [linear for layer in self._layers for linear in (layer.qkv, layer.out, layer.gate_up, layer.down)]
        self.fastest_rows = max(linear.fastest_rows for linear in (*linears, self._head))

    def logits(self, ids_T: Tensor, positions_T: Tensor, step: Step, wanted_W: Tensor) -> Tensor:
        """[W, V], of the rows `wanted_W`. Extends the caches of the step's segments."""
        x_TD = nn.functional.embedding(ids_T, self._embedding_VD)
        turn = self._turn(x_TD, positions_T)
        slices = step.adapter_slices
        one_tokens = [
            segment.kv.one_token(segment.start_position) if segment.end - segment.first == 1 else None
            for segment in step.segments
        ]
        for index, layer in enumerate(self._layers):
            qkv_TO = layer.qkv.product(self._normed(x_TD, layer.input_norm_D), slices)
            attended_TO = self._attended(index, self._turned(qkv_TO, turn), step, one_tokens)
            x_TD = layer.out.product(attended_TO, slices, x_TD)
            x_TD = self._mlp(layer, x_TD, slices)
        return self._head.product(self._normed(x_TD[wanted_W], self._norm_D), ())

    def _normed(self, x_TD: Tensor, weight_D: Tensor) -> Tensor:
        return torch.rms_norm(x_TD, weight_D.shape, weight_D, self._epsilon)

    def _mlp(self, layer: Layer, x_TD: Tensor, slices: AdapterSlices) -> Tensor:
        gate_TI, up_TI = layer.gate_up.product(self._normed(x_TD, layer.mlp_norm_D), slices).chunk(2, dim=1)
        return layer.down.product(nn.functional.silu(gate_TI) * up_TI, slices, x_TD)

    def _turn(self, x_TD: Tensor, positions_T: Tensor) -> tuple[Tensor, Tensor]:
        """Cosine and sine [T, H+2G, E] by which q, k and v are turned: v by no angle, so that one operation does all.

        transformers turns x to x cos + (-x2, x1) sin, with x1 and x2 the halves of x: here (x2, x1) (-sin, sin).
        """
        cos_1TE, sin_1TE = self._rotary(x_TD, positions_T[None])
        half = sin_1TE.shape[2] // 2
        sin_TE = torch.cat((-sin_1TE[0, :, :half], sin_1TE[0, :, half:]), dim=1)
        turned, still = self._heads + self._groups, self._groups
        cos_THE = torch.cat(
            (cos_1TE[0, :, None].expand(-1, turned, -1), cos_1TE.new_ones(len(x_TD), still, 2 * half)), 1
        )
        sin_THE = torch.cat((sin_TE[:, None].expand(-1, turned, -1), sin_TE.new_zeros(len(x_TD), still, 2 * half)), 1)
        return cos_THE, sin_THE

    def _turned(self, qkv_TO: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
        """[T, H+2G, E]."""
        cos_THE, sin_THE = turn
        qkv_THE = qkv_TO.view(cos_THE.shape)
        return torch.addcmul(qkv_THE * cos_THE, qkv_THE.roll(cos_THE.shape[2] // 2, 2), sin_THE)

    def _attended(self, index: int, qkv_THE: Tensor, step: Step, one_tokens: Sequence[OneToken | None]) -> Tensor:
        """[T, H E] of layer `index`."""
        if step.together is None:
            return self._attended_alone(index, qkv_THE, step.segments, one_tokens)
        query_THE, key_TGE, value_TGE = qkv_THE.split((self._heads, self._groups, self._groups), 1)
        out_THE = qkv_THE.new_empty(query_THE.shape)
        attend_one_tokens(step.together, index, query_THE, key_TGE, value_TGE, self._scaling, None, out_THE)
        for segment, one_token in zip(step.segments, one_tokens, strict=True):
            rows = slice(segment.first, segment.end)
            alone = replace(segment, first=0, end=segment.end - segment.first)
            out_THE[rows] = self._attended_alone(index, qkv_THE[rows], [alone], [one_token]).view_as(out_THE[rows])
        return out_THE.flatten(1)

    def _attended_alone(
        self, index: int, qkv_THE: Tensor, segments: Sequence[Segment], one_tokens: Sequence[OneToken | None]
    ) -> Tensor:
        """[T, H E] of layer `index`, a segment after the other."""
        heads, groups, size = self._heads, self._groups, qkv_THE.shape[2]
        parts: list[Tensor] = []
        rows = 0
        for segment, one_token in zip(segments, one_tokens, strict=True):
            rows = segment.end
            part_NHE = qkv_THE[segment.first : rows]
            if one_token is None:
                query_HNE, key_GNE, value_GNE = part_NHE.transpose(0, 1).split((heads, groups, groups))
                keys_GKE, values_GKE = segment.kv.write(index, segment.start_position, key_GNE, value_GNE)
                parts.append(attend(segment, query_HNE, keys_GKE, values_GKE, self._scaling).flatten(1))
                continue
            # The heads that share keys stand in for several queries, as in `attend`.
            query_1HE, added_1HE = part_NHE.split((heads, 2 * groups), 1)
            one_token.added_2HD[index].copy_(added_1HE.view(2, groups, size))
            attended_1GRE = scaled_dot_product_attention(
                query_1HE.view(1, groups, -1, size),
                one_token.keys_1HKD[index],
                one_token.values_1HKD[index],
                scale=self._scaling,
            )
            parts.append(attended_1GRE.view(1, -1))
        if rows < len(qkv_THE):
            # Rows of no segment are carried along.
            parts.append(qkv_THE.new_zeros(len(qkv_THE) - rows, heads * size))
        return parts[0] if len(parts) == 1 else torch.cat(parts)
