"""TRAIN-12: the trainer's layers beside PEFT's have one loss and one gradient, in bfloat16 but for its rounding."""

from pathlib import Path
from typing import Any

import pytest
import torch
from peft import get_peft_model
from torch import Tensor
from transformers import AutoModelForCausalLM

from apprentice_worker import adapter_io, packing
from apprentice_worker.batch import Hyperparameters, Sample
from apprentice_worker.frozen_linear import FrozenLoraLinear
from apprentice_worker.learner import Learner
from apprentice_worker.loss import Clip, LossTerms

SETTINGS = Hyperparameters(1e-3, 1, 4, 8, 0.0, 0.9, 0.999, 1.0, 0.2, 0.28, 3)
TOKENS = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9]
RESPONSE_START = 6
ROWS = len(TOKENS) - RESPONSE_START


def demonstration() -> LossTerms:
    """Cross-entropy alone, which transformers computes too."""
    return LossTerms(
        tokens_R=torch.tensor(TOKENS[RESPONSE_START:]),
        support_ids_RK=torch.full((ROWS, 1), -1),
        support_logprobs_RK=torch.zeros(ROWS, 1),
        support_advantages_RK=torch.zeros(ROWS, 1),
        old_logprobs_R=torch.full((ROWS,), torch.nan),
        behaviour_logprobs_R=torch.full((ROWS,), torch.nan),
        loss_mask_R=torch.ones(ROWS, dtype=torch.uint8),
        ce_weights_R=torch.ones(ROWS),
        weights_R=torch.full((ROWS,), 1 / ROWS),
    )


def set_b(parameters: dict[str, torch.nn.Parameter]) -> None:
    """B as after some steps: at zero A has no gradient."""
    generator = torch.Generator().manual_seed(5)
    for name, parameter in parameters.items():
        if "lora_B" in name:
            parameter.data = torch.randn(parameter.shape, generator=generator) * 0.1


def gradients(parameters: dict[str, torch.nn.Parameter]) -> dict[str, Tensor]:
    return {name: one.grad.clone() for name, one in parameters.items() if one.grad is not None}


def of_peft(folder: Path) -> tuple[float, dict[str, Tensor]]:
    base: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    torch.manual_seed(SETTINGS.seed)
    model = get_peft_model(base, adapter_io.lora_config(SETTINGS, base.config))
    parameters = {name: one for name, one in model.named_parameters() if one.requires_grad}
    set_b(parameters)
    labels = torch.tensor([TOKENS]).index_fill(1, torch.arange(RESPONSE_START), -100)
    loss: Tensor = model(input_ids=torch.tensor([TOKENS]), labels=labels).loss
    loss.backward()
    return loss.item(), gradients(parameters)


def of_learner(folder: Path, dtype: torch.dtype) -> tuple[float, dict[str, Tensor]]:
    learner = Learner(folder, torch.device("cpu"), dtype)
    adapter = learner._adapter = learner._fresh_adapter(SETTINGS)
    assert sum(type(module) is FrozenLoraLinear for module in adapter.modules()) == 2 * 7
    parameters = adapter_io.trained_parameters(adapter)
    set_b(parameters)
    pack = packing.make_pack([Sample(TOKENS, RESPONSE_START, 0, is_anchor=False)])
    loss = learner.accumulate([pack], demonstration(), Clip(), None)
    return loss, gradients(parameters)


def test_loss_and_gradient_are_those_of_transformers_and_peft(tiny_model: Path) -> None:
    loss, ours = of_learner(tiny_model, torch.float32)
    expected_loss, expected = of_peft(tiny_model)
    assert loss == pytest.approx(expected_loss, rel=1e-5)
    assert ours.keys() == expected.keys()
    for name, gradient in ours.items():
        torch.testing.assert_close(gradient, expected[name], rtol=1e-4, atol=1e-6)


def test_in_bfloat16_they_differ_by_its_rounding_alone(tiny_model: Path) -> None:
    loss, ours = of_learner(tiny_model, torch.bfloat16)
    expected_loss, expected = of_learner(tiny_model, torch.float32)
    assert loss == pytest.approx(expected_loss, rel=1e-3)
    assert loss != expected_loss
    # Each factor is off by 2^-9 of itself at most; in sums of 32 terms little of that cancels out.
    for name, gradient in ours.items():
        off = (gradient - expected[name]).norm() / expected[name].norm()
        assert off < 0.04, name
