"""LoRA on Megatron's linear layers, canonical: an A and a B for each of q, k, v, gate and up on the fused ones.

So an adapter is tensor for tensor the one that PEFT has, and each rank holds its part of it. Of a layer whose output
is cut, A is whole on every tensor rank and B cut by rows; of one whose input is cut, A is cut by columns and B whole.
Shape suffixes: Q positions between layers, P all positions, I input, O output of this rank, R the adapter's rank.
"""

# megatron-core has wheels for Linux only; elsewhere its names are unknown.
# pyright: reportMissingImports=false, reportUntypedBaseClass=false

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import torch
from megatron.core.tensor_parallel.mappings import (
    copy_to_tensor_model_parallel_region,
    gather_from_sequence_parallel_region,
    reduce_from_tensor_model_parallel_region,
    reduce_scatter_to_sequence_parallel_region,
)
from torch import Tensor, nn
from torch.nn.functional import linear

from ..adapter_io import has_experts
from .families import head_size
from .group import Group
from .stage import Stage


@dataclass(frozen=True)
class Linear:
    """One linear layer of the Hugging Face model: `model.layers.N....`, its sizes, and whether its input is cut."""

    name: str
    inputs: int
    outputs: int
    input_is_cut: bool


@dataclass(frozen=True)
class Shard:
    """A parameter of the adapter as far as this rank has it; `dim` is where it is cut, None where it is whole."""

    linear: Linear
    side: str
    parameter: nn.Parameter
    dim: int | None

    @property
    def key(self) -> str:
        """Its name in a PEFT folder."""
        return f"base_model.model.{self.linear.name}.lora_{self.side}.weight"

    @property
    def moment_key(self) -> str:
        """Its name among AdamW's moments, which is PEFT's in memory."""
        return f"base_model.model.{self.linear.name}.lora_{self.side}.default.weight"


@dataclass
class Switch:
    """Are adapters on? Off, the model is its base."""

    on: bool = True


