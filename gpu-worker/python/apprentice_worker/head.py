"""From hidden states to the loss: the output head, a bounded number of response positions at a time.

Only positions that predict a response come here, so no logits of a prompt are ever computed. Learners differ in
where the head's rows lie; DenseHead has them all.
Shape suffixes: N response positions given, C of a chunk of them, R of the batch, K support tokens, D hidden.
"""

from collections.abc import Iterator
from typing import Protocol

import torch
from torch import Tensor, nn

from .loss import Clip, LossTerms, gather_logprobs, weighted_loss

LOGIT_ROWS = 128
"""Response positions whose logits exist at one time, however long the responses are."""


class Head(Protocol):
    """What turns hidden states into log-probabilities."""

    def logprobs(self, hidden_CD: Tensor, tokens_C: Tensor, support_ids_CK: Tensor) -> tuple[Tensor, Tensor]:
        """log pi of the own tokens [C] and of the support [C,K], with their gradient; nothing is meant at a pad."""
        ...

    def divergence(self, base_CD: Tensor, policy_CD: Tensor) -> float:
        """Sum over the rows of KL(base || policy) over the vocabulary, in nats."""
        ...


class DenseHead:
    """The whole vocabulary in one linear layer."""

    def __init__(self, linear: nn.Module) -> None:
        self._linear = linear

    def logprobs(self, hidden_CD: Tensor, tokens_C: Tensor, support_ids_CK: Tensor) -> tuple[Tensor, Tensor]:
        return gather_logprobs(self._linear(hidden_CD), tokens_C, support_ids_CK)

    def divergence(self, base_CD: Tensor, policy_CD: Tensor) -> float:
        policy_CV = self._linear(policy_CD).log_softmax(dim=-1)
        base_CV = self._linear(base_CD).log_softmax(dim=-1)
        return nn.functional.kl_div(policy_CV, base_CV, reduction="sum", log_target=True).item()


def loss_and_gradient(
    hidden_ND: Tensor, rows_N: Tensor, terms: LossTerms, clip: Clip, head: Head, before_R: Tensor | None
) -> tuple[float, Tensor]:
    """The positions' share of the loss, and its gradient [N,D] on their hidden states.

    `before_R` is given in the first step: it receives the own tokens' logprobs, and unknown old logprobs
    among `terms` become the values of this moment, so that rho starts at 1 and counts from here.
    The loss is a sum over positions, so each chunk of logits can go backward as soon as it is there:
    none is kept and none is computed twice.
    """
    leaf_ND = hidden_ND.detach().requires_grad_()
    loss = 0.0
    for rows in chunks(rows_N.numel()):
        chunk_C = rows_N[rows]
        here = on_device(terms.rows(chunk_C), hidden_ND.device)
        own_C, support_CK = head.logprobs(leaf_ND[rows], here.tokens_R, here.support_ids_RK)
        if before_R is not None:
            before_R[chunk_C] = own_C.detach().cpu()
            old_CK = terms.support_logprobs_RK[chunk_C]
            terms.support_logprobs_RK[chunk_C] = torch.where(old_CK.isnan(), support_CK.detach().cpu(), old_CK)
        chunk_loss = weighted_loss(own_C, support_CK, here, clip)
        chunk_loss.backward()
        loss += chunk_loss.item()
    gradient_ND = leaf_ND.grad
    return loss, torch.zeros_like(leaf_ND) if gradient_ND is None else gradient_ND


def chunks(length: int) -> Iterator[slice]:
    """Slices of at most LOGIT_ROWS positions."""
    return (slice(start, start + LOGIT_ROWS) for start in range(0, length, LOGIT_ROWS))


def on_device(terms: LossTerms, device: torch.device) -> LossTerms:
    """The terms where the logits are."""
    return LossTerms(**{name: tensor.to(device) for name, tensor in vars(terms).items()})
