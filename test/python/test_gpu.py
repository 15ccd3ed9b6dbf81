"""ENGINE-19, ENGINE-20, TRAIN-8, TRAIN-12: what only a CUDA GPU shows of engine and trainers. They
compute there what they compute on a processor."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from engine_commands import request
from test_learner import job, silent, write_batch
from test_megatron import FAMILIES, SAMPLES, save_model
from test_passes import IDS, PIECES, expected, family, write_adapter
from torch import Tensor

from apprentice_worker.batch import Sample
from apprentice_worker.decode_attention import ROUNDINGS, is_right, largest_error
from apprentice_worker.frozen_linear import fast_dtype
from apprentice_worker.json_lines import Message
from apprentice_worker.kv_cache import KvSequence, KvShape
from apprentice_worker.learner import Learner
from apprentice_worker.lora import read_adapter
from apprentice_worker.memory import give_back
from apprentice_worker.packing import make_pack
from apprentice_worker.ragged_model import RaggedModel, Tokens
from apprentice_worker.scheduler import Scheduler

# Each has its like on a processor, in every run: test_passes.py, test_sampling.py, test_drafts.py, test_learner.py,
# test_megatron.py, test_memory.py. What is left for here are the kernels and the memory of a GPU, which nothing stands
# in for.
pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA GPU here")

ROUNDING = {torch.float16: 0.02, torch.bfloat16: 0.1}
"""Of a log-probability of these small models, on average."""


def gpu() -> torch.device:
    """The first one."""
    return torch.device("cuda", 0)


@pytest.mark.parametrize("stored", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", ["llama", "mistral", "mistral with a window", "qwen2", "qwen3"])
def test_a_pass_gives_the_logits_of_transformers_and_peft(tmp_path: Path, name: str, stored: torch.dtype) -> None:
    torch.manual_seed(0)
    folder, adapter_folder = tmp_path / "model", tmp_path / "adapter"
    family(name).to(stored).save_pretrained(folder)
    write_adapter(folder, adapter_folder, "all-linear")
    model = RaggedModel(folder, gpu())
    assert model.kv_shape.dtype == stored
    adapter = read_adapter("a", adapter_folder, model.layers, stored, gpu())
    for used, path in ((None, None), (adapter, adapter_folder)):
        kv, other = KvSequence(model.kv_shape, 4), KvSequence(model.kv_shape, 4)
        logits: list[Tensor] = []
        for first, end in PIECES:
            ids = IDS[first:end]
            beside = Tokens(None if used is not None else adapter, other, ids, [])
            own = Tokens(used, kv, ids, list(range(len(ids))))
            logits.append(model.forward([beside, own]))
        found_TV = torch.cat(logits).float().log_softmax(-1).cpu()
        wrong = (found_TV - expected(folder, path).log_softmax(-1)).abs().mean().item()
        assert wrong < ROUNDING[stored]


@pytest.mark.parametrize("dtype", ROUNDING)
@pytest.mark.parametrize(("heads", "groups", "size", "window"), [(9, 3, 64, None), (4, 2, 8, None), (12, 2, 80, 70)])
def test_requests_attend_together_as_each_would_alone(
    heads: int, groups: int, size: int, window: int | None, dtype: torch.dtype
) -> None:
    shape = KvShape(2, groups, size, dtype, gpu())
    assert largest_error(shape, heads, window) <= ROUNDINGS * torch.finfo(dtype).eps
    assert is_right(shape, heads)


def answers(model: RaggedModel, draft_rows: int) -> list[tuple[list[int], list[float]]]:
    """Greedy and sampled ones, of one request and several together, with their log-probabilities."""
    events: list[Message] = []
    scheduler = Scheduler(model, 8, 1 << 20, events.extend, draft_rows)
    asked: list[dict[str, Any]] = [
        {},
        {"temperature": 1.0, "seed": 7},
        {"temperature": 0.8, "top_p": 0.9, "seed": 8},
        {"temperature": 0.8, "top_k": 5, "seed": 9, "input_ids": [7, 7, 7, 7, 7]},
    ]
    for index, fields in enumerate(asked):
        fields = {"input_ids": IDS * 3, "max_new_tokens": 30, **fields}
        scheduler.submit(request(rid=str(index), return_logprob=True, top_logprobs_num=2, **fields))
    while scheduler.has_work:
        scheduler.step()
    tokens = [event for event in events if event["type"] == "tokens"]
    return [
        (
            [id for event in tokens if event["rid"] == str(index) for id in event["ids"]],
            [value for event in tokens if event["rid"] == str(index) for value in event["logprobs"]],
        )
        for index in range(len(asked))
    ]


def test_answers_are_drawn_there_and_a_seed_gives_the_same_again(tiny_model: Path) -> None:
    model = RaggedModel(tiny_model, gpu())
    once, again, guessed = (answers(model, rows) for rows in (0, 0, 8))
    assert [len(ids) for ids, _ in once] == [30] * 4
    assert [ids for ids, _ in once] == [ids for ids, _ in again]
    assert guessed[0][0][:5] == once[0][0][:5]
    for ids, logprobs in once:
        assert len(logprobs) == len(ids)
        assert max(logprobs) <= 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_run_there_is_that_of_a_processor(tiny_model: Path, tmp_path: Path, dtype: torch.dtype) -> None:
    assert fast_dtype(gpu()) == torch.bfloat16
    first = write_batch(tmp_path / "first", steps=2, role="anchor", samples=3)
    second = write_batch(tmp_path / "second")
    by_cpu = run_both(Learner(tiny_model, torch.device("cpu")), tmp_path / "cpu", first, second)
    by_gpu = run_both(Learner(tiny_model, gpu(), dtype), tmp_path / "gpu", first, second)
    same_metrics(by_gpu, by_cpu, 1e-3 if dtype == torch.float32 else 0.1)
    # Another process goes on from what is on the disk, moments and all, where that one had it in memory.
    onwards = Learner(tiny_model, gpu(), dtype).train(job(tmp_path / "gpu", second, "onwards", "0"), silent)
    same_metrics([onwards], by_gpu[1:], 0.02)


@pytest.fixture(scope="module")
def group() -> Iterator[Any]:
    """A group of one over NCCL."""
    pytest.importorskip("megatron.core", reason="megatron-core has wheels for Linux only")
    from torch import distributed as dist

    from apprentice_worker.megatron.group import Layout, join

    yield join(Layout(), gpu())
    dist.destroy_process_group()


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_megatron_there_is_the_torch_trainer_on_a_processor(
    group: Any, tmp_path: Path, name: str, dtype: torch.dtype
) -> None:
    from apprentice_worker.megatron.learner import MegatronLearner

    save_model(FAMILIES[name], tmp_path / "model")
    first = write_batch(tmp_path / "first", steps=2, role="anchor", samples=3)
    second = write_batch(tmp_path / "second")
    torch_learner = Learner(tmp_path / "model", torch.device("cpu"))
    megatron_learner = MegatronLearner(tmp_path / "model", group, dtype)
    rows = [sum(len(sample) - 1 for sample in SAMPLES[:index]) for index in range(len(SAMPLES))]
    pack = make_pack([Sample(tokens, 1, row, False) for tokens, row in zip(SAMPLES, rows, strict=True)])
    exact_NV = torch_learner._head(torch_learner._predictors(pack)).log_softmax(-1)
    hidden_NH = megatron_learner._predictors(pack)
    assert hidden_NH is not None
    found_NV = torch.nn.functional.linear(hidden_NH, megatron_learner._stage.head_weight).float().log_softmax(-1).cpu()
    wrong = (found_NV[:, : exact_NV.shape[1]] - exact_NV).abs().mean().item()
    assert wrong < (1e-4 if dtype == torch.float32 else ROUNDING[dtype])
    by_torch = run_both(torch_learner, tmp_path / "torch", first, second)
    by_megatron = run_both(megatron_learner, tmp_path / "megatron", first, second)
    same_metrics(by_megatron, by_torch, 1e-3 if dtype == torch.float32 else 0.15)


def test_what_is_freed_is_given_back() -> None:
    big = torch.empty(1 << 28, device=gpu())
    held = torch.cuda.memory_reserved()
    del big
    assert torch.cuda.memory_reserved() == held
    give_back()
    assert torch.cuda.memory_reserved() <= held - (1 << 30)


def run_both(learner: Any, root: Path, first: Path, second: Path) -> list[Any]:
    """Metrics of a run from a fresh adapter, and of one on top of it."""
    root.mkdir()
    return [
        learner.train(job(root, first, "0"), silent),
        learner.train(job(root, second, "1", "0"), silent),
    ]


def same_metrics(found: list[Any], wanted: list[Any], relative: float) -> None:
    for ours, theirs in zip(found, wanted, strict=True):
        assert ours["trainedTokens"] == theirs["trainedTokens"]
        for number in ("loss", "gradNorm"):
            assert ours[number] == pytest.approx(theirs[number], rel=relative), number
