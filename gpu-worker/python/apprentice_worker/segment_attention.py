"""Attention of one segment of a pass over the cache of its own request."""

from typing import cast

import torch
from torch import Tensor
from torch.nn.attention.bias import causal_lower_right
from torch.nn.functional import scaled_dot_product_attention

from .step import Segment


def attend(
    segment: Segment,
    query_HND: Tensor,
    keys_GKD: Tensor,
    values_GKD: Tensor,
    scaling: float | None,
    sliding_window: int | None = None,
) -> Tensor:
    """[N, H, D]. Keys and values are those of all tokens up to the segment's last."""
    count = query_HND.shape[1]
    if count == 1:
        # One token: its heads that share keys stand in for several queries, and nothing is repeated.
        if sliding_window is not None:
            keys_GKD, values_GKD = keys_GKD[:, -sliding_window:], values_GKD[:, -sliding_window:]
        grouped_1GRD = query_HND.reshape(1, keys_GKD.shape[0], -1, query_HND.shape[2])
        attended_1GRD = scaled_dot_product_attention(
            grouped_1GRD, keys_GKD.unsqueeze(0), values_GKD.unsqueeze(0), scale=scaling
        )
        return attended_1GRD.reshape(1, *query_HND.shape[::2])
    mask_NK: Tensor | None = segment.mask_NK
    if sliding_window is not None and keys_GKD.shape[1] > sliding_window:
        mask_NK = causal_mask(segment.start_position, count, query_HND, sliding_window)
    elif mask_NK is None and segment.start_position > 0:
        # Its kernels on GPUs need no tensor for this.
        mask_NK = cast(Tensor, causal_lower_right(count, keys_GKD.shape[1]))
    attended_1HND = scaled_dot_product_attention(
        query_HND.unsqueeze(0),
        keys_GKD.unsqueeze(0),
        values_GKD.unsqueeze(0),
        attn_mask=mask_NK,
        is_causal=mask_NK is None,
        scale=scaling,
        enable_gqa=True,
    )
    return attended_1HND[0].transpose(0, 1)


def causal_mask(start: int, count: int, like: Tensor, window: int | None = None) -> Tensor:
    """Additive mask[count, start + count] for tokens that follow `start` earlier ones."""
    query_N1 = torch.arange(start, start + count, device=like.device).unsqueeze(1)
    key_K = torch.arange(start + count, device=like.device)
    hidden_NK = key_K > query_N1
    if window is not None:
        hidden_NK |= key_K <= query_N1 - window
    return torch.zeros(hidden_NK.shape, dtype=like.dtype, device=like.device).masked_fill_(hidden_NK, float("-inf"))
