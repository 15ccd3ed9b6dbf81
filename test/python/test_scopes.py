"""USERS-4: requests of several users in one engine: what is cached serves its own user, and nobody takes all places."""

from pathlib import Path

import pytest
import torch
from engine_commands import request

from apprentice_worker.json_lines import Message
from apprentice_worker.ragged_model import RaggedModel
from apprentice_worker.scheduler import Scheduler

PROMPT = [3, 1, 4, 1, 5, 9, 2, 6]


class Served:
    """A scheduler, and what it has sent."""

    def __init__(self, model: Path, max_running: int = 1) -> None:
        self.sent: list[Message] = []
        ragged = RaggedModel(model, torch.device("cpu"))
        self.scheduler = Scheduler(ragged, max_running, 1 << 20, self.sent.extend)

    def submit(self, rid: str, scope: str, ids: list[int], new_tokens: int = 2) -> None:
        self.scheduler.submit(request(rid=rid, scope=scope, input_ids=ids, max_new_tokens=new_tokens))

    def run(self) -> None:
        while self.scheduler.has_work:
            self.scheduler.step()

    def cached(self, rid: str) -> int:
        return next(int(one["cached_tokens"]) for one in self.sent if one["type"] == "input" and one["rid"] == rid)

    def tokens(self, rid: str) -> list[int]:
        return [id for one in self.sent if one["type"] == "tokens" and one["rid"] == rid for id in one["ids"]]


@pytest.fixture
def served(tiny_model: Path) -> Served:
    return Served(tiny_model)


def test_a_prefix_serves_its_own_user_alone(served: Served) -> None:
    for rid, scope in [("a1", "anna"), ("b1", "ben"), ("a2", "anna"), ("b2", "ben")]:
        served.submit(rid, scope, PROMPT)
        served.run()
    assert [served.cached(rid) for rid in ("a1", "b1", "a2", "b2")] == [0, 0, len(PROMPT) - 1, len(PROMPT) - 1]
    assert served.tokens("a1") == served.tokens("b1") == served.tokens("b2")


def test_nor_does_the_prefix_of_a_running_request(tiny_model: Path) -> None:
    served = Served(tiny_model, max_running=3)
    served.submit("a1", "anna", PROMPT, new_tokens=8)
    served.scheduler.step()
    served.submit("b1", "ben", PROMPT)
    served.submit("a2", "anna", PROMPT)
    served.run()
    assert (served.cached("b1"), served.cached("a2")) == (0, len(PROMPT) - 1)


def test_what_a_user_left_in_the_cache_is_forgotten_and_others_keep_theirs(served: Served) -> None:
    for rid, scope in [("a1", "anna"), ("b1", "ben")]:
        served.submit(rid, scope, PROMPT)
    served.run()
    served.scheduler.forget_scope("anna")
    for rid, scope in [("a2", "anna"), ("b2", "ben")]:
        served.submit(rid, scope, PROMPT)
    served.run()
    assert (served.cached("a2"), served.cached("b2")) == (0, len(PROMPT) - 1)


def test_who_sends_many_requests_waits_behind_themselves(tiny_model: Path) -> None:
    served = Served(tiny_model, max_running=2)
    for index in range(4):
        served.submit(f"a{index}", "anna", [*PROMPT, index])
    served.submit("b0", "ben", PROMPT)
    served.run()
    finished = [one["rid"] for one in served.sent if one["type"] == "finish"]
    # The one place goes to anna, as she is first, and the other to ben.
    assert set(finished[:2]) == {"a0", "b0"}
    assert finished[2:] == ["a1", "a2", "a3"]
