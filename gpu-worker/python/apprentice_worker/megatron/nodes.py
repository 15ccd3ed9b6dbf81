"""Where the nodes of one group meet: a folder that all of them see and only their user can read.

torchrun's rendezvous is a server that listens on every address without a key, and ranks unpickle what they find by it.
Here the first node offers a group in the folder, the others take it up, and who may do so the file system says. A group
that has ended is left by a mark in its own folder, so that all nodes leave it within a second, whichever rank died.
"""

import json
import logging
import os
import shutil
import stat
import time
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path

log = logging.getLogger("ranks")

OFFER = "group.json"
LOOK_S = 0.2
WAITING_WORD_S = 60.0


class RendezvousError(Exception):
    """The folder cannot be met in. The message says why."""


@dataclass(frozen=True)
class Offer:
    """A group as its first node wants it. `arguments`: of every rank's trainer."""

    group: str
    ranks: int
    nodes: int
    arguments: list[str]


@dataclass(frozen=True)
class Meeting:
    """One group's own place in the folder."""

    folder: Path
    offer: Offer

    @property
    def store(self) -> Path:
        """The file in which its ranks find one another."""
        return self.folder / self.offer.group / "store"

    def end(self) -> None:
        """Tells the other nodes. A folder that is gone tells it as well."""
        try:
            (self.folder / self.offer.group / "ended").touch()
        except FileNotFoundError:
            return

    @property
    def is_over(self) -> bool:
        """Has a node ended it, or the first one begun another?"""
        current = read(self.folder)
        return (
            current is None
            or current.group != self.offer.group
            or not self.store.parent.is_dir()
            or (self.store.parent / "ended").exists()
        )


def offer(folder: Path, ranks: int, nodes: int, arguments: list[str]) -> Meeting:
    """The first node's part, in the place of what it offered before. What else is in the folder stays: it may be any
    folder that a user has named. Raises RendezvousError, OSError."""
    folder.mkdir(mode=0o700, exist_ok=True)
    require_own(folder)
    earlier = read(folder)
    if earlier is not None:
        shutil.rmtree(folder / earlier.group, ignore_errors=True)
    made = Offer(uuid.uuid4().hex, ranks, nodes, arguments)
    (folder / made.group).mkdir(mode=0o700)
    written = folder / f"{made.group}.json"
    written.write_text(json.dumps(asdict(made)), encoding="utf-8")
    written.replace(folder / OFFER)
    return Meeting(folder, made)


def next_offer(folder: Path, after: str | None) -> Meeting:
    """Another node's part: waits for a group that is not `after` and goes on. It waits as long as nobody offers one,
    which is all that it is there for, and says so every minute. Raises RendezvousError."""
    said = -WAITING_WORD_S
    while True:
        if folder.is_dir():
            require_own(folder)
            found = read(folder)
            if found is not None and found.group != after and not Meeting(folder, found).is_over:
                return Meeting(folder, found)
        if time.monotonic() - said > WAITING_WORD_S:
            said = time.monotonic()
            log.info("waiting for the first node to offer a group in %s", folder)
        time.sleep(LOOK_S)


def read(folder: Path) -> Offer | None:
    """What is offered at present; None where nothing is. Raises RendezvousError for a file that is none of ours."""
    try:
        text = (folder / OFFER).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    try:
        found = Offer(**json.loads(text))
        if uuid.UUID(found.group).hex != found.group:
            raise ValueError(f"{found.group} names no group")
    except (TypeError, ValueError) as error:
        raise RendezvousError(f"{folder / OFFER} is not an offer of a group: {error}") from error
    return found


def require_own(folder: Path) -> None:
    """What stands in the folder is run and unpickled, so nobody else may write there."""
    status = folder.stat()
    if status.st_uid != os.getuid() or stat.S_IMODE(status.st_mode) & 0o077:
        raise RendezvousError(
            f"{folder} has to be this user's own, with mode 0700: whoever can write there can run what they like here"
        )
