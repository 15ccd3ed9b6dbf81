"""LoRA adapters and AdamW moments between memory and disk, in formats that others read too.

Adapters are Hugging Face PEFT folders; moments are one safetensors file, `<parameter>.exp_avg` and
`<parameter>.exp_avg_sq` with a scalar `step`. Which version a folder is, and when it counts, is TypeScript's.
"""

import hashlib
import json
from collections.abc import Set
from pathlib import Path
from typing import Any, cast

import torch
from peft import LoraConfig, PeftModel, get_peft_model, set_peft_model_state_dict
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import PreTrainedModel

from .batch import Hyperparameters

MOMENTS = ("exp_avg", "exp_avg_sq")
WEIGHTS = "adapter_model.safetensors"
CONFIG = "adapter_config.json"


class AdapterMismatch(Exception):
    """The parent on disk cannot be the start of what the batch asks for."""


def fresh_adapter(base: PreTrainedModel, hyperparameters: Hyperparameters) -> PeftModel:
    """LoRA (B zero, A drawn from the seed: the same on every machine) on the layers that `lora_config` names."""
    torch.manual_seed(hyperparameters.seed)
    return cast(PeftModel, get_peft_model(base, lora_config(hyperparameters, base.config)))


ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")


def has_experts(model_config: Any) -> bool:
    """Is it a mixture of experts? The name differs from family to family."""
    return any(getattr(model_config, name, None) for name in ("num_experts", "num_local_experts", "n_routed_experts"))


def lora_config(hyperparameters: Hyperparameters, model_config: Any) -> LoraConfig:
    """What PEFT is told of an adapter, and what it writes beside the weights.

    Every linear layer but the output head. Of a model with experts attention alone: PEFT would train routers and
    experts too, with ranks of their own, and the engine does not serve such adapters.
    """
    return LoraConfig(
        r=hyperparameters.lora_rank,
        lora_alpha=cast(int, hyperparameters.lora_alpha),
        target_modules=list(ATTENTION) if has_experts(model_config) else "all-linear",
        lora_dropout=0.0,
        bias="none",
        task_type="CAUSAL_LM",
    )


def require_form(folder: Path, hyperparameters: Hyperparameters) -> None:
    """Raises AdapterMismatch unless the folder's adapter has the rank and alpha that the batch asks for."""
    config: dict[str, Any] = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    for field, wanted in (("r", hyperparameters.lora_rank), ("lora_alpha", hyperparameters.lora_alpha)):
        if config[field] != wanted:
            raise AdapterMismatch(f"{folder.name} has {field} {config[field]}, the batch asks for {wanted}")


def load_adapter(model: PeftModel, folder: Path) -> None:
    """Overwrites the adapter's weights with the folder's. Raises AdapterMismatch when their tensors differ."""
    wanted_keys = {file_key(name) for name in trained_parameters(model)}
    set_peft_model_state_dict(model, read_weights(folder, wanted_keys))


def read_weights(folder: Path, wanted_keys: Set[str]) -> dict[str, Tensor]:
    """The folder's tensors under PEFT's names. Raises AdapterMismatch when they are not those wanted."""
    weights = load_file(folder / WEIGHTS)
    if weights.keys() != wanted_keys:
        odd = sorted(weights.keys() ^ wanted_keys)
        raise AdapterMismatch(f"{folder.name} is no adapter of this model: {len(odd)} tensors differ, as {odd[0]}")
    return weights


def save_adapter(model: PeftModel, parameters: dict[str, nn.Parameter], folder: Path) -> None:
    """Writes weights, which are the trained parameters, and configuration into an existing folder."""
    weights = dict(zip(map(file_key, parameters), on_cpu(list(parameters.values())), strict=True))
    write_folder(weights, model.peft_config["default"].to_dict(), folder)


def write_folder(weights: dict[str, Tensor], config: dict[str, Any], folder: Path) -> None:
    """Tensors under PEFT's names, and what PeftConfig.to_dict gives."""
    save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})
    plain = {key: sorted(value) if isinstance(value, set) else value for key, value in config.items()}
    (folder / CONFIG).write_text(json.dumps(plain, indent=2, sort_keys=True), encoding="utf-8")


def file_key(name: str) -> str:
    """A parameter's name in a PEFT folder, which says nothing of which adapter it is."""
    return name.replace(".default.", ".")


def on_cpu(tensors: list[Tensor]) -> list[Tensor]:
    """Copies, each with its own memory. From a GPU all come in one go: it has to be waited for at each."""
    if not tensors or tensors[0].device.type == "cpu":
        return [tensor.detach().clone(memory_format=torch.contiguous_format) for tensor in tensors]
    flat = torch.cat([tensor.detach().flatten() for tensor in tensors]).cpu()
    parts = flat.split([tensor.numel() for tensor in tensors])
    return [part.view(tensor.shape).clone() for part, tensor in zip(parts, tensors, strict=True)]


def trained_parameters(model: PeftModel) -> dict[str, nn.Parameter]:
    """The adapter's parameters by name, in the model's order."""
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


def save_moments(optimizer: torch.optim.AdamW, parameters: dict[str, nn.Parameter], file: Path) -> None:
    """Writes AdamW's state after at least one step."""
    states = {name: optimizer.state[parameter] for name, parameter in parameters.items()}
    named = {f"{name}.{moment}": state[moment] for name, state in states.items() for moment in MOMENTS}
    tensors = dict(zip(named, on_cpu(list(named.values())), strict=True))
    save_file({**tensors, "step": next(iter(states.values()))["step"].cpu()}, file)


def load_moments(optimizer: torch.optim.AdamW, parameters: dict[str, nn.Parameter], file: Path) -> None:
    """Sets AdamW's state. Raises AdapterMismatch when the file belongs to other parameters."""
    tensors = load_file(file)
    for name, parameter in parameters.items():
        moments = (tensors.get(f"{name}.exp_avg"), tensors.get(f"{name}.exp_avg_sq"))
        if any(moment is None or moment.shape != parameter.shape for moment in moments):
            raise AdapterMismatch(f"{file.name} holds no moments for {name}")
        optimizer.state[parameter] = {
            # On the parameter's device too: that is where the fused AdamW counts.
            "step": tensors["step"].to(parameter.device, copy=True),
            "exp_avg": cast(Tensor, moments[0]).to(parameter.device),
            "exp_avg_sq": cast(Tensor, moments[1]).to(parameter.device),
        }


def fingerprint(folder: Path) -> str:
    """Hex sha256 of the folder's weights."""
    return hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()


def is_same(held: str | None, folder: Path | None) -> bool:
    """Is what a learner holds (its fingerprint) the adapter in that folder? None, on either side, is none."""
    return held is not None and folder is not None and held == fingerprint(folder)
