"""Where a rank's part of a Megatron model lies among the tensors of a Hugging Face folder.

One table says which of the folder's tensors make up each of Megatron's parameters, and where in it. Reading a folder,
writing one (export.py) and keeping an optimizer's moments under the folder's names (checkpoint.py) all go by it. What
one side has and the other has not is an error, so that no weight is left out or left undrawn.
"""

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn

from .families import UnsupportedModel, head_size
from .group import Group

INDEX = "model.safetensors.index.json"
View = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Piece:
    """What a parameter has of one of the folder's tensors: `sizes` of it from `offsets` on, of `whole` in all."""

    name: str
    sizes: torch.Size
    offsets: torch.Size
    whole: torch.Size
    view: View
    """Where it lies in the parameter, or in anything of the parameter's shape; dimensions may be split there."""
    is_everywhere: bool
    """Do all tensor ranks have this same piece?"""

    def of(self, like_parameter: Tensor) -> Tensor:
        """The piece as the folder has it."""
        return self.view(like_parameter).reshape(self.sizes)

    def put(self, like_parameter: Tensor, value: Tensor) -> None:
        """Overwrites the piece with a value as the folder has it."""
        place = self.view(like_parameter)
        place.copy_(value.reshape(place.shape))


@dataclass(frozen=True)
class Placed:
    """One of this rank's parameters and what it is made of; what pads a vocabulary is in no piece."""

    name: str
    """Megatron's, its layer counted over all stages."""
    parameter: nn.Parameter
    pieces: list[Piece]


class Folder:
    """The folder's tensors by name, read in parts. Remembers which were asked for."""

    def __init__(self, folder: Path) -> None:
        index = folder / INDEX
        if index.is_file():
            files: dict[str, str] = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        else:
            with safe_open(folder / "model.safetensors", "pt") as only:
                files = dict.fromkeys(only.keys(), "model.safetensors")
        self._folder = folder
        self.files = files
        self._open: dict[str, Any] = {}
        self.asked: set[str] = set()

    def read(self, piece: Piece) -> Tensor:
        """Raises UnsupportedModel when the folder has no tensor of that name, or one of another shape."""
        file = self.files.get(piece.name)
        if file is None:
            raise UnsupportedModel(f"{self._folder} has no tensor {piece.name}")
        if file not in self._open:
            self._open[file] = safe_open(self._folder / file, "pt").__enter__()
        self.asked.add(piece.name)
        stored = self._open[file].get_slice(piece.name)
        shape: list[int] = stored.get_shape()
        if shape != list(piece.whole):
            raise UnsupportedModel(f"{piece.name} of {self._folder} is {shape} and not {list(piece.whole)}")
        ends = (offset + size for offset, size in zip(piece.offsets, piece.sizes, strict=True))
        return stored[tuple(slice(start, end) for start, end in zip(piece.offsets, ends, strict=True))]


class Cut:
    """One parameter in one rank: which pieces it is made of. `{}` in a name stands for each of what is fused in it."""

    def __init__(self, parameter: Tensor, hf: Any, group: Group) -> None:
        self._parameter = parameter
        self.hf = hf
        self._layout = group.layout
        self._tensor_rank = group.tensor_rank

    def whole(self, name: str) -> list[Piece]:
        """Every rank has all of it."""
        sizes = self._parameter.shape
        return [Piece(name, sizes, torch.Size([0] * len(sizes)), sizes, itself, is_everywhere=True)]

    def rows(self, name: str) -> list[Piece]:
        """This rank's rows."""
        return [self._part(name, 0, self._tensor_rank, self._layout.tensor)]

    def columns(self, name: str) -> list[Piece]:
        """This rank's columns."""
        return [self._part(name, 1, self._tensor_rank, self._layout.tensor)]

    def qkv(self, name: str) -> list[Piece]:
        """Megatron keeps each group's queries, its key and its value together."""
        head = head_size(self.hf)
        groups = self.hf.num_key_value_heads // self._layout.tensor
        queries = self.hf.num_attention_heads // self.hf.num_key_value_heads * head
        places = {"q": (0, queries), "k": (queries, head), "v": (queries + head, head)}
        return [
            self._part(name.format(side), 0, self._tensor_rank, self._layout.tensor, in_groups(groups, *place))
            for side, place in places.items()
        ]

    def gate_up(self, name: str) -> list[Piece]:
        """Gate above up."""
        return self._gate_up(name, self._tensor_rank, self._layout.tensor)

    def vocabulary(self, name: str) -> list[Piece]:
        """This rank's rows of a matrix that is padded to an equal number for each."""
        padded, width = self._parameter.shape
        start = self._tensor_rank * padded
        held = min(padded, self.hf.vocab_size - start)
        sizes, whole = torch.Size([held, width]), torch.Size([self.hf.vocab_size, width])
        return [Piece(name, sizes, torch.Size([start, 0]), whole, in_rows(0, held), is_everywhere=False)]

    def expert_gate_up(self, prefix: str, local: str) -> list[Piece]:
        """As gate_up, of one expert."""
        expert, part, parts = self._expert(local)
        return self._gate_up(f"{prefix}.{expert}.{{}}_proj.weight", part, parts)

    def expert_down(self, prefix: str, local: str) -> list[Piece]:
        """As columns, of one expert."""
        expert, part, parts = self._expert(local)
        return [self._part(f"{prefix}.{expert}.down_proj.weight", 1, part, parts)]

    def _expert(self, local: str) -> tuple[int, int, int]:
        """Number in the folder of this rank's expert number `local`, and which part of how many of it is ours."""
        ranks_an_expert = self._layout.tensor // self._layout.expert
        first = self._tensor_rank // ranks_an_expert * (self.hf.num_experts // self._layout.expert)
        return first + int(local), self._tensor_rank % ranks_an_expert, ranks_an_expert

    def _gate_up(self, name: str, part: int, parts: int) -> list[Piece]:
        half = self._parameter.shape[0] // 2
        return [
            self._part(name.format(side), 0, part, parts, in_rows(start, half))
            for side, start in (("gate", 0), ("up", half))
        ]

    def _part(self, name: str, dim: int, part: int, parts: int, view: View | None = None) -> Piece:
        """Part number `part` of `parts` equal ones along `dim`."""
        view = itself if view is None else view
        sizes = list(view(self._parameter).reshape(-1, *self._parameter.shape[1:]).shape)
        offsets, whole = [0] * len(sizes), sizes.copy()
        offsets[dim], whole[dim] = part * sizes[dim], parts * sizes[dim]
        return Piece(name, torch.Size(sizes), torch.Size(offsets), torch.Size(whole), view, is_everywhere=False)


