"""Keys and values of running requests, and those of finished ones kept for the next turn.

Every sequence owns its tensors, so a batch of different lengths needs no padding, and what a request attends to
never depends on who runs beside it. A prefix is reused by copying it: a copy is some 100 times quicker than
computing it again, and leaves the source where the next request finds it.
"""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

import torch

# Tokens of room added when a sequence outgrows its tensors: few copies, little waste.
GROWTH = 256


@dataclass(frozen=True)
class KvShape:
    layers: int
    heads: int
    head_dim: int
    dtype: torch.dtype
    device: torch.device


@dataclass(frozen=True)
class OneToken:
    """For a pass that adds one token to a sequence, views of its cache by layer: where the token's key and value go,
    and all keys and values up to there. Those of all layers are made at once, in the time that those of one would take.
    """

    added_2HD: tuple[torch.Tensor, ...]
    keys_1HKD: tuple[torch.Tensor, ...]
    values_1HKD: tuple[torch.Tensor, ...]


class KvSequence:
    """One request's cache: `kv_L2HCD` (layer, key or value, head, capacity, head size); `length` tokens are valid."""

    def __init__(self, shape: KvShape, capacity: int) -> None:
        self._shape = shape
        self.length = 0
        self.kv_L2HCD = self._empty(capacity)

    def _empty(self, capacity: int) -> torch.Tensor:
        s = self._shape
        return torch.empty((s.layers, 2, s.heads, capacity, s.head_dim), dtype=s.dtype, device=s.device)

    @property
    def size_bytes(self) -> int:
        return self.kv_L2HCD.numel() * self.kv_L2HCD.element_size()

    def reserve(self, tokens: int) -> None:
        """Makes room for `tokens` in all."""
        if tokens <= self.kv_L2HCD.shape[3]:
            return
        grown = self._empty(tokens + GROWTH)
        grown[:, :, :, : self.length] = self.kv_L2HCD[:, :, :, : self.length]
        self.kv_L2HCD = grown

    def write(
        self, layer: int, start: int, keys_HND: torch.Tensor, values_HND: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Puts N new tokens at `start`; returns keys and values of all tokens up to there, as views."""
        end = start + keys_HND.shape[1]
        keys_HCD, values_HCD = self.kv_L2HCD[layer].unbind(0)
        keys_HCD[:, start:end] = keys_HND
        values_HCD[:, start:end] = values_HND
        return keys_HCD[:, :end], values_HCD[:, :end]

    def one_token(self, start: int) -> OneToken:
        """For the token at `start`."""
        keys_L1HKD, values_L1HKD = self.kv_L2HCD[:, :, :, : start + 1].split(1, 1)
        return OneToken(self.kv_L2HCD[:, :, :, start].unbind(), keys_L1HKD.unbind(), values_L1HKD.unbind())

    def copy_prefix(self, source: "KvSequence", tokens: int) -> None:
        self.kv_L2HCD[:, :, :, :tokens] = source.kv_L2HCD[:, :, :, :tokens]
        self.length = tokens


@dataclass(frozen=True)
class CachedPrefix:
    """`ids` are the tokens in `kv`; `owner` is the adapter object (None: the base) whose weights made them, `scope` the
    user who asked. A prefix serves its own scope alone: an answer that comes sooner would tell one user what another
    had asked the base."""

    owner: object
    scope: str
    ids: list[int]
    kv: KvSequence


class PrefixCache:
    """Finished sequences, least recently used first, within a budget of bytes."""

    def __init__(self, budget_bytes: int) -> None:
        self._budget_bytes = budget_bytes
        self._entries: OrderedDict[int, CachedPrefix] = OrderedDict()
        self._next_key = 0

    def longest(
        self, owner: object, scope: str, ids: list[int], limit: int, running: Iterable[CachedPrefix]
    ) -> tuple[KvSequence, int] | None:
        """The sequence of `owner` and `scope`, finished or `running`, that shares most leading tokens with `ids`, and
        how many (<= limit)."""
        best: tuple[KvSequence, int] | None = None
        best_key: int | None = None
        candidates: list[tuple[int | None, CachedPrefix]] = [*self._entries.items()]
        candidates.extend((None, prefix) for prefix in running)
        for key, entry in candidates:
            if entry.owner is not owner or entry.scope != scope:
                continue
            shared = common_prefix(entry.ids, ids, min(limit, entry.kv.length))
            if shared > (best[1] if best else 0):
                best, best_key = (entry.kv, shared), key
        if best_key is not None:
            self._entries.move_to_end(best_key)
        return best

    def keep(self, prefix: CachedPrefix) -> None:
        """Takes over a finished sequence; what it contains or what no longer fits is dropped."""
        length = prefix.kv.length
        if length == 0 or prefix.kv.size_bytes > self._budget_bytes:
            return
        for key, entry in list(self._entries.items()):
            held = entry.kv.length
            same = entry.owner is prefix.owner and entry.scope == prefix.scope
            if same and common_prefix(entry.ids, prefix.ids, min(held, length)) == held:
                del self._entries[key]
        self._entries[self._next_key] = prefix
        self._next_key += 1
        while sum(entry.kv.size_bytes for entry in self._entries.values()) > self._budget_bytes:
            self._entries.popitem(last=False)

    def drop(self, owner: object) -> None:
        """Forgets everything that one adapter made."""
        for key, entry in list(self._entries.items()):
            if entry.owner is owner:
                del self._entries[key]

    def drop_scope(self, scope: str) -> None:
        """Forgets everything that one user had computed."""
        for key, entry in list(self._entries.items()):
            if entry.scope == scope:
                del self._entries[key]

    def clear(self) -> None:
        self._entries.clear()


def common_prefix(a: list[int], b: list[int], limit: int) -> int:
    """How many leading items of both lists are the same, at most `limit`."""
    if a[:limit] == b[:limit]:
        return min(limit, len(a), len(b))
    for index, (x, y) in enumerate(zip(a, b, strict=False)):
        if x != y:
            return min(index, limit)
    return min(limit, len(a), len(b))
