"""TRAIN-8: the Megatron trainer beside transformers and beside the torch trainer, over one, two and three ranks."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from test_learner import job, silent, write_batch
from transformers import (
    AutoModelForCausalLM,
    LlamaConfig,
    PreTrainedConfig,
    Qwen2Config,
    Qwen3Config,
    Qwen3MoeConfig,
)

from apprentice_worker.learner import Learner

pytest.importorskip("megatron.core", reason="megatron-core has wheels for Linux only")

LIMIT_S = 600
SIZES: dict[str, Any] = {
    "vocab_size": 64,
    "hidden_size": 48,
    "intermediate_size": 72,
    "num_hidden_layers": 2,
    "num_attention_heads": 6,
    "num_key_value_heads": 3,
    "max_position_embeddings": 128,
}
LLAMA_3_ROPE = {
    "rope_type": "llama3",
    "rope_theta": 10_000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 16,
}
FAMILIES: dict[str, PreTrainedConfig] = {
    "llama": LlamaConfig(**SIZES, tie_word_embeddings=True, rope_parameters=LLAMA_3_ROPE),
    "qwen2": Qwen2Config(**{**SIZES, "vocab_size": 65}),
    "qwen3": Qwen3Config(**SIZES, head_dim=16),
    "qwen3_moe": Qwen3MoeConfig(
        **SIZES, head_dim=8, num_experts=6, num_experts_per_tok=2, moe_intermediate_size=24, norm_topk_prob=True
    ),
    # The second layer is dense, and the chosen experts' weights do not add up to 1.
    "qwen3_moe_mixed": Qwen3MoeConfig(
        **SIZES,
        head_dim=8,
        num_experts=6,
        num_experts_per_tok=2,
        moe_intermediate_size=24,
        norm_topk_prob=False,
        mlp_only_layers=[1],
    ),
}
LAYOUTS: dict[str, dict[str, Any]] = {
    "tp1": {},
    "tp3": {"tensor": 3},
    "tp3-sp": {"tensor": 3, "sequence_parallel": True},
    "pp2": {"pipeline": 2},
    "dp2": {"data": 2},
    "tp3-ep3": {"tensor": 3, "sequence_parallel": True, "expert": 3},
}
BFLOAT16 = "tp3-bf16"
"""As a GPU would compute; here it is the types that are tested."""
RECOMPUTED = ("tp3-sp", "pp2", "dp2")
"""Where every sample is a pack of its own, and longer than is kept for the backward pass."""
TRAINED = ("qwen2", "qwen3_moe_mixed")
OPENING = [7, 3, 60, 22, 5, 9, 33, 41, 2, 8, 17, 29, 50, 12, 6, 11, 44, 19]
SAMPLES = [[*OPENING, 1, 4, 63], [*OPENING, 1, 30, 31, 32, 5], [5, 5, 40, 40, 5], OPENING[:10]]


def layouts_of(family: str) -> list[str]:
    """Experts over several ranks need sequence parallelism; only they can be dealt out whole."""
    moe = family.startswith("qwen3_moe")
    return [name for name in LAYOUTS if name != ("tp3" if moe else "tp3-ep3")]


def save_model(config: PreTrainedConfig, folder: Path) -> None:
    """Random weights of the family, far enough from zero that every one of them counts."""
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config)
    for name, parameter in model.named_parameters():
        torch.nn.init.normal_(parameter, mean=1.0 if "norm" in name else 0.0, std=0.25)
    model.save_pretrained(folder)


def run_ranks(cases: list[dict[str, Any]], root: Path) -> None:
    """Runs the cases in a process of their own, which forks their ranks."""
    plan = root / "cases.json"
    plan.write_text(json.dumps(cases), encoding="utf-8")
    ended = subprocess.run(
        [sys.executable, Path(__file__).with_name("megatron_ranks.py"), plan],
        env={**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"},
        stderr=subprocess.PIPE,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-6000:]


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with what every case wrote: all of them in one process, since importing Megatron takes longest."""
    root = tmp_path_factory.mktemp("megatron")
    for family, config in FAMILIES.items():
        save_model(config, root / family)
    first = write_batch(root / "first", steps=2, role="anchor", samples=3)
    second = write_batch(root / "second")
    for family in TRAINED:
        folder = root / f"{family}-trained"
        folder.mkdir()
        learner = Learner(root / family, torch.device("cpu"), torch.float32)
        metrics = [learner.train(job(folder, first, "torch-0"), silent)]
        metrics.append(learner.train(job(folder, second, "torch-1", "torch-0"), silent))
        (folder / "torch.json").write_text(json.dumps(metrics), encoding="utf-8")
    run_ranks([case(root, layout, first, second) for layout in (*LAYOUTS, BFLOAT16)], root)
    return root


