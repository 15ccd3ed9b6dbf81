"""Norms and gated MLPs that keep less for the backward pass than autograd does, and read memory less often.

Taken only where the model's logits stay the same (learner.py looks). Shape suffixes: P positions, D hidden, I inner.
"""

from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers.activations import SiLUActivation

from .frozen_linear import FrozenLinear

MLP = {"gate_proj", "up_proj", "down_proj", "act_fn"}


class _RmsNorm(torch.autograd.Function):
    """y = w x s with s = (mean x^2 + e)^-1/2; keeps x and s [.., 1]."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight_D: Tensor, epsilon: float, dtype: torch.dtype) -> Tensor:
        scale = torch.linalg.vector_norm(x, dim=-1, keepdim=True).square_().div_(x.shape[-1]).add_(epsilon).rsqrt_()
        ctx.save_for_backward(x, weight_D, scale)
        return (x * scale).mul_(weight_D).to(dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        x, weight_D, scale = ctx.saved_tensors
        # On x: s (g w) - x s^3 mean(g w x).
        weighted = gradient * weight_D
        along = (weighted * x).mean(-1, keepdim=True).mul_(scale.pow(3))
        return weighted.mul_(scale).addcmul_(x, along, value=-1), None, None, None


class LeanRmsNorm(nn.Module):
    """RMSNorm with a weight that is not trained."""

    def __init__(self, weight_D: Tensor, epsilon: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight_D.detach(), requires_grad=False)
        self._epsilon = epsilon
        # Of what comes out.
        self.dtype = torch.float32

    def forward(self, x: Tensor) -> Tensor:
        return _RmsNorm.apply(x, self.weight, self._epsilon, self.dtype)


class _Gated(torch.autograd.Function):
    """y = silu(gate) up; keeps gate and up, where autograd keeps silu(gate) too."""

    @staticmethod
    def forward(ctx: Any, gate: Tensor, up: Tensor) -> Tensor:
        ctx.save_for_backward(gate, up)
        return nn.functional.silu(gate).mul_(up)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:  # pyright: ignore[reportIncompatibleMethodOverride]
        gate, up = ctx.saved_tensors
        on_up = nn.functional.silu(gate).mul_(gradient)
        return torch.ops.aten.silu_backward(gradient * up, gate), on_up


class LeanMlp(nn.Module):
    """down(silu(gate(x)) up(x)), with the layers under the names that they had."""

    def __init__(self, mlp: nn.Module) -> None:
        super().__init__()
        self.gate_proj = cast(nn.Linear, mlp.gate_proj)
        self.up_proj = cast(nn.Linear, mlp.up_proj)
        self.down_proj = cast(nn.Linear, mlp.down_proj)

    def forward(self, x: Tensor) -> Tensor:
        return self.down_proj(_Gated.apply(self.gate_proj(x), self.up_proj(x)))


def narrow(model: nn.Module, dtype: torch.dtype) -> None:
    """Lets what flows into the products of a layer, and within its MLP, be of the products' dtype.

    It would be rounded to that at the products anyway; so it is rounded once, and takes half the memory.
    """
    for layer in model.modules():
        children = list(layer.children())
        mlp = next((child for child in children if isinstance(child, LeanMlp)), None)
        if mlp is None:
            continue
        for child in children:
            if isinstance(child, LeanRmsNorm):
                child.dtype = dtype
        for linear in (mlp.gate_proj, mlp.up_proj):
            if isinstance(linear, FrozenLinear):
                linear.dtype = dtype


def make_lean(model: nn.Module) -> None:
    """Puts these in the place of the norms and MLPs that look like them."""
    for name, module in list(model.named_modules()):
        epsilon = getattr(module, "variance_epsilon", None)
        if type(module).__name__.endswith("RMSNorm") and isinstance(epsilon, float):
            model.set_submodule(name, LeanRmsNorm(cast(Tensor, module.weight), epsilon))
        elif {child for child, _ in module.named_children()} == MLP and isinstance(
            module.act_fn, nn.SiLU | SiLUActivation
        ):
            model.set_submodule(name, LeanMlp(module))
