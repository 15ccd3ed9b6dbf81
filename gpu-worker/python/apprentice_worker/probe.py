"""What a step did to the policy: how far it moved from its parent, and how far it is from the base.

Read on a fifth of the batch's tokens: another pass over all of them would cost a third of the training.
Shape suffixes: N response positions of the samples read, C of a chunk of them, R of the batch, D hidden.
"""

import torch
from torch import Tensor

from .batch import Batch, Sample
from .head import Head, chunks
from .packing import Pack, make_pack

PROBE_SHARE = 0.2
"""Share of the batch's tokens that is read again."""


def first_samples(samples: list[Sample], token_count: int) -> list[Sample]:
    """The first of them, up to a fifth of the batch's tokens, at least one: enough to see a step go wrong."""
    first = samples[:1]
    for sample in samples[1:]:
        if sum(len(one.tokens) for one in (*first, sample)) > PROBE_SHARE * token_count:
            break
        first.append(sample)
    return first


def moved_pack(batch: Batch) -> Pack:
    """The samples that `moved` looks at."""
    return make_pack(first_samples(batch.samples, batch.token_count))


def drift_pack(batch: Batch) -> Pack | None:
    """The samples that `drift` looks at. None for a batch without anchors: what it was asked to change says nothing
    of the rest."""
    anchors = [sample for sample in batch.samples if sample.is_anchor]
    return make_pack(first_samples(anchors, batch.token_count)) if anchors else None


@torch.no_grad()
def moved(batch: Batch, pack: Pack, before_R: Tensor, hidden_ND: Tensor, head: Head) -> float:
    """Mean of log pi_before - log pi_after on the pack's own tokens, in nats. `hidden_ND`: of its predictors."""
    total, count = 0.0, 0
    for rows in chunks(pack.rows_N.numel()):
        rows_C = pack.rows_N[rows]
        own_C, _ = head.logprobs(
            hidden_ND[rows],
            batch.terms.tokens_R[rows_C].to(hidden_ND.device),
            batch.terms.support_ids_RK[rows_C].to(hidden_ND.device),
        )
        fell_C = before_R[rows_C] - own_C.cpu()
        known_C = ~fell_C.isnan()
        total += fell_C[known_C].sum().item()
        count += int(known_C.sum().item())
    return total / max(count, 1)


@torch.no_grad()
def drift(policy_ND: Tensor, base_ND: Tensor, head: Head) -> float:
    """Mean KL(base || policy) over the vocabulary, in nats a token, on the hidden states of the same positions."""
    total = 0.0
    for rows in chunks(policy_ND.shape[0]):
        total += head.divergence(base_ND[rows], policy_ND[rows])
    return total / policy_ND.shape[0]
