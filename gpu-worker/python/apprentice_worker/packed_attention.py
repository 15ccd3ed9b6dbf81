"""Attention over a pack (span_attention.py) under a name of its own in transformers.

So the model's code stays as it is; the spans travel as a keyword argument through the model's forward. Sliding
windows are refused where they would bite.
"""

from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface

from .packing import Span
from .span_attention import span_attention

NAME = "apprentice_packed"
"""What to hand to `attn_implementation`."""


def packed_attention(
    module: nn.Module,  # noqa: ARG001
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,  # noqa: ARG001
    *,
    spans: list[Span],
    attention_dtype: torch.dtype | None = None,
    scaling: float | None = None,
    sliding_window: int | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """query [1, heads, P, D]; key and value [1, kv_heads, P, D]; returns [1, P, heads, D], of `attention_dtype` where
    one is given.

    The signature is the one transformers calls. Raises ValueError when a span reaches beyond a sliding window.
    """
    if attention_dtype is not None:
        query, key, value = (side.to(attention_dtype) for side in (query, key, value))
    return span_attention(query, key, value, spans=spans, scaling=scaling, sliding_window=sliding_window), None


AttentionInterface.register(NAME, packed_attention)
