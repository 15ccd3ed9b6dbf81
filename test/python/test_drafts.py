"""ENGINE-16: guessed tokens change how many passes an answer takes, and of the answer its rounding alone."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from engine_commands import request

from apprentice_worker.drafts import LONGEST_DRAFT, Drafts
from apprentice_worker.json_lines import Message
from apprentice_worker.ragged_model import RaggedModel, Tokens
from apprentice_worker.scheduler import Scheduler

PROMPT = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5] * 3


class Counted(RaggedModel):
    """A model that counts its passes."""

    passes = 0

    def forward(self, batch: list[Tokens]) -> torch.Tensor:
        self.passes += 1
        return super().forward(batch)


def answers(model: Path, draft_rows: int, requests: Sequence[dict[str, Any]]) -> tuple[list[dict[str, Any]], int]:
    """What becomes of requests that run together, and in how many passes."""
    counted = Counted(model, torch.device("cpu"))
    counted.passes = 0
    events: list[Message] = []
    scheduler = Scheduler(counted, 4, 1 << 20, events.extend, draft_rows)
    for index, request_fields in enumerate(requests):
        fields = {"input_ids": PROMPT, "max_new_tokens": 40, "seed": 5, **request_fields}
        scheduler.submit(request(rid=str(index), return_logprob=True, top_logprobs_num=2, **fields))
    while scheduler.has_work:
        scheduler.step()
    told: list[dict[str, Any]] = []
    for index in range(len(requests)):
        own = [event for event in events if event["rid"] == str(index)]
        tokens = [event for event in own if event["type"] == "tokens"]
        told.append(
            {
                "ids": [id for event in tokens for id in event["ids"]],
                "logprobs": [value for event in tokens for value in event["logprobs"]],
                "finish": [(event["reason"], event["matched"]) for event in own if event["type"] == "finish"],
            }
        )
    return told, counted.passes


@pytest.mark.parametrize(
    "requests",
    [
        [{}],
        # Sharp enough for some guesses to be right, and some not.
        [{"temperature": 0.01}],
        [{"temperature": 0.01, "top_p": 0.9, "seed": 3}, {"max_new_tokens": 7}, {"input_ids": [7, 7, 7, 7, 7]}],
    ],
    ids=["greedy", "sampled", "several"],
)
def test_an_answer_is_the_same_with_and_without(tiny_model: Path, requests: list[dict[str, Any]]) -> None:
    plain, passes = answers(tiny_model, 0, requests)
    drafted, fewer = answers(tiny_model, 8, requests)
    assert fewer < passes
    for one, other in zip(plain, drafted, strict=True):
        assert (one["ids"], one["finish"]) == (other["ids"], other["finish"])
        assert one["logprobs"] == pytest.approx(other["logprobs"], abs=1e-4)


def test_it_ends_at_a_stop_token_in_the_midst_of_what_was_guessed(tiny_model: Path) -> None:
    [whole], _ = answers(tiny_model, 0, [{}])
    ids: list[int] = whole["ids"]
    for stop in dict.fromkeys(ids):
        [ended], _ = answers(tiny_model, 8, [{"stop_token_ids": [stop]}])
        assert ended["ids"] == ids[: ids.index(stop) + 1]
        assert ended["finish"] == [("stop", stop)]


def test_what_followed_the_last_tokens_before_is_the_guess() -> None:
    drafts = Drafts([1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3])
    assert drafts.next(8) == [4, 5, 6]
    assert drafts.next(2) == [4, 5]
    drafts.append(8)
    assert drafts.next(8) == []


def test_right_guesses_grow_and_wrong_ones_are_rested_from() -> None:
    drafts = Drafts([*range(1, 20), 1, 2, 3])
    drafts.judge(3, 3)
    assert len(drafts.next(16)) == LONGEST_DRAFT
    rests: list[int] = []
    for _ in range(7):
        drafts.judge(3, 0)
        rest = 0
        while not drafts.next(3):
            rest += 1
        rests.append(rest)
    assert rests == [2, 4, 8, 16, 32, 32, 32]
