"""TRAIN-10, TRAIN-11: all weights trained with Megatron, beside transformers and torch's AdamW, over 1 to 8 ranks."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from test_learner import RESPONSE_START, write_batch
from torch.nn.utils import clip_grad_norm_
from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedConfig, Qwen2Config, Qwen3Config, Qwen3MoeConfig

pytest.importorskip("megatron.core", reason="megatron-core has wheels for Linux only")

from test_megatron import LAYOUTS as ADAPTER_LAYOUTS
from test_megatron import LLAMA_3_ROPE, run_ranks, save_model

SIZES: dict[str, Any] = {
    "vocab_size": 65,
    "hidden_size": 48,
    "intermediate_size": 72,
    "num_hidden_layers": 2,
    "num_attention_heads": 12,
    "num_key_value_heads": 6,
    "max_position_embeddings": 128,
}
EXPERTS: dict[str, Any] = {
    "head_dim": 8,
    "num_experts": 6,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 24,
    "norm_topk_prob": True,
}
FAMILIES: dict[str, PreTrainedConfig] = {
    "llama": LlamaConfig(**SIZES, tie_word_embeddings=True, rope_parameters=LLAMA_3_ROPE),
    "qwen2": Qwen2Config(**SIZES),
    "qwen3": Qwen3Config(**SIZES, head_dim=16),
    # The second layer is dense.
    "qwen3_moe": Qwen3MoeConfig(**SIZES, **EXPERTS, mlp_only_layers=[1]),
}
LAYOUTS: dict[str, dict[str, Any]] = {
    **ADAPTER_LAYOUTS,
    "tp2-pp2-dp2": {"tensor": 2, "sequence_parallel": True, "pipeline": 2, "data": 2},
}
RECOMPUTED = ("tp3-sp", "dp2")
"""Where every sample is longer than is kept for the backward pass, so that layers are computed a second time."""
LEARNING_RATE = 1e-3
BFLOAT16 = "tp3-bf16"


def layouts_of(family: str) -> list[str]:
    """Experts over several ranks need sequence parallelism; only they can be dealt out whole."""
    return [name for name in LAYOUTS if name != ("tp3" if family == "qwen3_moe" else "tp3-ep3")]


def case(root: Path, layout: str, first: Path, second: Path) -> dict[str, Any]:
    """Of every family: the weights as they are, two batches, and the second from what tp1 made of the first."""
    tasks: list[dict[str, Any]] = []
    for family in FAMILIES:
        if layout not in (*layouts_of(family), BFLOAT16):
            continue
        folder = root / f"{family}-trained"
        shared = {"model": str(root / family), "weights": "full", "root": str(folder)}
        out = folder / f"{layout}-export"
        out.mkdir(parents=True)
        tasks.append({**shared, "kind": "export", "out": str(out)})
        own = f"{layout}-0" if layout == BFLOAT16 else "tp1-0"
        for name, parent, batches in ((layout, None, [first, second]), (f"{layout}-onwards", own, [second])):
            metrics = str(folder / f"{name}.json")
            plan = {"name": name, "parent": parent, "batches": [str(batch) for batch in batches], "out": metrics}
            tasks.append({**shared, "kind": "train", **plan})
    return {
        "name": layout,
        "layout": LAYOUTS["tp3-sp"] if layout == BFLOAT16 else LAYOUTS[layout],
        "dtype": "bfloat16" if layout == BFLOAT16 else "float32",
        "pack_tokens": 5 if layout in RECOMPUTED else 1024,
        "tasks": tasks,
    }


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with what every case wrote."""
    root = tmp_path_factory.mktemp("full")
    for family, config in FAMILIES.items():
        save_model(config, root / family)
        (root / family / "tokenizer_config.json").write_text("{}", encoding="utf-8")
    first = write_batch(root / "first", samples=3, learning_rate=LEARNING_RATE)
    second = write_batch(root / "second", token=9, samples=2, learning_rate=LEARNING_RATE)
    run_ranks([case(root, layout, first, second) for layout in (*LAYOUTS, BFLOAT16)], root)
    return root


def weights(folder: Path) -> dict[str, torch.Tensor]:
    """Every tensor of a Hugging Face folder."""
    return {name: tensor for file in folder.glob("*.safetensors") for name, tensor in load_file(file).items()}


