"""The tokens that requests generate, with their log-probabilities: one after the other on a processor, on a GPU those
of a whole pass at once, because each look at its results has to wait for it."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .engine_request import Request
from .sampling import TopList, sample, sample_together, scores


@dataclass(frozen=True)
class Drawn:
    """A token; what is None was not asked for."""

    token: int
    logprob: float | None
    top: TopList | None


def draw(request: Request, logits_V: Tensor) -> Drawn:
    """The request's next token."""
    token = sample(logits_V, request.temperature, request.top_k, request.top_p, request.generator)
    if not request.return_logprob:
        return Drawn(token, None, None)
    (logprob,), top = scores(logits_V[None], torch.tensor([token], device=logits_V.device), request.top_logprobs_num)
    return Drawn(token, logprob, None if top is None else top[0])


def draw_together(rows: Sequence[tuple[Request, Tensor]]) -> list[list[Drawn]]:
    """Of every request with its rows of logits [N, V] a token for each row: the next one, and those that follow where
    what was guessed is right."""
    each = [(request, ahead) for request, logits_NV in rows for ahead in range(len(logits_NV))]
    if not each:
        return []
    logits_NV = torch.cat([logits_NV for _, logits_NV in rows])
    tokens_N = drawn(each, logits_NV)
    most = max((request.top_logprobs_num for request, _ in each if request.return_logprob), default=0)
    wanted = any(request.return_logprob for request, _ in each)
    logprobs, top = scores(logits_NV, tokens_N, most) if wanted else ([], None)
    found: list[Drawn] = []
    for index, (token, (request, _)) in enumerate(zip(tokens_N.tolist(), each, strict=True)):
        if not request.return_logprob:
            found.append(Drawn(token, None, None))
            continue
        count = request.top_logprobs_num
        found.append(Drawn(token, logprobs[index], top[index][:count] if top is not None and count > 0 else None))
    of_each = iter(found)
    return [[next(of_each) for _ in logits_NV] for _, logits_NV in rows]


def drawn(each: Sequence[tuple[Request, int]], logits_NV: Tensor) -> Tensor:
    """Tokens [N], of requests and how many places after their next."""
    if all(request.temperature == 0 for request, _ in each):
        return logits_NV.argmax(1)
    # Greedy ones are drawn by no number.
    uniforms = [
        0.0 if request.temperature == 0 else request.uniform(len(request.output_ids) + ahead) for request, ahead in each
    ]
    limits = [[float(request.temperature), float(request.top_k), float(request.top_p)] for request, _ in each]
    numbers_N4 = torch.cat([torch.tensor(limits), torch.tensor(uniforms)[:, None]], 1).to(logits_NV.device)
    temperatures_N, top_ks_N, top_ps_N, uniforms_N = numbers_N4.unbind(1)
    return sample_together(logits_NV, temperatures_N, top_ks_N, top_ps_N, uniforms_N)
