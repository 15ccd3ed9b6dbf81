"""What a training run writes: an adapter that PEFT loads, and a state from which it goes on the same way."""

import json
import shutil
from pathlib import Path
from typing import cast

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from apprentice_worker.adapter_io import AdapterMismatch, fingerprint
from apprentice_worker.job import Cancelled, Job, StepRejected, UnknownToken
from apprentice_worker.learner import Learner

TOKENS = [3, 1, 4, 1, 5, 9, 2, 6]
RESPONSE_START = 5


def write_batch(
    folder: Path,
    *,
    ce_weight: float = 1.0,
    token: int = 6,
    rank: int = 4,
    steps: int = 1,
    role: str = "demonstration",
    samples: int = 1,
    learning_rate: float = 0.01,
) -> Path:
    """Rows of three tokens, the last of them `token`; prompts differ in their first token."""
    rows = samples * (len(TOKENS) - RESPONSE_START)
    tokens = [one for sample in range(samples) for one in (TOKENS[0] + sample, *TOKENS[1:-1], token)]
    own = [one for _ in range(samples) for one in (*TOKENS[RESPONSE_START:-1], token)]
    unknown_R = torch.full((rows,), torch.nan)
    folder.mkdir()
    save_file(
        {
            "tokens": torch.tensor(tokens, dtype=torch.int32),
            "sample_offsets": torch.arange(samples + 1) * len(TOKENS),
            "response_starts": torch.arange(samples) * len(TOKENS) + RESPONSE_START,
            "support_ids": torch.tensor(own, dtype=torch.int32)[:, None],
            "support_logprobs": unknown_R[:, None].clone(),
            "support_advantages": torch.ones(rows, 1),
            "old_logprobs": unknown_R.clone(),
            "behaviour_logprobs": unknown_R.clone(),
            "loss_mask": torch.ones(rows, dtype=torch.uint8),
            "ce_weights": torch.full((rows,), ce_weight),
        },
        folder / "batch.safetensors",
    )
    hyperparameters = {
        "learningRate": learning_rate,
        "steps": steps,
        "loraRank": rank,
        "loraAlpha": 8,
        "weightDecay": 0.0,
        "adamBeta1": 0.9,
        "adamBeta2": 0.999,
        "maxGradNorm": 1.0,
        "clipLow": 0.2,
        "clipHigh": 0.28,
        "seed": 3,
    }
    (folder / "manifest.json").write_text(
        json.dumps({"rows": [{"role": role}] * samples, "hyperparameters": hyperparameters})
    )
    return folder


def job(root: Path, batch: Path, name: str, parent: str | None = None) -> Job:
    """A run that writes `root/name`, from `root/parent`."""
    (root / name).mkdir(exist_ok=True)
    return Job(
        batch=batch,
        parent=root / parent if parent else None,
        optimizer_in=root / f"{parent}.safetensors" if parent else None,
        out=root / name,
        optimizer_out=root / f"{name}.safetensors",
    )


def silent(_phase: str, _fraction: float) -> None:
    """Progress that nobody watches."""


def test_peft_loads_the_adapter_and_gives_the_demonstrated_tokens_more(tiny_model: Path, tmp_path: Path) -> None:
    batch = write_batch(tmp_path / "batch", steps=3)
    Learner(tiny_model, torch.device("cpu")).train(job(tmp_path, batch, "v1"), silent)
    base = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32).eval()
    ids = torch.tensor([TOKENS])
    with torch.no_grad():
        before = -base(input_ids=ids, labels=ids.clone().index_fill(1, torch.arange(5), -100)).loss
        trained = PeftModel.from_pretrained(base, tmp_path / "v1").eval()
        after = -trained(input_ids=ids, labels=ids.clone().index_fill(1, torch.arange(5), -100)).loss
    assert after > before + 0.01
    keys = load_file(tmp_path / "v1" / "adapter_model.safetensors").keys()
    assert len(keys) == 2 * 7 * 2
    assert all(key.startswith("base_model.model.model.layers.") for key in keys)


