"""The engine's passes: what transformers and PEFT compute, for requests of several adapters in one pass, in pieces."""

from pathlib import Path
from typing import Any, cast

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import (
    AutoModelForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedModel,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from apprentice_worker.kv_cache import KvSequence
from apprentice_worker.llama_pass import LlamaPass
from apprentice_worker.lora import Adapter, read_adapter
from apprentice_worker.ragged_model import RaggedModel, Tokens
from apprentice_worker.transformers_pass import TransformersPass

SIZES: dict[str, Any] = {
    "vocab_size": 64,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
}
IDS = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8]
PIECES = [(0, 5), (5, 11), (11, 12)]


def family(name: str) -> PreTrainedModel:
    match name:
        case "llama":
            return LlamaForCausalLM(LlamaConfig(**SIZES))
        case "mistral":
            return MistralForCausalLM(MistralConfig(**SIZES, sliding_window=None))
        case "mistral with a window":
            return MistralForCausalLM(MistralConfig(**SIZES, sliding_window=4))
        case "qwen2":
            model = Qwen2ForCausalLM(Qwen2Config(**SIZES))
            for layer in model.model.layers:
                torch.nn.init.normal_(layer.self_attn.k_proj.bias)
            return model
        case _:
            return Qwen3ForCausalLM(Qwen3Config(**SIZES))


def write_adapter(model: Path, folder: Path, modules: list[str] | str) -> None:
    """An adapter with random weights on the layers named."""
    base = cast(PreTrainedModel, AutoModelForCausalLM.from_pretrained(model))
    config = LoraConfig(r=4, lora_alpha=8, target_modules=modules, init_lora_weights=False, task_type="CAUSAL_LM")
    get_peft_model(base, config).save_pretrained(str(folder))


def expected(model: Path, adapter: Path | None) -> torch.Tensor:
    base: Any = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32, attn_implementation="eager").eval()
    adapted: Any = base if adapter is None else PeftModel.from_pretrained(base, str(adapter)).eval()
    with torch.no_grad():
        return adapted(input_ids=torch.tensor([IDS])).logits[0]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("llama", LlamaPass),
        ("mistral", LlamaPass),
        ("qwen2", LlamaPass),
        ("mistral with a window", TransformersPass),
        ("qwen3", TransformersPass),
    ],
)
def test_a_pass_gives_the_logits_of_transformers_and_peft(tmp_path: Path, name: str, kind: type) -> None:
    torch.manual_seed(0)
    folder = tmp_path / "model"
    family(name).save_pretrained(folder)
    write_adapter(folder, tmp_path / "whole", "all-linear")
    # One of the layers that are one product with others, and one that is alone.
    write_adapter(folder, tmp_path / "part", ["k_proj", "down_proj"])
    model = RaggedModel(folder, torch.device("cpu"))
    assert type(model._pass) is kind
    whole, part = (
        read_adapter(of, tmp_path / of, model.layers, torch.float32, torch.device("cpu")) for of in ("whole", "part")
    )
    adapters: list[Adapter | None] = [None, whole, part]
    caches = [KvSequence(model.kv_shape, len(IDS)) for _ in adapters]
    logits: list[list[torch.Tensor]] = [[] for _ in adapters]
    for first, end in PIECES:
        wanted = list(range(end - first))
        batch = [Tokens(a, kv, IDS[first:end], wanted) for a, kv in zip(adapters, caches, strict=True)]
        for of, some_NV in zip(logits, model.forward(batch).split(end - first), strict=True):
            of.append(some_NV)
    for of, adapter in zip(logits, (None, tmp_path / "whole", tmp_path / "part"), strict=True):
        torch.testing.assert_close(torch.cat(of), expected(folder, adapter), rtol=1e-4, atol=1e-5)
