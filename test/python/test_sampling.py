"""What is read off logits: the same as from sorting all of them."""

import pytest
import torch

from apprentice_worker.sampling import largest, sample, scores


@pytest.mark.parametrize("vocabulary", [64, 999, 4096, 49_152])
@pytest.mark.parametrize("count", [1, 4, 20])
def test_the_largest_are_those_of_topk(vocabulary: int, count: int) -> None:
    values_NV = torch.randn(5, vocabulary, generator=torch.Generator().manual_seed(1))
    # Several of the best in one block.
    values_NV[:, 3:6] += 9
    expected = values_NV.topk(count)
    values_NK, ids_NK = largest(values_NV, count)
    assert torch.equal(values_NK, expected.values)
    assert torch.equal(ids_NK, expected.indices)


def test_logprobs_are_those_of_log_softmax() -> None:
    logits_NV = torch.randn(3, 2048, generator=torch.Generator().manual_seed(2)) * 4
    ids_N = torch.tensor([5, 2047, 0])
    expected_NV = logits_NV.log_softmax(1)
    logprobs, top = scores(logits_NV, ids_N, 4)
    assert logprobs == pytest.approx(expected_NV.gather(1, ids_N[:, None])[:, 0].tolist(), abs=1e-5)
    assert top is not None
    for row, of in zip(top, expected_NV, strict=True):
        assert [token for _, token in row] == of.topk(4).indices.tolist()
        assert [logprob for logprob, _ in row] == pytest.approx(of.topk(4).values.tolist(), abs=1e-5)
    assert scores(logits_NV, ids_N, 0) == (logprobs, None)


@pytest.mark.parametrize("spread", [0.0, 2.0])
def test_a_token_is_drawn_from_the_smallest_set_that_holds_top_p(spread: float) -> None:
    """Flat, where the set is larger than what is sorted first, and peaked, where it is smaller."""
    logits_V = torch.randn(8192, generator=torch.Generator().manual_seed(3)) * spread
    probs_V = logits_V.softmax(0)
    order_V = probs_V.argsort(descending=True)
    before_V = probs_V[order_V].cumsum(0) - probs_V[order_V]
    allowed = set(order_V[before_V < 0.9].tolist())
    generator = torch.Generator().manual_seed(4)
    drawn = {sample(logits_V, 1.0, -1, 0.9, generator) for _ in range(300)}
    if spread > 0:
        assert drawn <= allowed
    assert len(drawn) > (10 if spread > 0 else 280)
    assert sample(logits_V, 1.0, 1, 0.9, generator) == int(logits_V.argmax())
