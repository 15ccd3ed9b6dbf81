"""The products of the engine by weights that never change, each kept in the form that its device multiplies fastest."""

from typing import Protocol

import torch
from torch import Tensor, nn

EXACT = 2.0**-25
"""Half of the smallest number that fp16 has: what a weight from a bf16 or fp16 file may lose by being kept in fp16,
and only if it is below fp16's normal range."""


class FrozenProduct(Protocol):
    @property
    def fastest_rows(self) -> int:
        """With fewer rows than these a pass takes as long or longer."""
        ...

    def __call__(self, x_TI: Tensor, added_TO: Tensor | None) -> Tensor:
        """y[T, O] = x W^T + bias, with `added_TO` added to it where it is given."""
        ...


def frozen_product(weight_OI: Tensor, bias_O: Tensor | None) -> FrozenProduct:
    """Keeps its own copy of the weight, or the weight itself where no other form is faster."""
    on_cpu = weight_OI.device.type == "cpu" and weight_OI.dtype == torch.float32
    if on_cpu and _has_half_products() and _exact_in_half(weight_OI):
        return HalfProduct(weight_OI, bias_O)
    if on_cpu and torch.backends.mkldnn.is_available():
        return PackedProduct(weight_OI, bias_O)
    return PlainProduct(weight_OI, bias_O)


class HalfProduct:
    """FBGEMM's: fp32 rows by a weight kept in fp16 and widened as it is read, sums in fp32. Where the weight is
    exact in fp16 so is the product, and a pass of few rows, which takes as long as reading the weights does, takes half
    of the time. What comes of a row does not depend on the rows beside it."""

    fastest_rows = 1

    def __init__(self, weight_OI: Tensor, bias_O: Tensor | None) -> None:
        self._packed = torch.ops.quantized.linear_prepack_fp16.default(weight_OI.contiguous(), bias_O)

    def __call__(self, x_TI: Tensor, added_TO: Tensor | None) -> Tensor:
        y_TO = torch.ops.quantized.linear_dynamic_fp16.default(x_TI, self._packed)
        return y_TO if added_TO is None else y_TO.add_(added_TO)


class PackedProduct:
    """oneDNN's in fp32, the weight in its packed layout: measured 1.2 times as fast as the plain one for one row, and 2
    to 4 times for 4 to 8 rows, which is what decoding several requests at once consists of."""

    # The matrix kernels take less time for 4 rows than the vector kernel for one (37 against 46 ms a token for the
    # default model), and 1 to 4 streams come out bit for bit the same.
    fastest_rows = 4

    def __init__(self, weight_OI: Tensor, bias_O: Tensor | None) -> None:
        self._weight = torch.ops.mkldnn._reorder_linear_weight(weight_OI)
        self._bias_O = bias_O

    def __call__(self, x_TI: Tensor, added_TO: Tensor | None) -> Tensor:
        # The overloads by name: looking them up costs half as much as a small product.
        if added_TO is None:
            return torch.ops.mkldnn._linear_pointwise.default(x_TI, self._weight, self._bias_O, "none", [], "")
        return torch.ops.mkldnn._linear_pointwise.binary(x_TI, added_TO, self._weight, self._bias_O, "add")


class PlainProduct:
    fastest_rows = 1

    def __init__(self, weight_OI: Tensor, bias_O: Tensor | None) -> None:
        self._weight_OI, self._bias_O = weight_OI, bias_O

    def __call__(self, x_TI: Tensor, added_TO: Tensor | None) -> Tensor:
        y_TO = nn.functional.linear(x_TI, self._weight_OI, self._bias_O)
        return y_TO if added_TO is None else y_TO.add_(added_TO)


def _has_half_products() -> bool:
    """FBGEMM is for x86 with AVX2."""
    quantized = torch.backends.quantized
    return quantized.engine in ("x86", "fbgemm") and "fbgemm" in quantized.supported_engines


def _exact_in_half(weight_OI: Tensor) -> bool:
    return bool((weight_OI.half().float() - weight_OI).abs().max() <= EXACT)
