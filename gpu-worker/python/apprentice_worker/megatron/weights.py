"""A Hugging Face folder into this rank's part of a Megatron model.

One table says where each of Megatron's parameters lies in the folder. Each rank reads its own part of each tensor;
what one side has and the other has not is an error, so that no weight is left out or left undrawn.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn

from .families import UnsupportedModel, head_size
from .group import Group


class Folder:
    """The folder's tensors by name, read in parts. Remembers which were asked for."""

    def __init__(self, folder: Path) -> None:
        index = folder / "model.safetensors.index.json"
        if index.is_file():
            files: dict[str, str] = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        else:
            with safe_open(folder / "model.safetensors", "pt") as only:
                files = dict.fromkeys(only.keys(), "model.safetensors")
        self._folder = folder
        self._files = files
        self._open: dict[str, Any] = {}
        self.asked: set[str] = set()

    @property
    def names(self) -> set[str]:
        """Every tensor of the folder."""
        return set(self._files)

    def read(self, name: str, dim: int | None = None, part: int = 0, parts: int = 1) -> Tensor:
        """The tensor, or its part along `dim`. Raises UnsupportedModel when the folder has none of that name."""
        file = self._files.get(name)
        if file is None:
            raise UnsupportedModel(f"{self._folder} has no tensor {name}")
        if file not in self._open:
            self._open[file] = safe_open(self._folder / file, "pt").__enter__()
        self.asked.add(name)
        if dim is None:
            return self._open[file].get_tensor(name)
        stored = self._open[file].get_slice(name)
        size = stored.get_shape()[dim] // parts
        return stored[(slice(None),) * dim + (slice(part * size, (part + 1) * size),)]


