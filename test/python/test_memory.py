"""What is freed goes back to the system."""

import sys

import psutil
import pytest
import torch

from apprentice_worker import memory

BLOCK_BYTES = 100_000
BLOCKS = 2_000


@pytest.mark.skipif(sys.platform != "linux", reason="other C libraries return it by themselves")
def test_what_is_freed_is_given_back() -> None:
    blocks = [torch.ones(BLOCK_BYTES, dtype=torch.uint8) for _ in range(BLOCKS)]
    # What lies above what is freed keeps glibc from returning it.
    last = blocks[-1]
    held = psutil.Process().memory_info().rss
    del blocks
    memory.give_back()
    assert held - psutil.Process().memory_info().rss > 0.8 * BLOCK_BYTES * BLOCKS
    assert last[0] == 1


def test_positions_are_as_many_as_a_quarter_of_the_free_memory_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "free_bytes", lambda _device: 4_000_000.0)  # pyright: ignore[reportUnknownLambdaType]
    assert memory.kept_positions(torch.device("cpu"), 1_000) == 1_000
