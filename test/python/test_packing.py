"""Packing shares prefixes and changes nothing: gradients equal those of samples trained one by one."""

import dataclasses
from pathlib import Path

import pytest
import torch

from apprentice_worker import adapter_io, head, packing
from apprentice_worker.batch import Hyperparameters, Sample
from apprentice_worker.learner import Learner
from apprentice_worker.loss import Clip, LossTerms, position_weights

SETTINGS = Hyperparameters(
    learning_rate=1e-3,
    steps=1,
    lora_rank=4,
    lora_alpha=8,
    weight_decay=0.0,
    adam_beta1=0.9,
    adam_beta2=0.999,
    max_grad_norm=1.0,
    clip_low=0.2,
    clip_high=0.28,
    seed=3,
)


@pytest.fixture
def tiny(tiny_model: Path) -> Learner:
    """A learner whose adapter's B is no longer zero."""
    made = Learner(tiny_model, torch.device("cpu"))
    made._adapter = made._fresh_adapter(SETTINGS)
    for name, parameter in adapter_io.trained_parameters(made._adapter).items():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    return made


def samples() -> list[Sample]:
    """Seven samples: two pairs with one prompt, an opening that five share, one apart, one twice."""
    opening = [int(t) for t in torch.randint(0, 64, (20,), generator=torch.Generator().manual_seed(1))]
    prompts = [opening + [1] * 18, opening + [2] * 17, [5] * 25, opening[:9]]
    made: list[Sample] = []
    row = 0
    for prompt, response in [
        (prompts[0], [7, 8, 9]),
        (prompts[0], [7, 8, 10, 11, 12]),
        (prompts[1], [3] * 19),
        (prompts[1], [3] * 18 + [4]),
        (prompts[2], [6, 6]),
        (prompts[3], [13]),
        (prompts[2], [6, 6]),
    ]:
        made.append(Sample(prompt + response, len(prompt), row, is_anchor=False))
        row += len(response)
    return made


def terms(of: list[Sample]) -> LossTerms:
    """Random supports and advantages, some old logprobs unknown, a demonstration weight here and there."""
    generator = torch.Generator().manual_seed(2)
    lengths = [len(sample.tokens) - sample.response_start for sample in of]
    rows = sum(lengths)
    logprobs_RK = -4 + torch.rand(rows, 3, generator=generator)
    logprobs_RK[::2, 0] = torch.nan
    mask_R = (torch.rand(rows, generator=generator) > 0.1).to(torch.uint8)
    return LossTerms(
        tokens_R=torch.tensor([token for sample in of for token in sample.tokens[sample.response_start :]]),
        support_ids_RK=torch.randint(-1, 64, (rows, 3), generator=generator),
        support_logprobs_RK=logprobs_RK,
        support_advantages_RK=torch.randn(rows, 3, generator=generator),
        old_logprobs_R=torch.full((rows,), -4.0),
        behaviour_logprobs_R=torch.full((rows,), torch.nan),
        loss_mask_R=mask_R,
        ce_weights_R=torch.rand(rows, generator=generator),
        weights_R=position_weights(mask_R, lengths, torch.float32),
    )


def gradients(tiny: Learner, packs: list[packing.Pack], of: LossTerms) -> tuple[float, dict[str, torch.Tensor]]:
    """Loss and the adapter's gradients over the packs."""
    assert tiny._adapter is not None
    parameters = adapter_io.trained_parameters(tiny._adapter)
    for parameter in parameters.values():
        parameter.grad = None
    copy = dataclasses.replace(of, support_logprobs_RK=of.support_logprobs_RK.clone())
    before_R = torch.full_like(of.old_logprobs_R, torch.nan)
    loss = tiny.accumulate(packs, copy, Clip(), before_R)
    return loss, {name: p.grad.clone() for name, p in parameters.items() if p.grad is not None}


@pytest.mark.parametrize("token_budget", [60, 10_000])
def test_shared_prefixes_change_neither_loss_nor_gradient(tiny: Learner, token_budget: int) -> None:
    of = terms(samples())
    packs = packing.make_packs(samples(), token_budget)
    alone = [packing.make_pack([sample]) for sample in samples()]
    assert sum(len(pack.tokens_P) for pack in packs) < sum(len(pack.tokens_P) for pack in alone)
    loss, packed = gradients(tiny, packs, of)
    expected_loss, expected = gradients(tiny, alone, of)
    assert loss == pytest.approx(expected_loss, rel=1e-5)
    assert packed.keys() == expected.keys()
    for name, gradient in packed.items():
        torch.testing.assert_close(gradient, expected[name], rtol=1e-4, atol=1e-6)


def test_packed_attention_agrees_with_the_models_own(tiny: Learner) -> None:
    tokens = samples()[0].tokens
    pack = packing.make_pack([samples()[0]])
    ours = tiny._head(tiny._hidden(pack))
    tiny._base.set_attn_implementation("eager")
    theirs = tiny._base(input_ids=torch.tensor([tokens[:-1]])).logits[0]
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_logits_in_chunks_change_nothing(tiny: Learner, monkeypatch: pytest.MonkeyPatch) -> None:
    of, packs = terms(samples()), packing.make_packs(samples(), 10_000)
    loss, whole = gradients(tiny, packs, of)
    monkeypatch.setattr(head, "LOGIT_ROWS", 5)
    chunked_loss, chunked = gradients(tiny, packs, of)
    assert chunked_loss == pytest.approx(loss, rel=1e-5)
    for name, gradient in whole.items():
        torch.testing.assert_close(gradient, chunked[name], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("limit", "share"), [(0.1, 0.5), (0.6, 0.8)])
def test_layers_over_the_limit_are_recomputed_and_nothing_changes(
    tiny: Learner, monkeypatch: pytest.MonkeyPatch, limit: float, share: float
) -> None:
    """Of two layers: none is kept, then one."""
    of, packs = terms(samples()), packing.make_packs(samples(), 10_000)
    loss, kept = gradients(tiny, packs, of)
    kept_tensors = saved_for_backward(tiny, packs)
    monkeypatch.setattr(tiny, "_kept_positions", int(limit * packs[0].tokens_P.numel()))
    recomputed_loss, recomputed = gradients(tiny, packs, of)
    assert saved_for_backward(tiny, packs) < kept_tensors * share
    assert recomputed_loss == pytest.approx(loss, rel=1e-5)
    for name, gradient in kept.items():
        torch.testing.assert_close(gradient, recomputed[name], rtol=1e-4, atol=1e-6)


def test_what_a_position_keeps_is_known_beforehand(tiny: Learner) -> None:
    """Within a quarter: of what lies at the positions of a pack, each tensor once."""
    pack = packing.make_packs(samples(), 10_000)[0]
    positions = pack.tokens_P.numel()
    kept: dict[int, int] = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        if positions in tensor.shape and tensor.numel() > positions:
            kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    tiny._recompute_first_layers(1)
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        tiny._hidden(pack)
    assert sum(kept.values()) / positions == pytest.approx(tiny._activation_bytes, rel=0.25)


def saved_for_backward(tiny: Learner, packs: list[packing.Pack]) -> int:
    """Numbers kept from the forward pass below the head."""
    kept = 0

    def count(tensor: torch.Tensor) -> torch.Tensor:
        nonlocal kept
        kept += tensor.numel()
        return tensor

    tiny._recompute_first_layers(packs[0].tokens_P.numel())
    with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        tiny._hidden(packs[0])
    return kept
