"""LoRA adapters side by side: PEFT folders read and checked, and the linear layer that applies them by row.

Rows of a batch are ordered by adapter, so each adapter's rows are one slice. Base rows are never touched, so what
they compute does not depend on which adapters are loaded. DoRA, biases and extra trained modules are refused.
"""

import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from .step import current_step

_KEY = re.compile(r"^base_model\.model\.(?P<module>.+)\.lora_(?P<side>[AB])\.weight$")


class AdapterError(Exception):
    """The folder is not a LoRA adapter that fits this model. The message says what is wrong, and where."""


@dataclass(frozen=True, eq=False)
class Adapter:
    """`weights`: module name to (A_RI, B_RO), B transposed and with the LoRA scaling folded in."""

    name: str
    weights: dict[str, tuple[torch.Tensor, torch.Tensor]]


def read_adapter(
    name: str, folder: Path, shapes: dict[str, tuple[int, int]], dtype: torch.dtype, device: torch.device
) -> Adapter:
    """Reads a PEFT folder. `shapes`: (out, in) of every linear layer. Raises AdapterError."""
    config_file, tensor_file = folder / "adapter_config.json", folder / "adapter_model.safetensors"
    for file in (config_file, tensor_file):
        if not file.is_file():
            raise AdapterError(f"{file} is missing")
    try:
        config: object = json.loads(config_file.read_text("utf-8"))
        tensors = load_file(tensor_file)
    except (ValueError, OSError, SafetensorError) as error:
        raise AdapterError(f"{folder} cannot be read: {error}") from error
    if not isinstance(config, dict):
        raise AdapterError(f"{config_file} is not a JSON object")
    rank, scaling = _scaling(config_file, cast(dict[str, object], config))

    sides: dict[str, dict[str, torch.Tensor]] = {}
    for key, tensor in tensors.items():
        match = _KEY.match(key)
        if match is None or match["module"] not in shapes:
            raise AdapterError(f"{tensor_file}: no linear layer of this model for {key}")
        if not torch.isfinite(tensor).all():
            raise AdapterError(f"{tensor_file}: {key} holds NaN or infinity")
        sides.setdefault(match["module"], {})[match["side"]] = tensor
    if not sides:
        raise AdapterError(f"{tensor_file} holds no tensors")

    weights: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}
    for module, pair in sides.items():
        a_RI, b_OR = pair.get("A"), pair.get("B")
        out_size, in_size = shapes[module]
        if a_RI is None or b_OR is None or a_RI.shape != (rank, in_size) or b_OR.shape != (out_size, rank):
            found = {side: tuple(tensor.shape) for side, tensor in pair.items()}
            raise AdapterError(
                f"{tensor_file}: {module} needs A {(rank, in_size)} and B {(out_size, rank)}, found {found}"
            )
        weights[module] = (
            a_RI.to(device, dtype).contiguous(),
            (b_OR.to(device, torch.float32) * scaling).to(dtype).t().contiguous(),
        )
    return Adapter(name, weights)


def _scaling(file: Path, config: dict[str, object]) -> tuple[int, float]:
    """Rank, and alpha / r (alpha / sqrt(r) for rsLoRA, arXiv:2312.03732)."""
    rank, alpha = config.get("r"), config.get("lora_alpha")
    if config.get("peft_type") != "LORA" or not isinstance(rank, int) or not isinstance(alpha, int | float) or rank < 1:
        raise AdapterError(f"{file}: not a LoRA configuration with r and lora_alpha")
    unsupported = [key for key in ("use_dora", "modules_to_save", "rank_pattern", "alpha_pattern") if config.get(key)]
    if config.get("bias", "none") != "none":
        unsupported.append("bias")
    if unsupported:
        raise AdapterError(f"{file}: {', '.join(unsupported)} is not supported by the embedded engine")
    return rank, alpha / (math.sqrt(rank) if config.get("use_rslora") else rank)


class LoraLinear(nn.Module):
    """A frozen linear layer plus, for the rows of each adapter, x A^T B^T.

    In fp32 on a CPU the weight is kept in oneDNN's packed layout and the plain one is given up: measured 1.2 times
    as fast for one row and 2 to 4 times for 4 to 8 rows, which is what decoding several requests at once consists of.
    """

    def __init__(self, name: str, linear: nn.Linear) -> None:
        super().__init__()
        self.name = name
        self.in_features = linear.in_features
        self.out_features = linear.out_features
        weight_OI = linear.weight.detach()
        bias_O = cast(torch.Tensor | None, linear.bias)
        self._bias_O = None if bias_O is None else bias_O.detach()
        self._packed = (
            weight_OI.device.type == "cpu" and weight_OI.dtype == torch.float32 and torch.backends.mkldnn.is_available()
        )
        self._weight = torch.ops.mkldnn._reorder_linear_weight(weight_OI) if self._packed else weight_OI

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x[..., I] to y[..., O]; rows are counted along the flattened leading dimensions."""
        if self._packed:
            y = torch.ops.mkldnn._linear_pointwise(x, self._weight, self._bias_O, "none", [], "")
        else:
            y = nn.functional.linear(x, self._weight, self._bias_O)
        for adapter, start, end in current_step().adapter_slices:
            pair = adapter.weights.get(self.name)
            if pair is not None:
                a_RI, b_RO = pair
                x_NI = x.view(-1, self.in_features)[start:end]
                y.view(-1, self.out_features)[start:end].addmm_(x_NI @ a_RI.t(), b_RO)
        return y


def wrap_linears(model: nn.Module) -> dict[str, tuple[int, int]]:
    """Replaces every nn.Linear in place; returns (out, in) by module name."""
    shapes: dict[str, tuple[int, int]] = {}
    for name, module in list(model.named_modules()):
        if isinstance(module, nn.Linear):
            parent, _, child = name.rpartition(".")
            setattr(model.get_submodule(parent), child, LoraLinear(name, module))
            shapes[name] = (module.out_features, module.in_features)
    return shapes
