"""The training loss over response positions, and nothing about models, files or optimizers.

Every advantage arrives as data: this file knows the surrogate and not the algorithm that filled it in.
Shape suffixes: R response positions of a batch (or a chunk of them), K support tokens a position, V vocabulary.
"""

from dataclasses import dataclass, fields

import torch
from torch import Tensor

LOG_RATIO_LIMIT = 20.0
"""Bound on log rho, so that exp cannot overflow on a token that the policy has all but ruled out."""
BEHAVIOUR_WEIGHT_LIMIT = 2.0
"""Truncation of the importance weight of the policy that acted against the policy that is trained."""
PAD = -1
"""A support id that stands for no token."""


@dataclass(frozen=True)
class Clip:
    """rho is held in [1 - low, 1 + high]."""

    low: float = 0.2
    high: float = 0.28


@dataclass(frozen=True)
class LossTerms:
    """What the loss takes as constant, a row a response position. NaN means unknown where a logprob may be."""

    tokens_R: Tensor
    support_ids_RK: Tensor
    support_logprobs_RK: Tensor
    support_advantages_RK: Tensor
    old_logprobs_R: Tensor
    behaviour_logprobs_R: Tensor
    loss_mask_R: Tensor
    ce_weights_R: Tensor
    weights_R: Tensor
    """Share of the position in the mean of means; 0 where it is masked."""

    def rows(self, index_N: Tensor) -> "LossTerms":
        """The terms of the positions in `index_N` (int64)."""
        return LossTerms(*(getattr(self, field.name)[index_N] for field in fields(self)))


def position_weights(loss_mask_R: Tensor, response_lengths: list[int], dtype: torch.dtype) -> Tensor:
    """1 / (S n_s) for the n_s unmasked positions of each of the S samples.

    A sample without an unmasked position adds 0 and still counts among the S: masking one sample must not
    raise the weight of the others.
    """
    weights_R = torch.zeros(loss_mask_R.shape[0], dtype=dtype)
    start = 0
    for length in response_lengths:
        mask_N = loss_mask_R[start : start + length].to(dtype)
        weights_R[start : start + length] = mask_N / (mask_N.sum().clamp(min=1) * len(response_lengths))
        start += length
    return weights_R


def gather_logprobs(logits_RV: Tensor, tokens_R: Tensor, support_ids_RK: Tensor) -> tuple[Tensor, Tensor]:
    """log pi of the response's own tokens [R] and of the support [R,K]; the value at a pad is meaningless."""
    log_total_R1 = logits_RV.logsumexp(dim=-1, keepdim=True)
    own_R1 = logits_RV.gather(1, tokens_R[:, None]) - log_total_R1
    support_RK = logits_RV.gather(1, support_ids_RK.clamp(min=0)) - log_total_R1
    return own_R1[:, 0], support_RK


def weighted_loss(own_R: Tensor, support_RK: Tensor, terms: LossTerms, clip: Clip) -> Tensor:
    """Sum over the given positions of weight x [ w sum_j max(-A rho, -A clip(rho)) + c (-log pi(y)) ].

    `own_R` and `support_RK` carry the gradient. Over all positions of a batch the sum is the mean over samples
    of the mean over unmasked tokens; over chunks of positions the sums add up to it. A NaN among the support's
    old logprobs stands for the current value, detached: rho is 1 and its gradient is that of log pi.
    """
    old_RK = torch.where(terms.support_logprobs_RK.isnan(), support_RK.detach(), terms.support_logprobs_RK)
    rho_RK = (support_RK - old_RK).clamp(-LOG_RATIO_LIMIT, LOG_RATIO_LIMIT).exp()
    advantages_RK = terms.support_advantages_RK
    surrogate_RK = torch.maximum(-advantages_RK * rho_RK, -advantages_RK * rho_RK.clamp(1 - clip.low, 1 + clip.high))
    surrogate_R = surrogate_RK.masked_fill(terms.support_ids_RK == PAD, 0).sum(dim=1)
    behaviour_R = (terms.old_logprobs_R - terms.behaviour_logprobs_R).exp().clamp(max=BEHAVIOUR_WEIGHT_LIMIT)
    behaviour_R = behaviour_R.masked_fill(behaviour_R.isnan(), 1)
    loss_R = behaviour_R * surrogate_R - terms.ce_weights_R * own_R
    # masked_fill and not a product with 0: a masked position may hold NaN advantages and must not spread them.
    return (terms.weights_R * loss_R.masked_fill(terms.weights_R == 0, 0)).sum()
