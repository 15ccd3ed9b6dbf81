"""`python -m apprentice_worker.megatron.launch N ARGUMENTS`: N ranks of trainer.py on this machine, as one group.

What torchrun --standalone does, with two differences. Its store listens on every address of the machine and asks for
no key, while ranks unpickle what they find by it; here they meet in a file that nobody else can open, and gloo speaks
over the loopback interface. And it imports torch for itself before it starts a rank.
Standard input and output are rank 0's. When one rank ends, all do.
"""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from types import FrameType

STORE = "APPRENTICE_RANKS"
"""Names the file in which ranks of one group meet (group.py)."""
LAUNCHER = "APPRENTICE_LAUNCHER"
"""This process's number: ranks end when it is gone (trainer.py), also where it went while they were being imported."""
END_LIMIT_S = 5.0
TRAINER = "apprentice_worker.megatron.trainer"


def main() -> int:
    """The status of the rank that ended first."""
    count, arguments = int(sys.argv[1]), sys.argv[2:]
    signal.signal(signal.SIGTERM, ended_by_signal)
    # Mode 0700.
    with tempfile.TemporaryDirectory(prefix="apprentice-ranks-") as folder:
        ranks: list[subprocess.Popen[bytes]] = []
        try:
            ranks += (start(rank, count, Path(folder), arguments) for rank in range(count))
            return first_to_end(ranks)
        finally:
            end(ranks)


def start(rank: int, count: int, folder: Path, arguments: list[str]) -> "subprocess.Popen[bytes]":
    """One rank, told who it is in torchrun's own variables."""
    local = {"GLOO_SOCKET_IFNAME": "lo", STORE: str(folder / "store"), LAUNCHER: str(os.getpid())}
    numbers = {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(count)}
    return subprocess.Popen(
        [sys.executable, "-m", TRAINER, *arguments],
        env={**os.environ, **local, **numbers},
        stdin=None if rank == 0 else subprocess.DEVNULL,
        stdout=None if rank == 0 else 2,
    )


def first_to_end(ranks: "list[subprocess.Popen[bytes]]") -> int:
    """Waits for it; 0 when it ended well, else 1."""
    pid, status = os.wait()
    for rank in ranks:
        if rank.pid == pid:
            # Waited for behind its back.
            rank.returncode = os.waitstatus_to_exitcode(status)
    return 0 if status == 0 else 1


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
