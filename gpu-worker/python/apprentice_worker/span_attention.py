"""Attention over a pack: each span sees itself causally and the spans above it in full. Knows no model."""

from typing import cast

import torch
from torch import Tensor
from torch.nn.attention.bias import causal_lower_right
from torch.nn.functional import scaled_dot_product_attention

from .packing import Span


def span_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    *,
    spans: list[Span],
    scaling: float | None = None,
    sliding_window: int | None = None,
) -> Tensor:
    """query [1, heads, P, D]; key and value [1, kv_heads, P, D]; returns [1, P, heads, D].

    Raises ValueError when a span reaches beyond a sliding window.
    """
    repeats = query.shape[1] // key.shape[1]
    if repeats > 1:
        key, value = key.repeat_interleave(repeats, dim=1), value.repeat_interleave(repeats, dim=1)
    outputs: list[Tensor] = []
    for span in spans:
        ranges = (*span.context, (span.start, span.end))
        seen = sum(end - start for start, end in ranges)
        if sliding_window is not None and seen > sliding_window:
            raise ValueError(f"a sample of {seen} tokens is longer than the model's window of {sliding_window}")
        outputs.append(
            scaled_dot_product_attention(
                query[:, :, span.start : span.end],
                seen_of(key, ranges),
                seen_of(value, ranges),
                attn_mask=lower_right(span, seen, query.device) if span.context else None,
                is_causal=not span.context,
                scale=scaling,
            ).transpose(1, 2)
        )
    return outputs[0] if len(outputs) == 1 else torch.cat(outputs, dim=1)


def seen_of(tensor: Tensor, ranges: tuple[tuple[int, int], ...]) -> Tensor:
    """The positions of the ranges [1, heads, seen, D]; of one range without a copy."""
    parts = [tensor[:, :, start:end] for start, end in ranges]
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=2)


def lower_right(span: Span, seen: int, device: torch.device) -> Tensor:
    """bool [span, seen]: the last position sees all, each one before it one less. Kernels of CUDA GPUs need no tensor
    for this."""
    length = span.end - span.start
    if device.type == "cuda":
        return cast(Tensor, causal_lower_right(length, seen))
    return torch.ones(length, seen, dtype=torch.bool, device=device).tril(diagonal=seen - length)
