"""Attention of one token of each of several requests, in one kernel a layer, on CUDA GPUs with Triton.

Every request keeps its cache in tensors of its own (kv_cache.py), so torch's attention takes a call for each, and the
processor's part of a call is some 40 us: with 32 requests it was nearly all of a pass. The kernel is told where the
caches lie. A program of it has one request and one group of heads to itself, so that what comes of a request does not
depend on who runs beside it.
Online softmax as in FlashAttention (Dao et al., arXiv:2205.14135), without splitting a request's keys over programs.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from .kv_cache import KvSequence, KvShape

try:
    from .decode_kernel import attend
# Triton comes with torch where torch has CUDA, but on Windows.
except ImportError:
    attend = None

log = logging.getLogger("engine")

LONGEST = 8192
"""Tokens of a request up to which one program is quick enough. torch's attention shares longer ones out."""
TRIED_LENGTHS = (0, 1, 63, 64, 200)
ROUNDINGS = 16.0
"""Of what is attended to, a few of the numbers' least steps may be lost."""


@dataclass(frozen=True)
class OneTokens:
    """The requests B of a pass that add one token each. `where_4B` (int64): row in the pass, address of the cache, its
    capacity, and the tokens that it holds already. `kept_alive`: what lies at the addresses."""

    where_4B: Tensor
    kept_alive: tuple[Tensor, ...]


def is_right(shape: KvShape, heads: int) -> bool:
    """Can the kernel run there, and does it compute what torch's attention does? Triton compiles it at its first call,
    for which it wants a C compiler on the machine."""
    if attend is None or shape.device.type != "cuda":
        return False
    try:
        wrong = largest_error(shape, heads, None)
    except Exception:
        log.exception("requests attend one after the other: the kernel for several does not run here")
        return False
    if not wrong <= ROUNDINGS * torch.finfo(shape.dtype).eps:
        log.error("requests attend one after the other: the kernel for several is off by %g here", wrong)
        return False
    return True


@torch.inference_mode()
def largest_error(shape: KvShape, heads: int, window: int | None) -> float:
    """Of what requests of several lengths attend to over random caches, beside torch's attention in float32."""
    layer, groups, size = shape.layers - 1, shape.heads, shape.head_dim
    draw = torch.Generator(shape.device).manual_seed(0)
    caches = [KvSequence(shape, length + 2) for length in TRIED_LENGTHS]
    for cache, length in zip(caches, TRIED_LENGTHS, strict=True):
        cache.kv_L2HCD[layer].normal_(generator=draw)
        cache.length = length
    rows = list(range(len(caches), 0, -1))
    qkv_THE = torch.empty(len(rows) + 1, heads + 2 * groups, size, dtype=shape.dtype, device=shape.device)
    qkv_THE.normal_(generator=draw)
    query_THE, key_TGE, value_TGE = qkv_THE.split((heads, groups, groups), 1)
    out_THE = torch.zeros_like(query_THE, memory_format=torch.contiguous_format)
    scaling = size**-0.5
    together = one_tokens(rows, caches, shape.device)
    attend_one_tokens(together, layer, query_THE, key_TGE, value_TGE, scaling, window, out_THE)
    wrong = out_THE[0].abs().max().item()
    for row, cache in zip(rows, caches, strict=True):
        keys_GKE, values_GKE = cache.kv_L2HCD[layer, :, :, : cache.length + 1].float().unbind(0)
        keys_GKE[:, -1], values_GKE[:, -1] = key_TGE[row], value_TGE[row]
        seen = slice(-min(window or cache.length + 1, cache.length + 1), None)
        expected_1GRE = scaled_dot_product_attention(
            query_THE[row].view(1, groups, -1, size).float(),
            keys_GKE[None, :, seen],
            values_GKE[None, :, seen],
            scale=scaling,
        )
        wrong = max(wrong, (out_THE[row] - expected_1GRE.view(heads, size)).abs().max().item())
        stored_2GE = torch.stack([key_TGE[row], value_TGE[row]])
        wrong = max(wrong, (cache.kv_L2HCD[layer, :, :, cache.length] - stored_2GE).abs().max().item())
    return wrong


def one_tokens(rows: Sequence[int], caches: Sequence[KvSequence], device: torch.device) -> OneTokens:
    """Of caches with room for one more token each."""
    tensors = tuple(cache.kv_L2HCD for cache in caches)
    where = [
        list(rows),
        [tensor.data_ptr() for tensor in tensors],
        [tensor.shape[3] for tensor in tensors],
        [cache.length for cache in caches],
    ]
    return OneTokens(torch.tensor(where, dtype=torch.int64, device=device), tensors)


def attend_one_tokens(
    tokens: OneTokens,
    layer: int,
    query_THE: Tensor,
    key_TGE: Tensor,
    value_TGE: Tensor,
    scaling: float,
    window: int | None,
    out_THE: Tensor,
) -> None:
    """Adds keys and values of the rows of `tokens` to layer `layer` of their caches, and writes what their queries
    attend to into the same rows of `out_THE`, which has no gaps. All are of the caches' dtype, [rows of the pass, heads
    (or groups), head size], the last dimension without gaps."""
    heads, groups, size = query_THE.shape[1], key_TGE.shape[1], query_THE.shape[2]
    each = heads // groups
    kernel: Any = attend
    kernel[(tokens.where_4B.shape[1], groups)](
        tokens.where_4B,
        query_THE,
        key_TGE,
        value_TGE,
        out_THE,
        scaling,
        layer,
        window or 1 << 30,
        tokens.where_4B.shape[1],
        query_THE.stride(0),
        query_THE.stride(1),
        key_TGE.stride(0),
        key_TGE.stride(1),
        value_TGE.stride(0),
        value_TGE.stride(1),
        groups,
        size,
        each,
        # Sides of a matrix product are powers of two, and at least 16.
        max(16, next_power_of_2(size)),
        max(16, next_power_of_2(each)),
        64,
    )


def next_power_of_2(number: int) -> int:
    """The least that is not below `number`."""
    return 1 << (number - 1).bit_length()
