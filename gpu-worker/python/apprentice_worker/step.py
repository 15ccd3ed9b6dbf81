"""What one forward pass computes: several requests' tokens end to end, without padding.

Layers deep inside a transformers model need to know it (which rows belong to whom), and their signatures leave no
room to say so; it is therefore kept per thread while the pass runs.
"""

import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from .decode_attention import OneTokens
from .kv_cache import KvSequence

if TYPE_CHECKING:
    from .lora import Adapter


@dataclass(frozen=True)
class Segment:
    """Tokens `start_position`.. of one sequence, standing at rows `first`..`end` of the flat batch."""

    kv: KvSequence
    start_position: int
    first: int
    end: int
    # Additive [N, start + N]; None where it is not needed: one token, a prompt from its beginning, and on CUDA GPUs.
    mask_NK: torch.Tensor | None


@dataclass(frozen=True)
class Step:
    segments: list[Segment]
    # Requests that one kernel serves together; they are not among the segments.
    together: OneTokens | None
    # (adapter, first row, end row); rows of the base are in none.
    adapter_slices: list[tuple["Adapter", int, int]]


_local = threading.local()


def current_step() -> Step:
    return _local.step


@contextmanager
def running(step: Step) -> Generator[None]:
    _local.step = step
    try:
        yield
    finally:
        del _local.step
