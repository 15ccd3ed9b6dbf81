"""The kernel of decode_attention.py, in Triton: imported where Triton is."""

# pyright: reportMissingImports=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUntypedFunctionDecorator=false, reportUnknownParameterType=false
# pyright: reportMissingParameterType=false

import triton
from triton import language as tl


# Numbers that change from call to call: the kernel would be compiled anew for some of their values.
@triton.jit(do_not_specialize=["layer", "requests", "window", "query_row", "key_row", "value_row"])
def attend(
    where_4B,
    query,
    key,
    value,
    out,
    scaling,
    layer,
    window,
    requests,
    query_row,
    query_head,
    key_row,
    key_head,
    value_row,
    value_head,
    GROUPS: tl.constexpr,
    SIZE: tl.constexpr,
    EACH: tl.constexpr,
    SIZE_PADDED: tl.constexpr,
    EACH_PADDED: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """R heads of one group, E of the head size, N keys at a time."""
    request, group = tl.program_id(0), tl.program_id(1)
    row = tl.load(where_4B + request)
    capacity = tl.load(where_4B + 2 * requests + request)
    length = tl.load(where_4B + 3 * requests + request)
    kind = query.dtype.element_ty
    cache = tl.load(where_4B + requests + request).to(tl.pointer_type(kind))
    keys = cache + (layer * 2 * GROUPS + group) * capacity * SIZE
    values = cache + ((layer * 2 + 1) * GROUPS + group) * capacity * SIZE

    e = tl.arange(0, SIZE_PADDED)
    r = tl.arange(0, EACH_PADDED)
    here_RE = (r[:, None] < EACH) & (e[None, :] < SIZE)
    head_R = group * EACH + r
    query_RE = tl.load(query + row * query_row + head_R[:, None] * query_head + e[None, :], mask=here_RE, other=0.0)
    key_E = tl.load(key + row * key_row + group * key_head + e, mask=e < SIZE, other=0.0)
    value_E = tl.load(value + row * value_row + group * value_head + e, mask=e < SIZE, other=0.0)
    tl.store(keys + length * SIZE + e, key_E, mask=e < SIZE)
    tl.store(values + length * SIZE + e, value_E, mask=e < SIZE)

    # The token sees itself, and then those before it.
    greatest_R = tl.sum(query_RE.to(tl.float32) * key_E.to(tl.float32)[None, :], axis=1) * scaling
    total_R = tl.full((EACH_PADDED,), 1.0, tl.float32)
    sum_RE = tl.zeros((EACH_PADDED, SIZE_PADDED), tl.float32) + value_E.to(tl.float32)[None, :]
    for start in range(tl.maximum(length + 1 - window, 0) // BLOCK * BLOCK, length, BLOCK):
        n = start + tl.arange(0, BLOCK)
        seen_N = (n < length) & (n + window > length)
        here_NE = seen_N[:, None] & (e[None, :] < SIZE)
        key_NE = tl.load(keys + n[:, None] * SIZE + e[None, :], mask=here_NE, other=0.0)
        value_NE = tl.load(values + n[:, None] * SIZE + e[None, :], mask=here_NE, other=0.0)
        score_RN = tl.dot(query_RE, tl.trans(key_NE)) * scaling
        score_RN = tl.where(seen_N[None, :], score_RN, float("-inf"))
        greater_R = tl.maximum(greatest_R, tl.max(score_RN, axis=1))
        share_RN = tl.exp(score_RN - greater_R[:, None])
        shrink_R = tl.exp(greatest_R - greater_R)
        total_R = total_R * shrink_R + tl.sum(share_RN, axis=1)
        sum_RE = sum_RE * shrink_R[:, None] + tl.dot(share_RN.to(kind), value_NE)
        greatest_R = greater_R
    at_RE = out + (row * GROUPS * EACH + head_R[:, None]) * SIZE + e[None, :]
    tl.store(at_RE, (sum_RE / total_R[:, None]).to(kind), mask=here_RE)