def case(root: Path, layout: str, first: Path, second: Path) -> dict[str, Any]:
    """Logprobs of every family; two steps from a fresh adapter, one from what they made, one from what the torch
    trainer made of the same."""
    tasks: list[dict[str, Any]] = []
    for family in FAMILIES:
        if layout not in (*layouts_of(family), BFLOAT16):
            continue
        model = str(root / family)
        out = str(root / f"{family}-{layout}.pt")
        tasks.append({"kind": "logprobs", "model": model, "samples": SAMPLES, "out": out})
        if family not in TRAINED:
            continue
        folder = root / f"{family}-trained"
        for name, parent, batches in ((layout, None, [first, second]), (f"{layout}-onwards", "torch-0", [second])):
            tasks.append(
                {
                    "kind": "train",
                    "model": model,
                    "root": str(folder),
                    "name": name,
                    "parent": parent,
                    "batches": [str(batch) for batch in batches],
                    "out": str(folder / f"{name}.json"),
                }
            )
    pack_tokens = 5 if layout in RECOMPUTED else 1024
    cut = LAYOUTS["tp3-sp"] if layout == BFLOAT16 else LAYOUTS[layout]
    dtype = "bfloat16" if layout == BFLOAT16 else "float32"
    return {"name": layout, "layout": cut, "dtype": dtype, "pack_tokens": pack_tokens, "tasks": tasks}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_gives_the_logprobs_that_transformers_gives(outcome: Path, family: str) -> None:
    model = AutoModelForCausalLM.from_pretrained(outcome / family, dtype=torch.float32).eval()
    expected: list[torch.Tensor] = []
    for tokens in SAMPLES:
        with torch.no_grad():
            logprobs_LV = model(torch.tensor([tokens])).logits[0].log_softmax(dim=-1)
        expected.append(logprobs_LV[:-1].gather(1, torch.tensor(tokens[1:])[:, None])[:, 0])
    expected_R = torch.cat(expected)
    assert expected_R.std() > 0.5
    for layout in layouts_of(family):
        found_R = torch.load(outcome / f"{family}-{layout}.pt")
        torch.testing.assert_close(found_R, expected_R, rtol=0, atol=1e-4, msg=lambda text, at=layout: f"{at}: {text}")


@pytest.mark.parametrize("family", TRAINED)
def test_a_step_gives_the_adapter_that_the_torch_trainer_gives(outcome: Path, family: str) -> None:
    folder = outcome / f"{family}-trained"
    expected_metrics = json.loads((folder / "torch.json").read_text(encoding="utf-8"))
    for layout in layouts_of(family):
        for made, by_torch in ((f"{layout}-0", 0), (f"{layout}-1", 1), (f"{layout}-onwards-0", 1)):
            same_files(folder / made, folder / f"torch-{by_torch}", f"{layout}: {made}")
        for found, expected in zip(
            json.loads((folder / f"{layout}.json").read_text(encoding="utf-8")), expected_metrics, strict=True
        ):
            assert found["trainedTokens"] == expected["trainedTokens"]
            for number in ("loss", "gradNorm", "logprobFall", "klToBase"):
                if expected[number] is None:
                    assert found[number] is None
                else:
                    assert found[number] == pytest.approx(expected[number], rel=1e-3, abs=1e-6), (layout, number)


@pytest.mark.parametrize("family", TRAINED)
def test_logits_are_computed_for_response_positions_alone_a_few_at_a_time(outcome: Path, family: str) -> None:
    for layout in layouts_of(family):
        if LAYOUTS[layout].keys() & {"pipeline", "data"}:
            continue
        _, second = json.loads((outcome / f"{family}-trained" / f"{layout}.json").read_text(encoding="utf-8"))
        # The step's three positions, then what it did to them; the prompt's four never.
        assert second["logitRows"] == [2, 1, 2, 1], layout


def test_bfloat16_is_fp32_but_for_its_rounding(outcome: Path) -> None:
    for family in FAMILIES:
        exact_R = torch.load(outcome / f"{family}-tp3-sp.pt")
        rounded_R = torch.load(outcome / f"{family}-{BFLOAT16}.pt")
        assert 0 < (rounded_R - exact_R).abs().mean() < 0.1, family
    for family in TRAINED:
        rounded, exact = (
            json.loads((outcome / f"{family}-trained" / f"{name}.json").read_text(encoding="utf-8"))
            for name in (BFLOAT16, "torch")
        )
        for found, expected in zip(rounded, exact, strict=True):
            assert found["loss"] == pytest.approx(expected["loss"], rel=0.05)
            assert found["gradNorm"] == pytest.approx(expected["gradNorm"], rel=0.1)


def adapter_config(folder: Path) -> dict[str, Any]:
    """As PEFT means it: it names a few modules in full and many by their endings, and nothing by None or by []."""
    config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    endings = {name.rsplit(".", 1)[-1] for name in config["target_modules"]}
    return {**config, "target_modules": endings, "target_parameters": config["target_parameters"] or []}


def same_files(found: Path, expected: Path, what: str) -> None:
    """Configuration equal, tensors and moments within 1e-5."""
    assert adapter_config(found) == adapter_config(expected)
    for ours, theirs in (
        (found / "adapter_model.safetensors", expected / "adapter_model.safetensors"),
        (found.with_name(f"{found.name}.safetensors"), expected.with_name(f"{expected.name}.safetensors")),
    ):
        ours_by_name, theirs_by_name = load_file(ours), load_file(theirs)
        assert ours_by_name.keys() == theirs_by_name.keys()
        for name, tensor in theirs_by_name.items():
            torch.testing.assert_close(
                ours_by_name[name], tensor, rtol=0, atol=1e-5, msg=lambda text, name=name: f"{what} {name}: {text}"
            )
