"""The ranks that hold one model between them: who this one is, and what they agree on.

On a CPU they speak gloo. On GPUs tensors go over NCCL and agreements over gloo, which has been run
for a group of one (test/python/test_gpu.py).
"""

# megatron-core has wheels for Linux only; elsewhere its names are unknown.
# pyright: reportMissingImports=false, reportUntypedBaseClass=false

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar, cast

import torch
from megatron.core import parallel_state
from megatron.core.tensor_parallel.random import model_parallel_cuda_manual_seed
from torch import Tensor
from torch import distributed as dist

from .launch import STORE
from .shims import apply_cpu_shims, apply_router_shim

T = TypeVar("T")

TIMEOUT = timedelta(minutes=10)
"""A rank that hears nothing from another for so long gives up, and with it the group."""


@dataclass(frozen=True)
class Layout:
    """How the model is cut, and how often it is there. `sequence_parallel`: activations between layers are cut over the
    tensor ranks too. `data`: copies of the model, each with its share of the packs."""

    tensor: int = 1
    pipeline: int = 1
    data: int = 1
    sequence_parallel: bool = False
    expert: int = 1

    @property
    def world(self) -> int:
        """Ranks in all."""
        return self.tensor * self.pipeline * self.data


class Group:
    """This rank's place among the others."""

    def __init__(self, layout: Layout, device: torch.device) -> None:
        self.layout = layout
        self.device = device
        self.rank = dist.get_rank()
        self.tensor_rank = parallel_state.get_tensor_model_parallel_rank()
        self.copy = parallel_state.get_data_parallel_rank()
        self.stage = parallel_state.get_pipeline_model_parallel_rank()
        self.tensor_group = cast(dist.ProcessGroup, parallel_state.get_tensor_model_parallel_group())
        self.data_group = cast(dist.ProcessGroup, parallel_state.get_data_parallel_group())
        self.pipeline_group = cast(dist.ProcessGroup, parallel_state.get_pipeline_model_parallel_group())
        # None in the middle of a pipeline.
        self.ends_group = parallel_state.get_embedding_group(check_initialized=False)

    @property
    def is_first_stage(self) -> bool:
        """Does it hold the embedding?"""
        return self.stage == 0

    @property
    def is_last_stage(self) -> bool:
        """Does it hold the output head?"""
        return self.stage == self.layout.pipeline - 1

    def tell(self, message: Any) -> Any:
        """What rank 0 says; the others' argument does not matter."""
        box = [message]
        dist.broadcast_object_list(box, src=0)
        return box[0]

    def from_last(self, value: float) -> float:
        """A number that the last stage knows."""
        box = torch.tensor([value], dtype=torch.float64)
        dist.broadcast(box, src=self.layout.world - 1)
        return box.item()

    def sum_over_all(self, value: float) -> float:
        """The sum of every rank's number."""
        box = torch.tensor([value], dtype=torch.float64)
        dist.all_reduce(box)
        return box.item()

    def sum_over_tensor_ranks(self, tensor: Tensor) -> None:
        """In place."""
        dist.all_reduce(tensor, group=self.tensor_group)

    def together(self, work: Callable[[], T]) -> T:
        """Does on every rank what no other rank takes part in, as reading a file. What one raises, all raise: a rank
        that went on alone would wait for the others."""
        result: list[T] = []
        failure: Exception | None = None
        try:
            result.append(work())
        except Exception as caught:  # noqa: BLE001 (raised below, on every rank)
            failure = caught
        for found in (failure, *self.everyones(failure)):
            if found is not None:
                raise found
        return result[0]

    def sum_over_copies(self, tensor: Tensor) -> None:
        """In place."""
        if self.layout.data > 1:
            dist.all_reduce(tensor, group=self.data_group)

    def sum_over_ends(self, tensor: Tensor) -> None:
        """In place, over the first and the last stage."""
        dist.all_reduce(tensor, group=self.ends_group)

    def share_from_copy(self, tensor: Tensor, copy: int) -> None:
        """That copy's value, in place on the others."""
        dist.broadcast(tensor, src=dist.get_global_rank(self.data_group, copy), group=self.data_group)

    def everyones(self, value: T) -> list[T]:
        """Every rank's value, on every rank."""
        boxes: list[Any] = [None] * self.layout.world
        dist.all_gather_object(boxes, value)
        return boxes

    def gather(self, value: Any) -> list[Any] | None:
        """Every rank's value, at rank 0; None elsewhere."""
        boxes: list[Any] | None = [None] * self.layout.world if self.rank == 0 else None
        dist.gather_object(value, boxes, dst=0)
        return boxes


def join(layout: Layout, device: torch.device) -> Group:
    """Meets the other ranks that launch.py (or torchrun) started; alone it needs none.

    `device` counts for a group of one; of several GPUs each rank takes its own. Raises ValueError on a wrong number of
    ranks, and for a device that Megatron does not compute on.
    """
    if device.type not in ("cpu", "cuda"):
        raise ValueError(f"Megatron computes on cpu or cuda and not on {device}")
    device = meet(device)
    if dist.get_world_size() != layout.world:
        raise ValueError(
            f"{dist.get_world_size()} ranks were started for {layout.world}: tensor {layout.tensor} x pipeline "
            f"{layout.pipeline} x data {layout.data}"
        )
    return cut(layout, device)


def meet(device: torch.device) -> torch.device:
    """Opens the connections; returns what this rank computes on."""
    apply_router_shim()
    if device.type == "cuda":
        if "LOCAL_RANK" in os.environ:
            device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
        backend = "cpu:gloo,cuda:nccl"
    else:
        apply_cpu_shims()
        backend = "gloo"
    if STORE in os.environ:
        rank, count = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
        file = f"file://{os.environ[STORE]}"
        dist.init_process_group(backend, timeout=TIMEOUT, init_method=file, rank=rank, world_size=count)
    elif "RANK" in os.environ:
        dist.init_process_group(backend, timeout=TIMEOUT)
    else:
        alone = dist.HashStore()  # pyright: ignore[reportPrivateImportUsage]
        dist.init_process_group(backend, timeout=TIMEOUT, store=alone, rank=0, world_size=1)
    return device


def cut(layout: Layout, device: torch.device) -> Group:
    """Megatron's groups of ranks for the layout, in the place of any that there were."""
    parallel_state.destroy_model_parallel()
    parallel_state.initialize_model_parallel(
        tensor_model_parallel_size=layout.tensor,
        pipeline_model_parallel_size=layout.pipeline,
        expert_model_parallel_size=layout.expert,
        expert_tensor_parallel_size=layout.tensor // layout.expert,
        distributed_timeout_minutes=int(TIMEOUT.total_seconds() // 60),
    )
    if device.type == "cuda":
        model_parallel_cuda_manual_seed(0)
    return Group(layout, device)