def reference(model_folder: Path, batches: list[Path]) -> list[dict[str, torch.Tensor]]:
    """What torch's AdamW makes of the whole model, one step a batch. At rho = 1 a support of the own token with an
    advantage of 1 asks for what the demonstration asks for: -log pi, twice."""
    model = AutoModelForCausalLM.from_pretrained(model_folder, dtype=torch.float32).eval()
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, betas=(0.9, 0.999), weight_decay=0.0)
    made: list[dict[str, torch.Tensor]] = []
    for batch in batches:
        tensors = load_file(batch / "batch.safetensors")
        samples = tensors["tokens"].long().tensor_split(tensors["sample_offsets"][1:-1])
        loss = torch.zeros(())
        for tokens in samples:
            logprobs_LV = model(tokens[None]).logits[0].log_softmax(dim=-1)
            own_R = logprobs_LV[:-1].gather(1, tokens[1:, None])[RESPONSE_START - 1 :, 0]
            loss = loss - 2 * own_R.mean() / len(samples)
        loss.backward()
        for parameter in model.parameters():
            # An expert that nobody chose: torch would leave it out, and its moments as they are.
            parameter.grad = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        made.append({name: tensor.clone() for name, tensor in model.state_dict().items()})
    return made


@pytest.mark.parametrize("family", FAMILIES)
def test_weights_that_are_read_are_written_the_same(outcome: Path, family: str) -> None:
    expected = weights(outcome / family)
    for layout in layouts_of(family):
        folder = outcome / f"{family}-trained" / f"{layout}-export"
        found = weights(folder)
        assert found.keys() == expected.keys(), layout
        assert all(torch.equal(found[name], tensor) for name, tensor in expected.items()), layout
        assert {"config.json", "generation_config.json", "tokenizer_config.json"} < {
            one.name for one in folder.iterdir()
        }
        assert not (folder / "sharded").exists()


@pytest.mark.parametrize("family", FAMILIES)
def test_a_step_gives_the_weights_that_torch_gives(outcome: Path, family: str) -> None:
    start = AutoModelForCausalLM.from_pretrained(outcome / family).state_dict()
    expected = reference(outcome / family, [outcome / "first", outcome / "second"])
    for layout in layouts_of(family):
        for number, wanted in enumerate(expected):
            for made in [f"{layout}-{number}", *([f"{layout}-onwards-0"] if number == 1 else [])]:
                found = AutoModelForCausalLM.from_pretrained(outcome / f"{family}-trained" / made).state_dict()
                assert found.keys() == wanted.keys()
                for name, tensor in wanted.items():
                    torch.testing.assert_close(
                        found[name], tensor, rtol=0, atol=1e-5, msg=lambda text, at=(made, name): f"{at}: {text}"
                    )
    moved = [name for name, tensor in start.items() if not torch.equal(tensor, expected[0][name])]
    assert len(moved) > 0.8 * len(start)


def test_the_copies_share_out_the_moments(outcome: Path) -> None:
    for family in FAMILIES:
        for layout in layouts_of(family):
            (first, _) = json.loads((outcome / f"{family}-trained" / f"{layout}.json").read_text(encoding="utf-8"))
            copies = LAYOUTS[layout].get("data", 1)
            assert first["shares"] == pytest.approx([1 / copies] * len(first["shares"]), abs=0.1), (family, layout)


def test_bfloat16_goes_on_from_its_float32_masters(outcome: Path) -> None:
    for family in FAMILIES:
        folder = outcome / f"{family}-trained"
        at_once, resumed = weights(folder / f"{BFLOAT16}-1"), weights(folder / f"{BFLOAT16}-onwards-0")
        assert all(torch.equal(tensor, resumed[name]) for name, tensor in at_once.items()), family
        assert all(tensor.dtype == torch.bfloat16 for tensor in at_once.values())
        assert json.loads((folder / f"{BFLOAT16}-1" / "config.json").read_text(encoding="utf-8"))["dtype"] == "bfloat16"
        exact, rounded = (
            json.loads((folder / f"{layout}.json").read_text(encoding="utf-8")) for layout in ("tp3-sp", BFLOAT16)
        )
        for found, expected in zip(rounded, exact, strict=True):
            assert found["loss"] == pytest.approx(expected["loss"], rel=0.15)
