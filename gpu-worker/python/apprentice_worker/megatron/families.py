"""Which Hugging Face models are known, and what Megatron has to be told of each."""

# megatron-core has wheels for Linux only; elsewhere its names are unknown.
# pyright: reportMissingImports=false, reportUntypedBaseClass=false

from dataclasses import dataclass
from typing import Any, Literal

import torch
from megatron.core.transformer import TransformerConfig
from torch.nn.functional import silu

from .group import Layout

TrainedWeights = Literal["adapter", "full"]
"""What a run changes: an adapter on the base, or every weight."""


class UnsupportedModel(ValueError):
    """The model, or the way it is cut, is none that this trainer knows."""


@dataclass(frozen=True)
class Family:
    """What sets one apart; all have RMSNorm, rotary positions, grouped keys and a gated SiLU in common."""

    qkv_bias: bool = False
    qk_norm: bool = False
    experts: bool = False


FAMILIES: dict[str, Family] = {
    "llama": Family(),
    "qwen2": Family(qkv_bias=True),
    "qwen3": Family(qk_norm=True),
    "qwen3_moe": Family(qk_norm=True, experts=True),
}
"""By `model_type` of config.json."""


def family_of(hf: Any) -> Family:
    """The family of a transformers configuration. Raises UnsupportedModel, also for variants that change the sums."""
    family = FAMILIES.get(hf.model_type)
    if family is None:
        raise UnsupportedModel(
            f"the Megatron trainer knows {', '.join(FAMILIES)} and not {hf.model_type}; the torch trainer may"
        )
    odd = [name for name in ("mlp_bias", "use_sliding_window") if getattr(hf, name, False)]
    if getattr(hf, "attention_bias", False) and not family.qkv_bias:
        odd.append("attention_bias")
    if hf.hidden_act != "silu":
        odd.append(f"hidden_act {hf.hidden_act}")
    if odd:
        raise UnsupportedModel(f"{hf.model_type} with {', '.join(odd)} cannot be trained with Megatron here")
    return family


def head_size(hf: Any) -> int:
    """Width of one attention head."""
    return getattr(hf, "head_dim", None) or hf.hidden_size // hf.num_attention_heads


def is_sparse(hf: Any, layer: int) -> bool:
    """Does this layer (from 0) have experts? As transformers decides it."""
    if not FAMILIES[hf.model_type].experts:
        return False
    return layer not in hf.mlp_only_layers and (layer + 1) % hf.decoder_sparse_step == 0


def padded_vocabulary(hf: Any, layout: Layout) -> int:
    """Rows of embedding and head, so that every tensor rank has as many."""
    return -(-hf.vocab_size // layout.tensor) * layout.tensor


def megatron_config(hf: Any, layout: Layout, dtype: torch.dtype) -> TransformerConfig:
    """Raises UnsupportedModel where the model cannot be cut in that way."""
    family = family_of(hf)
    refuse_uneven(hf, layout, family)
    experts: dict[str, Any] = {}
    if family.experts:
        experts = {
            "num_moe_experts": hf.num_experts,
            "moe_ffn_hidden_size": hf.moe_intermediate_size,
            "moe_router_topk": hf.num_experts_per_tok,
            # Softmax over the chosen ones is softmax over all, scaled to a sum of 1.
            "moe_router_pre_softmax": not hf.norm_topk_prob,
            "moe_router_load_balancing_type": "none",
            "moe_router_dtype": "fp32",
            "moe_layer_freq": [int(is_sparse(hf, layer)) for layer in range(hf.num_hidden_layers)],
            # The other dispatchers make CUDA streams.
            "moe_token_dispatcher_type": "allgather",
            "expert_model_parallel_size": layout.expert,
            "expert_tensor_parallel_size": layout.tensor // layout.expert,
        }
    return TransformerConfig(
        num_layers=hf.num_hidden_layers,
        hidden_size=hf.hidden_size,
        ffn_hidden_size=hf.intermediate_size,
        num_attention_heads=hf.num_attention_heads,
        num_query_groups=hf.num_key_value_heads,
        kv_channels=head_size(hf),
        normalization="RMSNorm",
        layernorm_epsilon=hf.rms_norm_eps,
        gated_linear_unit=True,
        activation_func=silu,
        add_bias_linear=False,
        add_qkv_bias=family.qkv_bias,
        qk_layernorm=family.qk_norm,
        hidden_dropout=0.0,
        attention_dropout=0.0,
        tensor_model_parallel_size=layout.tensor,
        pipeline_model_parallel_size=layout.pipeline,
        sequence_parallel=layout.sequence_parallel,
        params_dtype=dtype,
        pipeline_dtype=dtype,
        bf16=dtype == torch.bfloat16,
        # The weights come from a file: none is drawn, and each rank fills its own part before it goes to its device.
        use_cpu_initialization=True,
        perform_initialization=False,
        **experts,
    )


def layout_of(hf: Any, tensor: int, pipeline: int, data: int) -> Layout:
    """How the model is cut over so many ranks. Sequence parallelism costs nothing where layers are cut, and experts are
    dealt out whole where their number allows it: cut up, they would be many small products."""
    experts = FAMILIES[hf.model_type].experts if hf.model_type in FAMILIES else False
    whole = experts and hf.num_experts % tensor == 0
    return Layout(tensor, pipeline, data, sequence_parallel=tensor > 1, expert=tensor if whole else 1)


def refuse_uneven(hf: Any, layout: Layout, family: Family) -> None:
    """Raises UnsupportedModel naming what does not divide."""
    divided = {
        "attention heads": (hf.num_attention_heads, layout.tensor),
        "key-value heads": (hf.num_key_value_heads, layout.tensor),
        "MLP columns": (hf.intermediate_size, layout.tensor),
        "layers": (hf.num_hidden_layers, layout.pipeline),
    }
    if family.experts:
        divided["experts"] = (hf.num_experts, layout.expert)
        divided["expert columns"] = (hf.moe_intermediate_size, layout.tensor // layout.expert)
        if layout.tensor > 1 and not layout.sequence_parallel:
            raise UnsupportedModel("experts over several tensor ranks need sequence parallelism")
    for what, (count, parts) in divided.items():
        if count % parts != 0:
            raise UnsupportedModel(f"{count} {what} cannot be cut into {parts} equal parts")
    if hf.vocab_size < layout.tensor**2:
        raise UnsupportedModel(f"a vocabulary of {hf.vocab_size} is too small for {layout.tensor} tensor ranks")
