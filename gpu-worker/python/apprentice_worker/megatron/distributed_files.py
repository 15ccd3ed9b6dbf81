"""Tensors of which every rank has pieces, to and from one folder: torch.distributed.checkpoint told of the pieces.

Each rank writes what it has and reads what it needs, so that nobody holds a whole model, and another layout may read
what this one wrote. What more than one rank has is written once; what none has, or two have cut
differently, is refused.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor
from torch.distributed.checkpoint import state_dict_loader, state_dict_saver
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.default_planner import DefaultLoadPlanner, DefaultSavePlanner
from torch.distributed.checkpoint.filesystem import FileSystemReader
from torch.distributed.checkpoint.metadata import (
    ChunkStorageMetadata,
    Metadata,
    MetadataIndex,
    TensorProperties,
    TensorStorageMetadata,
)
from torch.distributed.checkpoint.planner import LoadPlan, SavePlan, TensorWriteData, WriteItem, WriteItemType
from torch.distributed.checkpoint.planner_helpers import create_read_items_for_chunk_list
from torch.distributed.checkpoint.storage import StorageWriter

from ..adapter_io import AdapterMismatch


@dataclass(frozen=True)
class Part:
    """A rank's piece of a tensor: `sizes` from `offsets` on, of `whole` in all."""

    name: str
    sizes: torch.Size
    offsets: torch.Size
    whole: torch.Size
    dtype: torch.dtype
    tensor: Callable[[], Tensor]
    """Its value, asked for when it is written; where it goes to, asked for once before it is read."""


def save(parts: list[Part], writer: StorageWriter) -> None:
    """All ranks at once, each with its own parts. Raises OSError on all where one fails."""
    try:
        state_dict_saver.save({}, storage_writer=writer, planner=SaveParts(parts))
    except CheckpointException as failure:
        raise OSError(first_failure(failure)) from failure


def load(parts: list[Part], folder: Path) -> None:
    """Each rank by itself. Raises AdapterMismatch for tensors that are not there or have another shape, OSError."""
    try:
        reader, planner = FileSystemReader(folder), LoadParts(parts, folder.name)
        state_dict_loader.load({}, storage_reader=reader, planner=planner, no_dist=True)
    except CheckpointException as failure:
        for cause, _ in failure.failures.values():
            if isinstance(cause, AdapterMismatch):
                raise cause from failure
        raise OSError(first_failure(failure)) from failure


def first_failure(failure: CheckpointException) -> str:
    """What the first rank that failed said, without the way to it."""
    rank, (cause, _) = next(iter(failure.failures.items()))
    return f"rank {rank}: {type(cause).__name__}: {cause}"


class SaveParts(DefaultSavePlanner):
    """Plans for parts in the place of a state dict."""

    def __init__(self, parts: list[Part]) -> None:
        super().__init__(flatten_state_dict=False, flatten_sharded_tensors=False)
        self._parts = {part.name: part for part in parts}

    def create_local_plan(self) -> SavePlan:
        self.plan = SavePlan([item(part) for part in self._parts.values()])
        return self.plan

    def lookup_object(self, index: MetadataIndex) -> Any:
        return self._parts[index.fqn].tensor()


def item(part: Part) -> WriteItem:
    """What is planned for a part."""
    chunk = ChunkStorageMetadata(part.offsets, part.sizes)
    data = TensorWriteData(chunk, TensorProperties(dtype=part.dtype), part.whole)
    return WriteItem(MetadataIndex(part.name, part.offsets), WriteItemType.SHARD, tensor_data=data)


class LoadParts(DefaultLoadPlanner):
    """As SaveParts."""

    def __init__(self, parts: list[Part], source: str) -> None:
        super().__init__(flatten_state_dict=False, flatten_sharded_tensors=False)
        self._parts = parts
        self._source = source
        self._targets = {part.name: part.tensor() for part in parts}

    def set_up_planner(
        self, state_dict: dict[str, Any], metadata: Metadata | None = None, is_coordinator: bool = False
    ) -> None:
        self.state_dict, self.metadata, self.is_coordinator = state_dict, metadata, is_coordinator

    def create_local_plan(self) -> LoadPlan:
        stored = cast(Metadata, self.metadata).state_dict_metadata
        plan = LoadPlan([])
        for part in self._parts:
            found = stored.get(part.name)
            if not isinstance(found, TensorStorageMetadata) or found.size != part.whole:
                raise AdapterMismatch(f"{self._source} holds no {part.name} of shape {list(part.whole)}")
            chunk = ChunkStorageMetadata(part.offsets, part.sizes)
            plan.items.extend(create_read_items_for_chunk_list(part.name, found, [chunk]))
        return plan

    def lookup_tensor(self, index: MetadataIndex) -> Tensor:
        return self._targets[index.fqn]
