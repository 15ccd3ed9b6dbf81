"""An adapter and its moments between the ranks and the very files that the torch trainer reads and writes.

Rank 0 writes. Every rank reads the whole file and keeps its part.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from .. import adapter_io
from ..batch import Hyperparameters
from .group import Group
from .lora import Shard, linears, own_part


@torch.no_grad()
def load_adapter(shards: list[Shard], hf: Any, folder: Path, group: Group) -> None:
    """Raises AdapterMismatch when the folder's tensors are not this model's."""
    wanted = {f"base_model.model.{linear.name}.lora_{side}.weight" for linear in linears(hf) for side in "AB"}
    weights = adapter_io.read_weights(folder, wanted)
    for shard in shards:
        part = own_part(shard, weights[shard.key], group)
        if part.shape != shard.parameter.shape:
            raise adapter_io.AdapterMismatch(f"{folder.name} has {shard.key} of another shape than this model")
        shard.parameter.copy_(part)


def adapter_weights(shards: list[Shard], group: Group) -> dict[str, Tensor] | None:
    """The whole adapter under PEFT's names, at rank 0."""
    return joined(shards, group, lambda shard: {shard.key: shard.parameter})


def write_adapter(weights: dict[str, Tensor], hf: Any, settings: Hyperparameters, folder: Path) -> None:
    """Writes weights and configuration into an existing folder."""
    config = adapter_io.lora_config(settings, hf)
    # As PEFT does when it is put on a model.
    config.target_modules = sorted({linear.name.rsplit(".", 1)[1] for linear in linears(hf)})
    config.base_model_name_or_path = hf.name_or_path
    config.inference_mode = False
    adapter_io.write_folder(weights, config.to_dict(), folder)


def moments(optimizer: torch.optim.AdamW, shards: list[Shard], group: Group) -> dict[str, Tensor] | None:
    """AdamW's whole state after at least one step, as the file has it, at rank 0."""

    def named(shard: Shard) -> dict[str, Tensor]:
        return {
            f"{shard.moment_key}.{moment}": optimizer.state[shard.parameter][moment] for moment in adapter_io.MOMENTS
        }

    tensors = joined(shards, group, named)
    return None if tensors is None else {**tensors, "step": optimizer.state[shards[0].parameter]["step"].cpu()}


def load_moments(optimizer: torch.optim.AdamW, shards: list[Shard], file: Path, group: Group) -> None:
    """Sets AdamW's state. Raises AdapterMismatch when the file belongs to other parameters."""
    tensors = load_file(file)
    for shard in shards:
        state: dict[str, Tensor] = {"step": tensors["step"].to(group.device, copy=True)}
        for moment in adapter_io.MOMENTS:
            whole = tensors.get(f"{shard.moment_key}.{moment}")
            part = None if whole is None else own_part(shard, whole, group)
            if part is None or part.shape != shard.parameter.shape:
                raise adapter_io.AdapterMismatch(f"{file.name} holds no moments for {shard.moment_key}")
            state[moment] = part.contiguous().to(group.device)
        optimizer.state[shard.parameter] = state


def joined(shards: list[Shard], group: Group, named: Callable[[Shard], dict[str, Tensor]]) -> dict[str, Tensor] | None:
    """The named tensors of all ranks, whole and in the order of their names, at rank 0; None elsewhere."""
    own = [
        (name, shard.dim, tensor.detach().cpu())
        for shard in shards
        if group.copy == 0 and (shard.dim is not None or group.tensor_rank == 0)
        for name, tensor in named(shard).items()
    ]
    everything = group.gather(own)
    if everything is None:
        return None
    parts: dict[str, list[Tensor]] = {}
    dims: dict[str, int | None] = {}
    # Ranks of a stage are numbered in the order of their parts.
    for name, dim, tensor in (entry for rank in everything for entry in rank):
        parts.setdefault(name, []).append(tensor)
        dims[name] = dim
    return {name: torch.cat(parts[name], dim=dims[name] or 0).contiguous() for name in sorted(parts)}
