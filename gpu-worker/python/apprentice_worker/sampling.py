"""Next tokens and logprobs from logits. Logprobs are natural logs at temperature 1, however a token was drawn."""

import torch

TopList = list[tuple[float, int]]


def token_logprobs(logits_NV: torch.Tensor, ids_N: torch.Tensor) -> list[float]:
    """log p of one token a row, without a log-softmax over rows that nobody reads."""
    chosen_N = logits_NV.gather(1, ids_N.unsqueeze(1)).squeeze(1).float()
    return (chosen_N - logits_NV.float().logsumexp(1)).tolist()


def top_logprobs(logits_NV: torch.Tensor, count: int) -> list[TopList]:
    """The `count` most likely tokens of each row, best first."""
    top = logits_NV.float().topk(count, dim=1)
    values_NK = (top.values - logits_NV.float().logsumexp(1, keepdim=True)).tolist()
    ids_NK: list[list[int]] = top.indices.tolist()
    return [list(zip(values_K, ids_K, strict=True)) for values_K, ids_K in zip(values_NK, ids_NK, strict=True)]


def sample(logits_V: torch.Tensor, temperature: float, top_k: int, top_p: float, generator: torch.Generator) -> int:
    """One token: temperature first, then the top k (-1: all), then the smallest set that holds `top_p`."""
    if temperature == 0:
        return int(logits_V.argmax())
    probs_V = (logits_V.float() / temperature).softmax(0)
    if top_k <= 0 and top_p >= 1:
        return int(torch.multinomial(probs_V, 1, generator=generator))
    probs_K, ids_K = probs_V.topk(top_k if 0 < top_k < len(probs_V) else len(probs_V))
    # A token stays while what stands before it has not reached top_p yet, so the first always stays.
    probs_K = probs_K * ((probs_K.cumsum(0) - probs_K) < top_p * probs_K.sum())
    return int(ids_K[torch.multinomial(probs_K, 1, generator=generator)])
