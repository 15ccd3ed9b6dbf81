"""LoRA adapters side by side: PEFT folders read and checked. linear.py applies them.

DoRA, biases and extra trained modules are refused.
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

_KEY = re.compile(r"^base_model\.model\.(?P<module>.+)\.lora_(?P<side>[AB])\.weight$")


class AdapterError(Exception):
    """The folder is not a LoRA adapter that fits this model. The message says what is wrong, and where."""


@dataclass(frozen=True)
class LinearLayers:
    """What an adapter of a model can be made of."""

    # (out, in) of every linear layer of the model, by its name in transformers.
    shapes: dict[str, tuple[int, int]]
    # Products that the engine computes, each of one layer or of several with the same input, outputs end to end.
    products: dict[str, tuple[str, ...]]


@dataclass(frozen=True, eq=False)
class Adapter:
    """`weights`: product of the engine to (A_RI, B_RO), B transposed and with the LoRA scaling folded in. Of a product
    of several layers, R counts the ranks of all, and B is block-diagonal."""

    name: str
    weights: dict[str, tuple[torch.Tensor, torch.Tensor]]


def read_adapter(name: str, folder: Path, layers: LinearLayers, dtype: torch.dtype, device: torch.device) -> Adapter:
    """Reads a PEFT folder. Raises AdapterError."""
    shapes = layers.shapes
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

    pairs: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}
    for module, pair in sides.items():
        a_RI, b_OR = pair.get("A"), pair.get("B")
        out_size, in_size = shapes[module]
        if a_RI is None or b_OR is None or a_RI.shape != (rank, in_size) or b_OR.shape != (out_size, rank):
            found = {side: tuple(tensor.shape) for side, tensor in pair.items()}
            raise AdapterError(
                f"{tensor_file}: {module} needs A {(rank, in_size)} and B {(out_size, rank)}, found {found}"
            )
        pairs[module] = (
            a_RI.to(device, dtype).contiguous(),
            (b_OR.to(device, torch.float32) * scaling).to(dtype).t().contiguous(),
        )
    adapted = {product: of for product, of in layers.products.items() if any(module in pairs for module in of)}
    return Adapter(name, {product: _joined(of, shapes, pairs) for product, of in adapted.items()})


def _joined(
    modules: tuple[str, ...], shapes: dict[str, tuple[int, int]], pairs: dict[str, tuple[torch.Tensor, torch.Tensor]]
) -> tuple[torch.Tensor, torch.Tensor]:
    """The pairs of layers with the same input as one; a layer without a pair gets nothing added."""
    if len(modules) == 1:
        return pairs[modules[0]]
    some_RO = next(pairs[module][1] for module in modules if module in pairs)
    blocks = [pairs[module][1] if module in pairs else some_RO.new_zeros(0, shapes[module][0]) for module in modules]
    return torch.cat([pairs[module][0] for module in modules if module in pairs]), torch.block_diag(*blocks)


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
