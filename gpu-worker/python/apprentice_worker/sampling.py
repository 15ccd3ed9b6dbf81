"""Next tokens and logprobs from logits. Logprobs are natural logs at temperature 1, however a token was drawn."""

import torch
from torch import Tensor

TopList = list[tuple[float, int]]

# Largest block of the vocabulary that is looked at as one when the best few are looked for.
BLOCK = 1024
# Tokens that are sorted first when the smallest set is wanted that holds a share of the probability.
NUCLEUS = 1024


def scores(logits_NV: Tensor, ids_N: Tensor, top_count: int) -> tuple[list[float], list[TopList] | None]:
    """log p of one token a row, and the `top_count` most likely tokens of each row, best first; None for 0."""
    logits_NV = logits_NV.float()
    log_total_N1 = logits_NV.logsumexp(1, keepdim=True)
    chosen_N = (logits_NV.gather(1, ids_N.unsqueeze(1)) - log_total_N1).squeeze(1)
    if top_count == 0:
        return chosen_N.tolist(), None
    top_NK, ids_NK = largest(logits_NV, top_count)
    rows = zip((top_NK - log_total_N1).tolist(), ids_NK.tolist(), strict=True)
    return chosen_N.tolist(), [list(zip(values_K, ids_K, strict=True)) for values_K, ids_K in rows]


def largest(values_NV: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The `count` largest of each row and where they stand, [N, count] each, best first.

    They stand in the `count` blocks with the largest maxima, which one pass over memory finds; only those are sorted.
    """
    rows, vocabulary = values_NV.shape
    block = BLOCK
    while vocabulary % block:
        block //= 2
    if vocabulary // block <= count or block <= count:
        top = values_NV.topk(count, dim=1)
        return top.values, top.indices
    blocks_NBC = values_NV.view(rows, -1, block)
    best_NK = blocks_NBC.amax(2).topk(count, dim=1).indices
    some_NKC = blocks_NBC.gather(1, best_NK.unsqueeze(2).expand(-1, -1, block))
    top = some_NKC.view(rows, -1).topk(count, dim=1)
    return top.values, best_NK.gather(1, top.indices // block) * block + top.indices % block


def sample(logits_V: Tensor, temperature: float, top_k: int, top_p: float, generator: torch.Generator) -> int:
    """One token: temperature first, then the top k (-1: all), then the smallest set that holds `top_p`."""
    if temperature == 0:
        return int(logits_V.argmax())
    probs_V = (logits_V.float() / temperature).softmax(0)
    if top_k <= 0 and top_p >= 1:
        return int(torch.multinomial(probs_V, 1, generator=generator))
    vocabulary = len(probs_V)
    limited = 0 < top_k < vocabulary
    probs_K, ids_K = probs_V.topk(top_k if limited else min(NUCLEUS, vocabulary))
    total = float(probs_K.sum())
    if not limited:
        # Sorting all takes ten times as long and is seldom needed: a few tokens hold nearly all of the probability.
        if total < top_p:
            probs_K, ids_K = probs_V.topk(vocabulary)
        total = 1.0
    # A token stays while what stands before it has not reached top_p yet, so the first always stays.
    probs_K = probs_K * ((probs_K.cumsum(0) - probs_K) < top_p * total)
    return int(ids_K[torch.multinomial(probs_K, 1, generator=generator)])


def sample_together(
    logits_NV: Tensor, temperatures_N: Tensor, top_ks_N: Tensor, top_ps_N: Tensor, uniforms_N: Tensor
) -> Tensor:
    """A token for each row, as `sample` means its limits, drawn by a number in [0, 1): on a GPU many rows take as long
    as one, and a generator of a request's own can draw there for no other. All are where the logits are."""
    best_N = logits_NV.argmax(1)
    greedy_N = temperatures_N == 0
    probs_NV = (logits_NV.float() / temperatures_N.masked_fill(greedy_N, 1)[:, None]).softmax(1)
    probs_NV, ids_NV = probs_NV.sort(1, descending=True)
    rank_V = torch.arange(probs_NV.shape[1], device=probs_NV.device)
    probs_NV *= (rank_V < top_ks_N[:, None]) | (top_ks_N <= 0)[:, None]
    total_N1 = probs_NV.sum(1, keepdim=True)
    # A token stays while what stands before it has not reached top_p yet, so the first always stays.
    kept_NV = (probs_NV.cumsum(1) - probs_NV < top_ps_N[:, None] * total_N1) & (probs_NV > 0)
    upto_NV = (probs_NV * kept_NV).cumsum(1)
    place_N = (upto_NV <= uniforms_N[:, None] * upto_NV[:, -1:]).sum(1)
    # Rounding may carry the number past the last that is kept.
    place_N = place_N.minimum(kept_NV.sum(1) - 1)
    return torch.where(greedy_N, best_N, ids_NV.gather(1, place_N[:, None])[:, 0])
