"""The output head with its rows cut over the tensor ranks: each has some of the vocabulary's logits, none has all.

Shape suffixes: C response positions, L this rank's tokens of the vocabulary, J tokens asked for, D hidden.
"""

from typing import Any

import torch
from torch import Tensor
from torch import distributed as dist
from torch.nn.functional import linear

from .group import Group


class VocabularyLogprobs(torch.autograd.Function):
    """log pi of given tokens, from logits [C,L] of which each rank has its part."""

    @staticmethod
    def forward(ctx: Any, logits_CL: Tensor, ids_CJ: Tensor, start: int, group: dist.ProcessGroup) -> Tensor:
        """[C,J]; the value at an id below 0 is that of token 0."""
        shifted_CL, log_total_C1 = normalised(logits_CL, group)
        ids_CJ = ids_CJ.clamp(min=0) - start
        here_CJ = (ids_CJ >= 0) & (ids_CJ < logits_CL.shape[1])
        local_CJ = ids_CJ.masked_fill(~here_CJ, 0)
        picked_CJ = shifted_CL.gather(1, local_CJ).masked_fill(~here_CJ, 0)
        dist.all_reduce(picked_CJ, group=group)
        ctx.save_for_backward(shifted_CL, log_total_C1, local_CJ, here_CJ)
        return picked_CJ - log_total_C1

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """d log pi(v) / d logits = [v] - pi; of this rank's logits, so that nothing has to be agreed on."""
        (gradient_CJ,) = gradients
        shifted_CL, log_total_C1, local_CJ, here_CJ = ctx.saved_tensors
        probabilities_CL = (shifted_CL - log_total_C1).exp()
        gradient_CL = -probabilities_CL * gradient_CJ.sum(dim=1, keepdim=True)
        return gradient_CL.scatter_add_(1, local_CJ, gradient_CJ * here_CJ), None, None, None


def normalised(logits_CL: Tensor, group: dist.ProcessGroup) -> tuple[Tensor, Tensor]:
    """The logits less their greatest [C,L], and log sum exp of that over all ranks [C,1]."""
    greatest_C1 = logits_CL.amax(dim=1, keepdim=True)
    dist.all_reduce(greatest_C1, op=dist.ReduceOp.MAX, group=group)
    shifted_CL = logits_CL - greatest_C1
    total_C1 = shifted_CL.exp().sum(dim=1, keepdim=True)
    dist.all_reduce(total_C1, group=group)
    return shifted_CL, total_C1.log()


class VocabularyHead:
    """A Head (../head.py) whose gradients on hidden states are this rank's share: whoever uses them sums them up."""

    def __init__(self, weight_LD: Tensor, vocabulary: int, group: Group) -> None:
        self._start = group.tensor_rank * weight_LD.shape[0]
        self._weight_LD = weight_LD
        # Without the rows that pad the vocabulary: they stand for no token.
        self._rows = vocabulary - self._start
        self._group = group.tensor_group

    def logprobs(self, hidden_CD: Tensor, tokens_C: Tensor, support_ids_CK: Tensor) -> tuple[Tensor, Tensor]:
        ids_CJ = torch.cat([tokens_C[:, None], support_ids_CK], dim=1)
        logprobs_CJ = VocabularyLogprobs.apply(self._logits(hidden_CD), ids_CJ, self._start, self._group)
        return logprobs_CJ[:, 0], logprobs_CJ[:, 1:]

    def divergence(self, base_CD: Tensor, policy_CD: Tensor) -> float:
        base_CL, policy_CL = (self._log_softmax(hidden_CD) for hidden_CD in (base_CD, policy_CD))
        total = (base_CL.exp() * (base_CL - policy_CL)).sum()
        dist.all_reduce(total, group=self._group)
        return total.item()

    def _logits(self, hidden_CD: Tensor) -> Tensor:
        return linear(hidden_CD, self._weight_LD[: self._rows]).float()

    def _log_softmax(self, hidden_CD: Tensor) -> Tensor:
        shifted_CL, log_total_C1 = normalised(self._logits(hidden_CD), self._group)
        return shifted_CL - log_total_C1