def test_drift_is_the_divergence_from_the_base_on_anchors_after_each_step(tiny_model: Path, tmp_path: Path) -> None:
    learner = Learner(tiny_model, torch.device("cpu"))
    asked = write_batch(tmp_path / "asked")
    assert learner.train(job(tmp_path, asked, "v0"), silent)["klToBase"] is None
    batch = write_batch(tmp_path / "batch", steps=3, role="anchor")
    metrics = learner.train(job(tmp_path, batch, "v1"), silent)
    steps = cast(list[dict[str, float]], metrics["steps"])
    drifts = [step["klToBase"] for step in steps]
    assert 0 < drifts[0] < drifts[1] < drifts[2] == metrics["klToBase"]
    assert [step["gradNorm"] for step in steps][-1] == metrics["gradNorm"]
    base = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32).eval()
    ids = torch.tensor([TOKENS])
    with torch.no_grad():
        base_LV = base(input_ids=ids).logits[0].log_softmax(dim=-1)
        policy_LV = PeftModel.from_pretrained(base, tmp_path / "v1").eval()(input_ids=ids).logits[0].log_softmax(dim=-1)
    divergence_L = (base_LV.exp() * (base_LV - policy_LV)).sum(dim=-1)
    assert drifts[2] == pytest.approx(divergence_L[RESPONSE_START - 1 : -1].mean().item(), rel=1e-3)


def test_memory_and_disk_lead_to_the_same_version(tiny_model: Path, tmp_path: Path) -> None:
    batch = write_batch(tmp_path / "batch")
    learner = Learner(tiny_model, torch.device("cpu"))
    learner.train(job(tmp_path, batch, "v1"), silent)
    learner.train(job(tmp_path, batch, "v2", "v1"), silent)
    restarted = Learner(tiny_model, torch.device("cpu"))
    restarted.train(job(tmp_path, batch, "again", "v1"), silent)
    assert fingerprint(tmp_path / "again") == fingerprint(tmp_path / "v2")
    moments = load_file(tmp_path / "again.safetensors")
    assert moments["step"] == 2
    # A fork from an earlier version, while memory holds a later one.
    learner.train(job(tmp_path, batch, "fork", "v1"), silent)
    assert fingerprint(tmp_path / "fork") == fingerprint(tmp_path / "v2")


def test_a_run_that_fails_leaves_the_next_one_as_if_it_had_not_been(tiny_model: Path, tmp_path: Path) -> None:
    good = write_batch(tmp_path / "good")
    learner = Learner(tiny_model, torch.device("cpu"))
    learner.train(job(tmp_path, good, "v1"), silent)
    Learner(tiny_model, torch.device("cpu")).train(job(tmp_path, good, "clean", "v1"), silent)

    # A parent that is no adapter of this model, while memory holds v1.
    (tmp_path / "broken").mkdir()
    shutil.copy(tmp_path / "v1" / "adapter_config.json", tmp_path / "broken")
    save_file({"other": torch.zeros(1)}, tmp_path / "broken" / "adapter_model.safetensors")
    with pytest.raises(AdapterMismatch, match="tensors differ"):
        learner.train(job(tmp_path, good, "mismatched", "broken"), silent)
    learner.train(job(tmp_path, good, "v2", "v1"), silent)
    assert fingerprint(tmp_path / "v2") == fingerprint(tmp_path / "clean")

    bad = write_batch(tmp_path / "bad", ce_weight=float("inf"))
    with pytest.raises(StepRejected):
        learner.train(job(tmp_path, bad, "rejected", "v2"), silent)
    assert list((tmp_path / "rejected").iterdir()) == []

    def cancel(phase: str, _fraction: float) -> None:
        if phase == "saving":
            raise Cancelled

    with pytest.raises(Cancelled):
        learner.train(job(tmp_path, good, "cancelled", "v2"), cancel)
    assert list((tmp_path / "cancelled").iterdir()) == []

    learner.train(job(tmp_path, good, "v3", "v2"), silent)
    Learner(tiny_model, torch.device("cpu")).train(job(tmp_path, good, "clean", "v2"), silent)
    assert fingerprint(tmp_path / "v3") == fingerprint(tmp_path / "clean")


def test_what_does_not_fit_the_model_or_the_parent_is_named(tiny_model: Path, tmp_path: Path) -> None:
    learner = Learner(tiny_model, torch.device("cpu"))
    with pytest.raises(UnknownToken, match="outside 0 to 63"):
        learner.train(job(tmp_path, write_batch(tmp_path / "alien", token=64), "x"), silent)
    learner.train(job(tmp_path, write_batch(tmp_path / "batch"), "v1"), silent)
    wider = write_batch(tmp_path / "wider", rank=8)
    with pytest.raises(AdapterMismatch, match="v1 has r 4, the batch asks for 8"):
        learner.train(job(tmp_path, wider, "v2", "v1"), silent)
