"""Linear layers of the base, which are never trained, with LoRA beside them.

Most of a training step on a CPU is these products. Where the processor multiplies bfloat16 natively (AVX512-BF16, AMX)
they are kept and computed in it; the residual, the adapter, its moments and the output head stay in float32: a logit of
20 in bfloat16 is off by up to 0.06.
Shape suffixes: P packed positions (all leading dimensions), I in, O out, R rank.
"""

from typing import Any, cast

import torch
from peft import PeftModel
from peft.tuners import lora
from torch import Tensor, nn

BFLOAT16_SINCE = (8, 0)
"""NVIDIA's compute capability from which on tensor cores multiply bfloat16: Ampere."""


def fast_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 on a CPU or CUDA GPU that multiplies it natively, elsewhere float32."""
    if device.type == "cuda":
        native = torch.cuda.get_device_capability(device) >= BFLOAT16_SINCE
        return torch.bfloat16 if native else torch.float32
    capabilities = torch.cpu.get_capabilities()
    native = capabilities.get("avx512_bf16") or capabilities.get("amx_bf16")
    return torch.bfloat16 if device.type == "cpu" and native else torch.float32


class FrozenLinear(nn.Linear):
    """x W^T + b, the product in the dtype that W is kept in. Gradients reach x alone.

    `weight` is empty and float32: PEFT rounds A to its precision, and versions would differ by machine.
    """

    weight_OI: Tensor
    # Of what comes out.
    dtype: torch.dtype

    @staticmethod
    def put_in_place_of(linear: nn.Linear, dtype: torch.dtype) -> None:
        """Turns the layer into one of these, whose output is float32."""
        weight_OI = linear.weight.detach().to(dtype)
        linear.__class__ = FrozenLinear
        frozen = cast(FrozenLinear, linear)
        frozen.weight = nn.Parameter(weight_OI.new_empty(0, dtype=torch.float32), requires_grad=False)
        frozen.weight_OI, frozen.dtype = weight_OI, torch.float32
        bias_O = cast(nn.Parameter | None, frozen.bias)
        if bias_O is not None:
            frozen.bias = nn.Parameter(bias_O.detach().to(dtype), requires_grad=False)

    def forward(self, input: Tensor) -> Tensor:
        return _Frozen.apply(input, self)

    def product(self, x: Tensor) -> Tensor:
        """y [.., O] in the dtype of W, a tensor of its own."""
        return nn.functional.linear(x.to(self.weight_OI.dtype), self.weight_OI, self.bias)


class _Frozen(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, linear: FrozenLinear) -> Tensor:
        ctx.linear, ctx.dtype = linear, x.dtype
        return linear.product(x).to(linear.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        weight_OI = ctx.linear.weight_OI
        return (gradient.to(weight_OI.dtype) @ weight_OI).to(ctx.dtype), None


class _Adapted(torch.autograd.Function):
    """y = x W^T + b + s (x A^T) B^T as two additions into one tensor, where PEFT makes five.

    All products are in the dtype of W; what comes out in float32 has the adapter's part added in it.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, a_RI: Tensor, b_OR: Tensor, linear: FrozenLinear, scaling: float) -> Tensor:
        dtype = linear.weight_OI.dtype
        x_PI = x.reshape(-1, x.shape[-1]).to(dtype)
        a_RI, b_OR = a_RI.to(dtype), b_OR.to(dtype)
        inner_PR = x_PI @ a_RI.t()
        ctx.save_for_backward(x_PI, a_RI, b_OR, inner_PR)
        ctx.linear, ctx.scaling, ctx.dtype = linear, scaling, x.dtype
        y_PO = linear.product(x_PI).to(linear.dtype)
        y_PO.addmm_(inner_PR.to(linear.dtype), b_OR.t().to(linear.dtype), alpha=scaling)
        return y_PO.view(*x.shape[:-1], -1)

    @staticmethod
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, gradient: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, None, None]:
        x_PI, a_RI, b_OR, inner_PR = ctx.saved_tensors
        weight_OI = ctx.linear.weight_OI
        gradient_PO = gradient.reshape(-1, gradient.shape[-1]).to(weight_OI.dtype)
        on_inner_PR = (gradient_PO @ b_OR).mul_(ctx.scaling)
        on_x_PI = (gradient_PO @ weight_OI).addmm_(on_inner_PR, a_RI)
        on_b_OR = (gradient_PO.t() @ inner_PR).float().mul_(ctx.scaling)
        on_a_RI = (on_inner_PR.t() @ x_PI).float()
        return on_x_PI.view(*gradient.shape[:-1], -1).to(ctx.dtype), on_a_RI, on_b_OR, None, None


class FrozenLoraLinear(lora.Linear):
    """PEFT's layer over a FrozenLinear, with one adapter that is neither merged nor dropped out."""

    def forward(self, x: Tensor, *_args: Any, **_kwargs: Any) -> Tensor:
        base = cast(FrozenLinear, self.base_layer)
        if self.disable_adapters:
            return base(x)
        (name,) = self.active_adapters
        a, b = cast(nn.Linear, self.lora_A[name]), cast(nn.Linear, self.lora_B[name])
        return _Adapted.apply(x, a.weight, b.weight, base, self.scaling[name])


def freeze_linears(model: nn.Module, head: nn.Module, dtype: torch.dtype) -> None:
    """Takes the weights of every linear layer but the head out of autograd's hands, in `dtype`."""
    for module in model.modules():
        if type(module) is nn.Linear and module is not head:
            FrozenLinear.put_in_place_of(module, dtype)
    if dtype != torch.float32:
        # What is left as it was lies in the mapping of the model's file, which stays in memory as long as a part is
        # used.
        for parameter in model.parameters():
            parameter.data = parameter.data.clone()


def adapt_frozen(model: PeftModel) -> None:
    """Lets the adapter's layers over FrozenLinears compute as FrozenLoraLinear does."""
    for module in model.modules():
        if type(module) is lora.Linear and isinstance(module.base_layer, FrozenLinear):
            module.__class__ = FrozenLoraLinear
