"""ENGINE-17: what of a stream is told at once, and what is gathered."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from engine_commands import request

from apprentice_worker import event_stream
from apprentice_worker.json_lines import Message
from apprentice_worker.ragged_model import RaggedModel
from apprentice_worker.scheduler import Scheduler

NEW_TOKENS = 5


class Told:
    """A scheduler over a tiny model, and what it has written, write by write."""

    def __init__(self, model: Path) -> None:
        self.writes: list[list[Message]] = []
        self.scheduler = Scheduler(RaggedModel(model, torch.device("cpu")), 2, 1 << 20, self._write)

    def _write(self, events: Sequence[Message]) -> None:
        self.writes.append(list(events))

    def submit(self, rid: str) -> None:
        self.scheduler.submit(request(rid=rid, max_new_tokens=NEW_TOKENS, return_logprob=True, top_logprobs_num=2))

    def kinds(self) -> list[list[str]]:
        return [
            [f"{event['rid']} {event['type']} {len(event.get('ids', []))}" for event in write] for write in self.writes
        ]


@pytest.fixture
def told(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> Told:
    monkeypatch.setattr(event_stream, "GATHER_S", 60.0)
    return Told(tiny_model)


def test_the_first_token_at_once_then_gathered_until_the_end(told: Told) -> None:
    told.submit("a")
    told.submit("b")
    while told.scheduler.has_work:
        told.scheduler.step()
    first = ["a input 0", "a tokens 1", "b input 0", "b tokens 1"]
    rest = ["a tokens 4", "a finish 0", "b tokens 4", "b finish 0"]
    assert [sorted(write) for write in told.kinds()] == [sorted(first), sorted(rest)]
    for rid in ("a", "b"):
        tokens = [e for write in told.writes for e in write if e["type"] == "tokens" and e["rid"] == rid]
        for event in tokens:
            assert len(event["logprobs"]) == len(event["top"]) == len(event["ids"])
    order = [event["type"] for event in told.writes[1] if event["rid"] == "a"]
    assert order == ["tokens", "finish"]


def test_what_waits_is_told_when_paused_and_when_aborted(told: Told) -> None:
    told.submit("a")
    for _ in range(3):
        told.scheduler.step()
    assert told.kinds() == [["a input 0", "a tokens 1"]]
    told.scheduler.pause(True)
    assert told.kinds()[1:] == [["a tokens 2"]]
    told.scheduler.pause(False)
    told.scheduler.step()
    told.scheduler.abort("a")
    assert told.kinds()[2:] == [["a tokens 1", "a finish 0"]]


def test_a_pass_after_the_interval_tells_all(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    told.submit("a")
    for _ in range(3):
        told.scheduler.step()
    monkeypatch.setattr(event_stream, "GATHER_S", 0.0)
    told.scheduler.step()
    assert told.kinds()[1:] == [["a tokens 3"]]
