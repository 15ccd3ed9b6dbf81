"""Starts the ranks of one group on this machine: `python -m apprentice_worker.megatron.launch [FLAGS] N ARGUMENTS` is N
ranks of trainer.py in all; with `--nodes K --rendezvous DIR` an equal part of them here and the others on K - 1 more
machines, each of which runs `... launch --rendezvous DIR --node I` and takes up one group after the other (nodes.py).

What torchrun does, with two differences. Its store listens on every address of the machine and asks for no key, while
ranks unpickle what they find by it; here they meet in a file that nobody else can open, and on one machine gloo speaks
over the loopback interface. And it imports torch for itself before it starts a rank.
Standard input and output are rank 0's. When one rank ends, all do.
"""

import argparse
import logging
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import FrameType

from .nodes import LOOK_S, Meeting, RendezvousError, next_offer, offer

log = logging.getLogger("ranks")

STORE = "APPRENTICE_RANKS"
"""Names the file in which ranks of one group meet (group.py)."""
LAUNCHER = "APPRENTICE_LAUNCHER"
"""This process's number: ranks end when it is gone (trainer.py), also where it went while they were being imported."""
END_LIMIT_S = 5.0
TRAINER = "apprentice_worker.megatron.trainer"


def main() -> int:
    """The status of the rank that ended first; a node that is not the first runs until it is ended."""
    parser = argparse.ArgumentParser(prog="apprentice_worker.megatron.launch")
    parser.add_argument("--nodes", type=int, default=1)
    parser.add_argument("--node", type=int, default=0)
    parser.add_argument("--rendezvous", type=Path)
    parser.add_argument("ranks", type=int, nargs="?", default=1)
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    told = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, ended_by_signal)
    try:
        if told.node > 0:
            follow(told.rendezvous, told.node)
        if told.nodes > 1:
            return lead(told.rendezvous, told.ranks, told.nodes, told.arguments)
    except RendezvousError as error:
        sys.exit(str(error))
    # Mode 0700.
    with tempfile.TemporaryDirectory(prefix="apprentice-ranks-") as folder:
        local = {"GLOO_SOCKET_IFNAME": "lo", STORE: str(Path(folder) / "store")}
        return run(range(told.ranks), told.ranks, local, told.arguments, None)


def lead(folder: Path, ranks: int, nodes: int, arguments: list[str]) -> int:
    """The first node: offers a group and runs its part of it."""
    meeting = offer(folder, ranks, nodes, arguments)
    try:
        here = range(ranks // nodes)
        return run(here, ranks, {STORE: str(meeting.store)}, arguments, meeting)
    finally:
        meeting.end()


def follow(folder: Path, node: int) -> None:
    """Another node: takes part in every group that is offered, until it is ended."""
    last: str | None = None
    while True:
        meeting = next_offer(folder, last)
        last, ranks = meeting.offer.group, meeting.offer.ranks
        each = ranks // meeting.offer.nodes
        if node >= meeting.offer.nodes:
            raise RendezvousError(f"the group has {meeting.offer.nodes} nodes, 0 to {meeting.offer.nodes - 1}")
        log.info("node %d has ranks %d to %d of %d", node, node * each, (node + 1) * each - 1, ranks)
        try:
            here = range(node * each, (node + 1) * each)
            run(here, ranks, {STORE: str(meeting.store)}, meeting.offer.arguments, meeting)
        finally:
            meeting.end()


def run(here: range, count: int, local: dict[str, str], arguments: list[str], meeting: Meeting | None) -> int:
    """The ranks of this machine, until one ends or another node has ended the group: 0 when it ended well, else 1."""
    ranks: list[subprocess.Popen[bytes]] = []
    try:
        ranks += (start(rank, rank - here.start, count, local, arguments) for rank in here)
        while True:
            for rank in ranks:
                if rank.poll() is not None:
                    return 0 if rank.returncode == 0 else 1
            if meeting is not None and meeting.is_over:
                return 1
            time.sleep(LOOK_S)
    finally:
        end(ranks)


def start(
    rank: int, local_rank: int, count: int, local: dict[str, str], arguments: list[str]
) -> "subprocess.Popen[bytes]":
    """One rank, told who it is in torchrun's own variables."""
    numbers = {"RANK": str(rank), "LOCAL_RANK": str(local_rank), "WORLD_SIZE": str(count)}
    return subprocess.Popen(
        [sys.executable, "-m", TRAINER, *arguments],
        env={**os.environ, **local, LAUNCHER: str(os.getpid()), **numbers},
        stdin=None if rank == 0 else subprocess.DEVNULL,
        stdout=None if rank == 0 else 2,
    )


def end(ranks: "list[subprocess.Popen[bytes]]") -> None:
    """Ends those that run; one that does not heed it is killed."""
    for rank in ranks:
        if rank.poll() is None:
            rank.terminate()
    for rank in ranks:
        try:
            rank.wait(END_LIMIT_S)
        except subprocess.TimeoutExpired:
            rank.kill()
            rank.wait()


def ended_by_signal(number: int, _frame: FrameType | None) -> None:
    """So that the ranks are ended too."""
    sys.exit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
