"""What is read off logits: the same as from sorting all of them; ENGINE-20: tokens that are drawn together."""

import pytest
import torch
from engine_commands import request

from apprentice_worker.drawing import draw_together
from apprentice_worker.sampling import largest, sample, sample_together, scores


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


def test_rows_drawn_together_have_each_its_own_limits() -> None:
    """By numbers that are spread evenly over [0, 1) tokens come as often as their share says."""
    logits_V = torch.randn(512, generator=torch.Generator().manual_seed(5)) * 2
    draws = 20_000
    uniforms_N = (torch.arange(draws) + 0.5) / draws
    for temperature, top_k, top_p in ((0.0, -1, 1.0), (0.7, -1, 1.0), (1.0, 5, 1.0), (1.0, -1, 0.8), (1.3, 40, 0.5)):
        probs_V = torch.zeros(512)
        if temperature == 0:
            probs_V[logits_V.argmax()] = 1
        else:
            probs_V = (logits_V / temperature).softmax(0)
            order_V = probs_V.argsort(descending=True)
            ranked_V = probs_V[order_V]
            if top_k > 0:
                ranked_V[top_k:] = 0
            ranked_V[ranked_V.cumsum(0) - ranked_V >= top_p * ranked_V.sum()] = 0
            probs_V[order_V] = ranked_V / ranked_V.sum()
        settings = (torch.full((draws,), float(number)) for number in (temperature, top_k, top_p))
        drawn_N = sample_together(logits_V.expand(draws, -1), *settings, uniforms_N)
        share_V = torch.bincount(drawn_N, minlength=512) / draws
        assert set(share_V.nonzero()[:, 0].tolist()) <= set(probs_V.nonzero()[:, 0].tolist())
        assert (share_V - probs_V).abs().max() < 2e-4


def test_what_is_drawn_together_is_of_the_seed_and_the_place_alone() -> None:
    """Whatever else is drawn, and whether the token was guessed at before."""
    logits_NV = torch.randn(3, 512, generator=torch.Generator().manual_seed(6))

    def asked(seed: int) -> list[int]:
        one = request(temperature=1.0, top_p=0.95, seed=seed, return_logprob=True, top_logprobs_num=3)
        other = request(temperature=0.0)
        (own, *_), greedy = draw_together([(one, logits_NV[:2]), (other, logits_NV[2:])])
        assert own.logprob == pytest.approx(logits_NV[0].log_softmax(0)[own.token].item(), abs=1e-5)
        assert own.top is not None
        assert [token for _, token in own.top] == logits_NV[0].topk(3).indices.tolist()
        assert (greedy[0].token, greedy[0].logprob, greedy[0].top) == (int(logits_NV[2].argmax()), None, None)
        one.take(own.token)
        # The second row was a guess that came to nothing: it is drawn again.
        return [own.token, draw_together([(one, logits_NV[1:2])])[0][0].token]

    assert asked(1) == asked(1)
    alone = request(temperature=1.0, top_p=0.95, seed=1)
    assert asked(1) == [drawn.token for drawn in draw_together([(alone, logits_NV[:2])])[0]]
    assert len({tuple(asked(seed)) for seed in range(20)}) > 15
    assert draw_together([]) == []