class LoraPart(nn.Module):
    """A and B of one Hugging Face layer, as far as this rank has them; always in fp32."""

    def __init__(self, of: Linear, rank: int, group: Group) -> None:
        super().__init__()
        ranks = group.layout.tensor
        inputs, outputs = (of.inputs // ranks, of.outputs) if of.input_is_cut else (of.inputs, of.outputs // ranks)
        self.of = of
        self.a_RI = nn.Parameter(torch.zeros(rank, inputs, device=group.device))
        self.b_OR = nn.Parameter(torch.zeros(outputs, rank, device=group.device))

    def shards(self) -> tuple[Shard, Shard]:
        """A, then B."""
        cut_a, cut_b = (1, None) if self.of.input_is_cut else (None, 0)
        return Shard(self.of, "A", self.a_RI, cut_a), Shard(self.of, "B", self.b_OR, cut_b)


class LoraLinear(nn.Module, ABC):
    """One of Megatron's linear layers with the adapters of what is fused in it."""

    def __init__(self, base: nn.Module, parts: list[LoraPart], scale: float, group: Group, switch: Switch) -> None:
        super().__init__()
        self.base = base
        # Plain, so that they keep their type; the base is frozen and nobody asks the model for its parameters.
        self.parts = parts
        self._scale = scale
        self._switch = switch
        self._group = group.tensor_group
        self._cut_sequence = group.layout.sequence_parallel

    def forward(self, x: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor | None]:
        """As the base's: output and a bias that is yet to be added."""
        y, bias = self.base(x, *args, **kwargs)
        return (y + self.delta(x) if self._switch.on else y), bias

    @abstractmethod
    def delta(self, x: Tensor) -> Tensor:
        """What the adapters add to the base's output."""


class LoraColumns(LoraLinear):
    """Over a layer whose output is cut: x [Q,1,I] to [P,1,O]."""

    def delta(self, x: Tensor) -> Tensor:
        """One product with all A, then each B on its own part of it."""
        a_RI = torch.cat([part.a_RI for part in self.parts]).to(x.dtype)
        inner_R = linear(x, a_RI)
        if self._cut_sequence:
            inner_R = gather_from_sequence_parallel_region(inner_R, group=self._group)
        else:
            inner_R = copy_to_tensor_model_parallel_region(inner_R, group=self._group)
        split = inner_R.split([part.a_RI.shape[0] for part in self.parts], dim=-1)
        outputs = [linear(inner, part.b_OR.to(x.dtype)) for inner, part in zip(split, self.parts, strict=True)]
        return self._scale * self.joined(outputs)

    def joined(self, outputs: list[Tensor]) -> Tensor:
        """The parts' outputs in the order in which the base has them: gate before up."""
        return torch.cat(outputs, dim=-1)


class LoraQkv(LoraColumns):
    """Over linear_qkv, where each group's queries, its key and its value lie together."""

    head = 0

    def joined(self, outputs: list[Tensor]) -> Tensor:
        """[P,1, groups x (queries + 2) x head]."""
        key = outputs[1]
        groups = key.shape[-1] // self.head
        shape = (*key.shape[:-1], groups, -1)
        return torch.cat([side.view(shape) for side in outputs], dim=-1).flatten(start_dim=-2)


class LoraRows(LoraLinear):
    """Over a layer whose input is cut: x [P,1,I] to [Q,1,O]."""

    def delta(self, x: Tensor) -> Tensor:
        """Each rank's share of A x, summed up over the ranks, then B."""
        (part,) = self.parts
        inner_R = linear(x, part.a_RI.to(x.dtype))
        if self._cut_sequence:
            inner_R = reduce_scatter_to_sequence_parallel_region(inner_R, group=self._group)
        else:
            inner_R = reduce_from_tensor_model_parallel_region(inner_R, group=self._group)
        return self._scale * linear(inner_R, part.b_OR.to(x.dtype))


class Adapter:
    """All adapters of a stage."""

    def __init__(self, stage: Stage, rank: int, alpha: float) -> None:
        self._stage = stage
        self._rank = rank
        self._switch = Switch()
        self._linears: list[LoraLinear] = []
        self._places: list[tuple[nn.Module, str]] = []
        of = {linear.name: linear for linear in linears(stage.hf)}
        for index, layer in enumerate(stage.layers):
            prefix = f"model.layers.{stage.first_layer + index}."
            attention, mlp = cast(nn.Module, layer.self_attention), cast(nn.Module, layer.mlp)
            places: list[tuple[nn.Module, str, type[LoraLinear], list[str]]] = [
                (attention, "linear_qkv", LoraQkv, [f"self_attn.{side}_proj" for side in "qkv"]),
                (attention, "linear_proj", LoraRows, ["self_attn.o_proj"]),
            ]
            if not has_experts(stage.hf):
                places += [
                    (mlp, "linear_fc1", LoraColumns, ["mlp.gate_proj", "mlp.up_proj"]),
                    (mlp, "linear_fc2", LoraRows, ["mlp.down_proj"]),
                ]
            for owner, name, kind, parts in places:
                made = kind(
                    getattr(owner, name),
                    [LoraPart(of[prefix + part], rank, stage.group) for part in parts],
                    alpha / rank,
                    stage.group,
                    self._switch,
                )
                if isinstance(made, LoraQkv):
                    made.head = head_size(stage.hf)
                setattr(owner, name, made)
                self._linears.append(made)
                self._places.append((owner, name))

    def shards(self) -> list[Shard]:
        """Every parameter that this rank has."""
        return [shard for adapted in self._linears for part in adapted.parts for shard in part.shards()]

    def disable(self) -> None:
        """The model is its base."""
        self._switch.on = False

    def enable(self) -> None:
        """The model is its base with the adapter."""
        self._switch.on = True

    def remove(self) -> None:
        """Puts the base's own layers back."""
        for (owner, name), adapted in zip(self._places, self._linears, strict=True):
            setattr(owner, name, adapted.base)

    @torch.no_grad()
    def draw(self, seed: int) -> None:
        """A and B as PEFT draws them from this seed (B zero): every rank draws all, and keeps its own.

        PEFT makes both layers, each of which draws its weights, and then draws A anew.
        """
        mine = {shard.key: shard for shard in self.shards()}
        torch.manual_seed(seed)
        for of in linears(self._stage.hf):
            a = nn.Linear(of.inputs, self._rank, bias=False)
            nn.Linear(self._rank, of.outputs, bias=False)
            nn.init.kaiming_uniform_(a.weight, a=math.sqrt(5))
            shard = mine.get(f"base_model.model.{of.name}.lora_A.weight")
            if shard is not None:
                shard.parameter.copy_(own_part(shard, a.weight, self._stage.group))
        for key, shard in mine.items():
            if key.endswith("lora_B.weight"):
                shard.parameter.zero_()


def own_part(shard: Shard, whole: Tensor, group: Group) -> Tensor:
    """This rank's part of a whole tensor."""
    if shard.dim is None:
        return whole
    return whole.chunk(group.layout.tensor, dim=shard.dim)[group.tensor_rank]


def linears(hf: Any) -> Iterator[Linear]:
    """What is adapted (adapter_io.lora_config), in PEFT's order."""
    hidden, head = hf.hidden_size, head_size(hf)
    queries, keys = hf.num_attention_heads * head, hf.num_key_value_heads * head
    for layer in range(hf.num_hidden_layers):
        prefix = f"model.layers.{layer}."
        yield Linear(prefix + "self_attn.q_proj", hidden, queries, input_is_cut=False)
        yield Linear(prefix + "self_attn.k_proj", hidden, keys, input_is_cut=False)
        yield Linear(prefix + "self_attn.v_proj", hidden, keys, input_is_cut=False)
        yield Linear(prefix + "self_attn.o_proj", queries, hidden, input_is_cut=True)
        if not has_experts(hf):
            yield Linear(prefix + "mlp.gate_proj", hidden, hf.intermediate_size, input_is_cut=False)
            yield Linear(prefix + "mlp.up_proj", hidden, hf.intermediate_size, input_is_cut=False)
            yield Linear(prefix + "mlp.down_proj", hf.intermediate_size, hidden, input_is_cut=True)
