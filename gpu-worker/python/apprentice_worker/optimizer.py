"""How a run begins and steps its AdamW, whatever computes the gradient."""

import torch

from .batch import Hyperparameters


def begin(optimizer: torch.optim.AdamW, settings: Hyperparameters) -> None:
    """Takes the run's settings. A run that was ended in the middle of a step leaves its gradient behind: it goes."""
    optimizer.zero_grad()
    for group in optimizer.param_groups:
        group["lr"] = settings.learning_rate
        group["betas"] = (settings.adam_beta1, settings.adam_beta2)
        group["weight_decay"] = settings.weight_decay


def step(optimizer: torch.optim.AdamW | None) -> None:
    """One step; the gradient is gone after it. Raises RuntimeError before a run has begun."""
    if optimizer is None:
        raise RuntimeError("there is no step to take before a run has begun")
    optimizer.step()
    optimizer.zero_grad()
