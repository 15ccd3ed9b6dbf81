"""What the gpu-worker tells the engine, for tests of it."""

from typing import Any

from apprentice_worker.engine_request import Request


def request(**fields: Any) -> Request:
    """A greedy request of the base, but for `fields` of its `submit` command."""
    command: dict[str, Any] = {
        "rid": "r",
        "scope": "",
        "input_ids": [3, 1, 4, 1, 5],
        "max_new_tokens": 2,
        "temperature": 0.0,
        "top_p": 1.0,
        "top_k": -1,
        "stop_token_ids": [],
        "seed": 0,
        "return_logprob": False,
        "logprob_start_len": -1,
        "top_logprobs_num": 0,
    }
    return Request.from_command({**command, **fields}, None)
