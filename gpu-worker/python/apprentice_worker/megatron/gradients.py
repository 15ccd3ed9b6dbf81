"""Gradients of a step over the ranks: summed up where each rank has seen a share, their norm, and clipping by it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from .group import Group

SUMMED_AT_ONCE = 1 << 25
"""Elements that are joined for one sum; a larger tensor has one to itself. Every sum has to be waited for."""


@dataclass(frozen=True)
class Gradient:
    """Of one parameter, as far as this rank has it."""

    value: Tensor
    is_shared: bool
    """Has every tensor rank the same?"""
    is_partial: bool
    """Has each tensor rank what its own share of the work asks for, so that the whole is their sum?"""
    is_tied: bool = False
    """Do the first and the last stage both have it: the embedding, which is the output head too?"""


@torch.no_grad()
def clip(gradients: list[Gradient], group: Group, limit: float) -> float:
    """Completes the gradients, scales them down to a norm of `limit` and returns the norm that they had."""
    layout = group.layout
    if layout.tensor > 1:
        sum_up([one.value for one in gradients if one.is_partial], group.sum_over_tensor_ranks)
    if layout.data > 1:
        # Each copy saw its share of the packs.
        sum_up([one.value for one in gradients], group.sum_over_copies)
    if layout.pipeline > 1:
        sum_up([one.value for one in gradients if one.is_tied], group.sum_over_ends)
    # Read once, at the end: a GPU has to be waited for at each reading.
    squares = torch.zeros((), dtype=torch.float64, device=group.device)
    for one in gradients:
        repeated = (one.is_shared and group.tensor_rank > 0) or (one.is_tied and not group.is_first_stage)
        if group.copy == 0 and not repeated:
            squares += one.value.double().square().sum()
    norm = group.sum_over_all(squares.item()) ** 0.5
    # As torch.nn.utils.clip_grad_norm_, which does not know of the other ranks.
    scale = min(1.0, limit / (norm + 1e-6))
    for one in gradients:
        one.value.mul_(scale)
    return norm


def sum_up(tensors: list[Tensor], over: Callable[[Tensor], None]) -> None:
    """Sums each up over ranks, in place: many in one go."""
    for bucket in buckets(tensors):
        flat = torch.cat([tensor.flatten() for tensor in bucket])
        over(flat)
        for tensor, part in zip(bucket, flat.split([tensor.numel() for tensor in bucket]), strict=True):
            tensor.copy_(part.view_as(tensor))


def buckets(tensors: list[Tensor]) -> Iterator[list[Tensor]]:
    """Neighbours together, as many as SUMMED_AT_ONCE allows."""
    bucket: list[Tensor] = []
    size = 0
    for tensor in tensors:
        if bucket and size + tensor.numel() > SUMMED_AT_ONCE:
            yield bucket
            bucket, size = [], 0
        bucket.append(tensor)
        size += tensor.numel()
    if bucket:
        yield bucket