class Reader:
    """Reads what one row of the table names, for one rank."""

    def __init__(self, folder: Folder, hf: Any, group: Group) -> None:
        self.folder = folder
        self.hf = hf
        self.layout = group.layout
        self.tensor_rank = group.tensor_rank

    def whole(self, name: str) -> Tensor:
        """Every rank has all of it."""
        return self.folder.read(name)

    def rows(self, name: str) -> Tensor:
        """This rank's rows."""
        return self.folder.read(name, 0, self.tensor_rank, self.layout.tensor)

    def columns(self, name: str) -> Tensor:
        """This rank's columns."""
        return self.folder.read(name, 1, self.tensor_rank, self.layout.tensor)

    def qkv(self, name: str) -> Tensor:
        """Megatron keeps each group's queries, its key and its value together; `{}` stands for q, k and v."""
        q, k, v = (self.rows(name.format(side)) for side in "qkv")
        return interleave(q, k, v, head_size(self.hf))

    def gate_up(self, name: str) -> Tensor:
        """Gate above up; `{}` stands for both."""
        return torch.cat([self.rows(name.format(side)) for side in ("gate", "up")])

    def vocabulary(self, name: str) -> Tensor:
        """This rank's rows of a matrix that is padded to an equal number for each."""
        size = -(-self.hf.vocab_size // self.layout.tensor)
        start = self.tensor_rank * size
        whole = self.folder.read(name)[start : start + size]
        return nn.functional.pad(whole, (0, 0, 0, size - whole.shape[0]))

    def expert(self, local: str) -> tuple[str, int, int]:
        """Name in the folder of this rank's expert number `local`, and which part of how many of it is ours."""
        ranks_an_expert = self.layout.tensor // self.layout.expert
        first = self.tensor_rank // ranks_an_expert * (self.hf.num_experts // self.layout.expert)
        return str(first + int(local)), self.tensor_rank % ranks_an_expert, ranks_an_expert

    def expert_gate_up(self, prefix: str, local: str) -> Tensor:
        """As gate_up, of one expert."""
        expert, part, parts = self.expert(local)
        return torch.cat(
            [self.folder.read(f"{prefix}.{expert}.{side}_proj.weight", 0, part, parts) for side in ("gate", "up")]
        )

    def expert_down(self, prefix: str, local: str) -> Tensor:
        """As columns, of one expert."""
        expert, part, parts = self.expert(local)
        return self.folder.read(f"{prefix}.{expert}.down_proj.weight", 1, part, parts)


LAYER = r"decoder\.layers\.(\d+)\."
HF = "model.layers.{}."

Row = tuple[str, Callable[..., Tensor]]

TABLE: list[Row] = [
    (r"embedding\.word_embeddings\.weight", lambda r: r.vocabulary("model.embed_tokens.weight")),
    (r"decoder\.final_layernorm\.weight", lambda r: r.whole("model.norm.weight")),
    (r"output_layer\.weight", lambda r: r.vocabulary(head_name(r.hf))),
    (LAYER + r"input_layernorm\.weight", lambda r, i: r.whole(f"{HF.format(i)}input_layernorm.weight")),
    (LAYER + r"pre_mlp_layernorm\.weight", lambda r, i: r.whole(f"{HF.format(i)}post_attention_layernorm.weight")),
    (
        LAYER + r"self_attention\.linear_qkv\.(weight|bias)",
        lambda r, i, kind: r.qkv(f"{HF.format(i)}self_attn.{{}}_proj.{kind}"),
    ),
    (
        LAYER + r"self_attention\.([qk])_layernorm\.weight",
        lambda r, i, side: r.whole(f"{HF.format(i)}self_attn.{side}_norm.weight"),
    ),
    (
        LAYER + r"self_attention\.linear_proj\.weight",
        lambda r, i: r.columns(f"{HF.format(i)}self_attn.o_proj.weight"),
    ),
    (LAYER + r"mlp\.linear_fc1\.weight", lambda r, i: r.gate_up(f"{HF.format(i)}mlp.{{}}_proj.weight")),
    (LAYER + r"mlp\.linear_fc2\.weight", lambda r, i: r.columns(f"{HF.format(i)}mlp.down_proj.weight")),
    (LAYER + r"mlp\.router\.weight", lambda r, i: r.whole(f"{HF.format(i)}mlp.gate.weight")),
    (
        LAYER + r"mlp\.experts\.local_experts\.(\d+)\.linear_fc1\.weight",
        lambda r, i, local: r.expert_gate_up(f"{HF.format(i)}mlp.experts", local),
    ),
    (
        LAYER + r"mlp\.experts\.local_experts\.(\d+)\.linear_fc2\.weight",
        lambda r, i, local: r.expert_down(f"{HF.format(i)}mlp.experts", local),
    ),
]
"""Megatron's parameter, its layer counted over all stages, and how it is read from the folder."""


def head_name(hf: Any) -> str:
    """Where the output head's rows are."""
    return "model.embed_tokens.weight" if hf.tie_word_embeddings else "lm_head.weight"


def interleave(q: Tensor, k: Tensor, v: Tensor, head: int) -> Tensor:
    """Rows of q [groups x queries x head, ...], k and v [groups x head, ...] in Megatron's order, group by group."""
    groups = k.shape[0] // head
    rest = k.shape[1:]
    parts = [side.reshape(groups, -1, *rest) for side in (q, k, v)]
    return torch.cat(parts, dim=1).reshape(-1, *rest)


@torch.no_grad()
def load_weights(model: nn.Module, folder: Path, hf: Any, group: Group, first_layer: int) -> None:
    """Fills every parameter; `first_layer` is the number of the stage's first. Raises UnsupportedModel."""
    reader = Reader(Folder(folder), hf, group)
    layers: set[int] = set()
    for name, parameter in model.named_parameters():
        layer = re.match(LAYER, name)
        if layer:
            number = first_layer + int(layer[1])
            layers.add(number)
            name = re.sub(LAYER, f"decoder.layers.{number}.", name)
        for pattern, read in TABLE:
            match = re.fullmatch(pattern, name)
            if match:
                value = read(reader, *match.groups())
                if value.shape != parameter.shape:
                    raise UnsupportedModel(f"{name} is {tuple(value.shape)} and not {tuple(parameter.shape)}")
                parameter.copy_(value)
                break
        else:
            raise UnsupportedModel(f"nothing of a Hugging Face folder is known to go into {name}")
    ours = re.compile(rf"model\.layers\.({'|'.join(map(str, sorted(layers)))})\.(?!mlp\.experts\.)")
    left = {name for name in reader.folder.names - reader.folder.asked if ours.match(name)}
    if left:
        raise UnsupportedModel(f"{len(left)} tensors of {folder} go nowhere, as {min(left)}")
