"""The engine's linear layer: frozen weights, and for the rows of each adapter its own addition.

Rows of a pass are ordered by adapter, so each adapter's rows are one slice. Base rows are never touched, so what they
compute does not depend on which adapters are loaded.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .frozen_product import frozen_product
from .lora import Adapter, LinearLayers
from .step import current_step

AdapterSlices = Sequence[tuple[Adapter, int, int]]
"""(adapter, first row, end row); rows of the base are in none."""


class LoraLinear(nn.Module):
    """One product for layers that take the same input, their outputs end to end, plus x A^T B^T by adapter."""

    def __init__(self, name: str, linears: Sequence[nn.Linear]) -> None:
        """`name`: of the product, under which adapters have their weights for it."""
        super().__init__()
        self.name = name
        first = linears[0].weight.detach()
        weight_OI = first if len(linears) == 1 else torch.cat([linear.weight.detach() for linear in linears])
        self._frozen = frozen_product(weight_OI, _joined_bias(linears))

    @property
    def fastest_rows(self) -> int:
        """As of FrozenProduct."""
        return self._frozen.fastest_rows

    def forward(self, x: Tensor) -> Tensor:
        """x[..., I] to y[..., O] in the place of a layer of transformers'; rows are counted along the flattened leading
        dimensions."""
        y = self.product(x.view(-1, x.shape[-1]), current_step().adapter_slices)
        return y.view(*x.shape[:-1], -1)

    def product(self, x_TI: Tensor, slices: AdapterSlices, added_TO: Tensor | None = None) -> Tensor:
        """y[T, O], with `added_TO` added to it where it is given."""
        y_TO = self._frozen(x_TI, added_TO)
        for adapter, start, end in slices:
            pair = adapter.weights.get(self.name)
            if pair is not None:
                a_RI, b_RO = pair
                y_TO[start:end].addmm_(x_TI[start:end] @ a_RI.t(), b_RO)
        return y_TO


def _joined_bias(linears: Sequence[nn.Linear]) -> Tensor | None:
    """The biases end to end, zeros for a layer without; None where no layer has one."""
    biases: list[Tensor | None] = [linear.bias for linear in linears]
    if all(bias is None for bias in biases):
        return None
    return torch.cat(
        [
            linear.weight.new_zeros(linear.out_features) if bias is None else bias.detach()
            for linear, bias in zip(linears, biases, strict=True)
        ]
    )


def layers_of(model: nn.Module, head: nn.Module | None) -> LinearLayers:
    """Every linear layer but the head, each a product of its own. The head sees only the rows whose logits are wanted,
    so a pass's slices do not fit it: no LoRA there."""
    shapes = {
        name: (module.out_features, module.in_features)
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and module is not head
    }
    return LinearLayers(shapes, {name: (name,) for name in shapes})


def wrap_linears(model: nn.Module) -> list[LoraLinear]:
    """Puts a LoraLinear in the place of every linear layer, and returns them."""
    wrapped: list[LoraLinear] = []
    for name, module in list(model.named_modules()):
        if isinstance(module, nn.Linear):
            parent, _, child = name.rpartition(".")
            wrapped.append(LoraLinear(name, [module]))
            setattr(model.get_submodule(parent), child, wrapped[-1])
    return wrapped
