"""The ranks of test_megatron.py: `python megatron_ranks.py CASES`, each case a layout and what is done over it.

Importing megatron-core takes seconds, so one process imports it and is forked for each rank of each case. That the
trainer itself starts its ranks is tested where its process is (test/contract).
"""

import json
import os
import socket
import sys
import traceback
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2] / "gpu-worker" / "python"))

import torch
from test_learner import job, silent

from apprentice_worker import head, steps
from apprentice_worker.batch import Sample
from apprentice_worker.megatron import full_folder
from apprentice_worker.megatron import learner as megatron_learner
from apprentice_worker.megatron.full_training import FullTraining
from apprentice_worker.megatron.group import Layout, cut, meet
from apprentice_worker.megatron.learner import MegatronLearner
from apprentice_worker.megatron.vocabulary_head import VocabularyHead
from apprentice_worker.packing import make_pack

LOGIT_ROWS = 2


def logprobs(learner: MegatronLearner, task: dict[str, Any]) -> None:
    """log pi of every token of every sample but its first, to the file `out`."""
    samples: list[list[int]] = task["samples"]
    rows = [sum(len(sample) - 1 for sample in samples[:index]) for index in range(len(samples))]
    pack = make_pack([Sample(tokens, 1, row, False) for tokens, row in zip(samples, rows, strict=True)])
    hidden_NH = learner._predictors(pack)
    if hidden_NH is None or learner._head is None:
        return
    own = torch.tensor([token for sample in samples for token in sample[1:]])[pack.rows_N]
    with torch.no_grad():
        own_N, _ = learner._head.logprobs(hidden_NH, own, own[:, None])
    found_N = torch.empty_like(own_N).index_put_((pack.rows_N,), own_N)
    if learner._group.tensor_rank == 0:
        torch.save(found_N, task["out"])


@contextmanager
def counted_logits() -> Generator[list[int]]:
    """For how many positions logits are computed, one product after the other."""
    rows: list[int] = []
    logits = VocabularyHead._logits

    def counted(self: VocabularyHead, hidden_CD: torch.Tensor) -> torch.Tensor:
        rows.append(hidden_CD.shape[0])
        return logits(self, hidden_CD)

    VocabularyHead._logits = counted
    try:
        yield rows
    finally:
        VocabularyHead._logits = logits


def train(learner: MegatronLearner, task: dict[str, Any]) -> None:
    """Batches in turn, each from what the one before made; metrics to the file `out`."""
    root = Path(task["root"])
    parent: str | None = task["parent"]
    metrics: list[Any] = []
    for number, batch in enumerate(task["batches"]):
        name = f"{task['name']}-{number}"
        with counted_logits() as rows:
            metrics.append(learner.train(job(root, Path(batch), name, parent), silent))
        metrics[-1]["logitRows"] = rows
        metrics[-1]["shares"] = learner._group.everyones(share(learner))
        parent = name
    if learner._group.rank == 0:
        Path(task["out"]).write_text(json.dumps(metrics), encoding="utf-8")


def export(learner: MegatronLearner, task: dict[str, Any]) -> None:
    """The weights as they were read, into the folder `out`."""
    trained = learner._trained
    assert isinstance(trained, FullTraining)
    full_folder.write_weights(trained._placed, Path(task["model"]), Path(task["out"]), "as read", learner._group)


def share(learner: MegatronLearner) -> float:
    """What this rank keeps of AdamW's moments, a share of the elements of its own parameters."""
    trained = learner._trained
    if not isinstance(trained, FullTraining):
        return 1.0
    kept = sum(tensor.numel() for _, kind, tensor in trained._optimizer.state() if kind == "exp_avg")
    return kept / sum(one.parameter.numel() for one in trained._placed)


def rank(case: dict[str, Any]) -> None:
    """One rank's share of a case."""
    # Fewer tokens: more packs, and layers that are computed a second time.
    steps.PACK_TOKENS = megatron_learner.PACK_TOKENS = case["pack_tokens"]
    head.LOGIT_ROWS = LOGIT_ROWS
    group = cut(Layout(**case["layout"]), meet(torch.device("cpu")))
    for task in case["tasks"]:
        weights = task.get("weights", "adapter")
        learner = MegatronLearner(Path(task["model"]), group, getattr(torch, case["dtype"]), weights)
        {"logprobs": logprobs, "train": train, "export": export}[task["kind"]](learner, task)


def run(case: dict[str, Any]) -> bool:
    """Forks the case's ranks and waits for them."""
    world = Layout(**case["layout"]).world
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ranks: list[int] = []
    for number in range(world):
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                os.environ |= {
                    "RANK": str(number),
                    "WORLD_SIZE": str(world),
                    "MASTER_ADDR": "127.0.0.1",
                    "MASTER_PORT": str(port),
                }
                rank(case)
                status = 0
            except Exception:  # noqa: BLE001 (this process's edge)
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(status)
        ranks.append(pid)
    ends = [os.waitpid(pid, 0)[1] for pid in ranks]
    return all(status == 0 for status in ends)


def main() -> int:
    """Status 0 when every rank of every case ended well."""
    torch.set_num_threads(1)
    cases: list[dict[str, Any]] = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    failed = [case["name"] for case in cases if not run(case)]
    if failed:
        sys.stderr.write(f"failed: {', '.join(failed)}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
