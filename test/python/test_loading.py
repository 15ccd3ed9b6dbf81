"""WORKER-PROCESS-2, WORKER-PROCESS-3: what a model is loaded on, and that one that does not fit is refused before."""

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from apprentice_worker import memory
from apprentice_worker.device import NoSuchDevice, device_named
from apprentice_worker.learner import Learner
from apprentice_worker.ragged_model import RaggedModel

CPU = torch.device("cpu")


def test_parameters_are_counted_without_loading_them(tiny_model: Path) -> None:
    loaded = AutoModelForCausalLM.from_pretrained(tiny_model)
    assert memory.parameter_count(tiny_model) == sum(p.numel() for p in loaded.parameters())


@pytest.mark.parametrize("load", [RaggedModel, Learner])
def test_engine_and_trainer_refuse_a_model_that_does_not_fit(
    load: type, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "free_bytes", lambda _device: 400_000_000)
    with pytest.raises(memory.NotEnoughMemory, match=r"model takes 0\.5 GB on cpu .* 0\.4 GB are free"):
        load(tiny_model, CPU)


def test_a_containers_limit_counts_with_its_page_cache_as_free(tmp_path: Path) -> None:
    assert memory.cgroup_free_bytes(tmp_path / "none") == float("inf")
    (tmp_path / "memory.current").write_text("700\n")
    (tmp_path / "memory.stat").write_text("anon 300\ninactive_file 400\n")
    (tmp_path / "memory.max").write_text("1000\n")
    assert memory.cgroup_free_bytes(tmp_path) == 700
    (tmp_path / "memory.max").write_text("max\n")
    assert memory.cgroup_free_bytes(tmp_path) == float("inf")
    assert 0 < memory.free_bytes(CPU) < 1e15


def test_a_device_is_named_or_found() -> None:
    """WORKER-PROCESS-3"""
    assert device_named("cpu") == CPU
    assert device_named("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    with pytest.raises(NoSuchDevice, match="cuda:99"):
        device_named("cuda:99")