def itself(tensor: Tensor) -> Tensor:
    """All of it."""
    return tensor


def in_rows(start: int, count: int) -> View:
    """Some of its rows."""
    return lambda tensor: tensor[start : start + count]


def in_groups(groups: int, start: int, count: int) -> View:
    """Some rows of each of its groups: [groups, count, ...]."""
    return lambda tensor: tensor.view(groups, -1, *tensor.shape[1:]).narrow(1, start, count)


LAYER = r"decoder\.layers\.(\d+)\."
HF = "model.layers.{}."

Row = tuple[str, Callable[..., list[Piece]]]

TABLE: list[Row] = [
    (r"embedding\.word_embeddings\.weight", lambda c: c.vocabulary("model.embed_tokens.weight")),
    (r"decoder\.final_layernorm\.weight", lambda c: c.whole("model.norm.weight")),
    (r"output_layer\.weight", lambda c: c.vocabulary(head_name(c.hf))),
    (LAYER + r"input_layernorm\.weight", lambda c, i: c.whole(f"{HF.format(i)}input_layernorm.weight")),
    (LAYER + r"pre_mlp_layernorm\.weight", lambda c, i: c.whole(f"{HF.format(i)}post_attention_layernorm.weight")),
    (
        LAYER + r"self_attention\.linear_qkv\.(weight|bias)",
        lambda c, i, kind: c.qkv(f"{HF.format(i)}self_attn.{{}}_proj.{kind}"),
    ),
    (
        LAYER + r"self_attention\.([qk])_layernorm\.weight",
        lambda c, i, side: c.whole(f"{HF.format(i)}self_attn.{side}_norm.weight"),
    ),
    (
        LAYER + r"self_attention\.linear_proj\.weight",
        lambda c, i: c.columns(f"{HF.format(i)}self_attn.o_proj.weight"),
    ),
    (LAYER + r"mlp\.linear_fc1\.weight", lambda c, i: c.gate_up(f"{HF.format(i)}mlp.{{}}_proj.weight")),
    (LAYER + r"mlp\.linear_fc2\.weight", lambda c, i: c.columns(f"{HF.format(i)}mlp.down_proj.weight")),
    (LAYER + r"mlp\.router\.weight", lambda c, i: c.whole(f"{HF.format(i)}mlp.gate.weight")),
    (
        LAYER + r"mlp\.experts\.local_experts\.(\d+)\.linear_fc1\.weight",
        lambda c, i, local: c.expert_gate_up(f"{HF.format(i)}mlp.experts", local),
    ),
    (
        LAYER + r"mlp\.experts\.local_experts\.(\d+)\.linear_fc2\.weight",
        lambda c, i, local: c.expert_down(f"{HF.format(i)}mlp.experts", local),
    ),
]
"""Megatron's parameter, its layer counted over all stages, and what it is made of."""


def head_name(hf: Any) -> str:
    """Where the output head's rows are."""
    return "model.embed_tokens.weight" if hf.tie_word_embeddings else "lm_head.weight"


def placed_parameters(model: nn.Module, hf: Any, group: Group, first_layer: int) -> list[Placed]:
    """Every parameter of this rank; `first_layer` is the number of the stage's first. Raises UnsupportedModel."""
    placed: list[Placed] = []
    for local_name, parameter in model.named_parameters():
        layer = re.match(LAYER, local_name)
        name = f"decoder.layers.{first_layer + int(layer[1])}.{local_name[layer.end() :]}" if layer else local_name
        for pattern, pieces_of in TABLE:
            match = re.fullmatch(pattern, name)
            if match:
                pieces = pieces_of(Cut(parameter, hf, group), *match.groups())
                placed.append(Placed(name, parameter, pieces))
                break
        else:
            raise UnsupportedModel(f"nothing of a Hugging Face folder is known to go into {name}")
    return placed


@torch.no_grad()
def load_weights(placed: list[Placed], path: Path) -> None:
    """Fills every parameter from a folder. Raises UnsupportedModel."""
    folder = Folder(path)
    for one in placed:
        if sum(math.prod(piece.sizes) for piece in one.pieces) < one.parameter.numel():
            one.parameter.zero_()
        for piece in one.pieces:
            piece.put(one.parameter, folder.read(piece))
    layers = {match[1] for match in (re.match(LAYER, one.name) for one in placed) if match}
    ours = re.compile(rf"model\.layers\.({'|'.join(sorted(layers))})\.(?!mlp\.experts\.)")
    left = {name for name in folder.files.keys() - folder.asked if ours.match(name)}
    if left:
        raise UnsupportedModel(f"{len(left)} tensors of {path} go nowhere, as {min(left)}")
