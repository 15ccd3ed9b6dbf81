"""Lays samples out so that a prefix they share is computed once.

The rows of a batch repeat themselves: a correction makes two samples with one prompt, and every prompt of a
task opens with the same instruction. Each pack is a prefix tree of its samples, written out as one sequence of
spans; a span attends to itself and to the spans above it (span_attention.py). Gradients of the shared part
add up there, so the result is that of training the samples one by one.
"""

from dataclasses import dataclass
from itertools import groupby, pairwise

import torch
from torch import Tensor

from .batch import Sample

SHORTEST_SHARED_PREFIX = 16
"""Below this many tokens a span of its own costs more in attention calls than it saves in the layers."""


@dataclass(frozen=True)
class Span:
    """Positions [start, end) of a pack, and the earlier ranges that they see in full, oldest first."""

    start: int
    end: int
    context: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Pack:
    """One forward and backward pass. P packed positions, N response positions that it predicts."""

    tokens_P: Tensor
    positions_P: Tensor
    spans: list[Span]
    predictors_N: Tensor
    """Packed position whose hidden state predicts the response position."""
    rows_N: Tensor
    """Which of the batch's R positions it is."""


def make_packs(samples: list[Sample], token_budget: int) -> list[Pack]:
    """Packs of at most `token_budget` positions; a longer sample gets one of its own."""
    packs: list[list[Sample]] = []
    size = 0
    for sample in sorted(samples, key=lambda sample: sample.tokens):
        length = len(sample.tokens)
        shared = shared_prefix(packs[-1][-1].tokens, sample.tokens) if packs else 0
        added = length - (shared if shared >= SHORTEST_SHARED_PREFIX else 0)
        if packs and size + added <= token_budget:
            packs[-1].append(sample)
            size += added
        else:
            packs.append([sample])
            size = length
    return [make_pack(members) for members in packs]


def make_pack(samples: list[Sample]) -> Pack:
    """The samples as one prefix tree. Their last tokens are left out: nothing is predicted from them."""
    tokens: list[int] = []
    positions: list[int] = []
    spans: list[Span] = []
    paths: list[list[int]] = [[] for _ in samples]

    def grow(members: list[int], depth: int, context: tuple[tuple[int, int], ...]) -> None:
        def key(member: int) -> list[int]:
            return samples[member].tokens[depth : min(depth + SHORTEST_SHARED_PREFIX, end_of(member))]

        for _, group in groupby(sorted(members, key=key), key=key):
            branch = list(group)
            ends = [
                depth + shared_prefix(samples[a].tokens[depth:-1], samples[b].tokens[depth:-1])
                for a, b in pairwise(branch)
            ]
            end = min(ends, default=end_of(branch[0]))
            if end == depth:
                continue
            start = len(tokens)
            tokens.extend(samples[branch[0]].tokens[depth:end])
            positions.extend(range(depth, end))
            spans.append(Span(start, len(tokens), context))
            for member in branch:
                paths[member].extend(range(start, len(tokens)))
            longer = [member for member in branch if end_of(member) > end]
            if longer:
                grow(longer, end, joined(context, (start, len(tokens))))

    def end_of(member: int) -> int:
        return len(samples[member].tokens) - 1

    grow(list(range(len(samples))), 0, ())
    predictors: list[int] = []
    rows: list[int] = []
    for sample, path in zip(samples, paths, strict=True):
        predictors += path[sample.response_start - 1 :]
        rows += range(sample.first_row, sample.first_row + len(sample.tokens) - sample.response_start)
    return Pack(
        tokens_P=torch.tensor(tokens, dtype=torch.int64),
        positions_P=torch.tensor(positions, dtype=torch.int64),
        spans=spans,
        predictors_N=torch.tensor(predictors, dtype=torch.int64),
        rows_N=torch.tensor(rows, dtype=torch.int64),
    )


def joined(context: tuple[tuple[int, int], ...], last: tuple[int, int]) -> tuple[tuple[int, int], ...]:
    """The ranges with one more, merged with its neighbour where they touch."""
    if context and context[-1][1] == last[0]:
        return (*context[:-1], (context[-1][0], last[1]))
    return (*context, last)


def shared_prefix(a: list[int], b: list[int]) -> int:
    """How many tokens both begin with."""
    for index, (left, right) in enumerate(zip(a, b, strict=False)):
        if left != right:
            return index
    return min(len(a), len(b))
