"""Where nodes of a Megatron group meet: whose folder it has to be, and when a group is over for all of them."""

import json
from pathlib import Path

import pytest

pytest.importorskip("megatron.core", reason="megatron-core has wheels for Linux only")

from apprentice_worker.megatron.nodes import OFFER, RendezvousError, next_offer, offer

ARGUMENTS = ["--model", "/models/some"]


def test_another_node_takes_up_what_the_first_offers_and_hears_when_it_is_over(tmp_path: Path) -> None:
    folder = tmp_path / "ranks"
    first = offer(folder, 4, 2, ARGUMENTS)
    other = next_offer(folder, None)
    assert other == first
    assert (other.offer.ranks, other.offer.nodes, other.offer.arguments) == (4, 2, ARGUMENTS)
    assert not first.is_over
    other.end()
    assert first.is_over
    second = offer(folder, 4, 2, ARGUMENTS)
    assert next_offer(folder, first.offer.group) == second
    assert first.is_over
    assert not second.is_over
    assert not first.store.parent.exists()
    assert second.store.parent.is_dir()
    # A node that was away hears of the end of a group that is gone.
    first.end()
    assert not second.is_over


def test_what_else_is_in_the_folder_stays(tmp_path: Path) -> None:
    folder = tmp_path / "ranks"
    folder.mkdir(mode=0o700)
    (folder / "thesis").mkdir()
    (folder / "thesis" / "chapter.txt").write_text("years of work", encoding="utf-8")
    for _ in range(2):
        offer(folder, 2, 2, ARGUMENTS)
    assert (folder / "thesis" / "chapter.txt").is_file()


def test_a_folder_that_others_can_read_or_write_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "ranks"
    folder.mkdir(mode=0o700)
    folder.chmod(0o770)
    with pytest.raises(RendezvousError, match="0700"):
        offer(folder, 2, 2, ARGUMENTS)
    with pytest.raises(RendezvousError, match="0700"):
        next_offer(folder, None)


@pytest.mark.parametrize("text", ["{", "[]", '{"group": "../x", "ranks": 2, "nodes": 2, "arguments": []}', "{}"])
def test_what_is_no_offer_is_refused(tmp_path: Path, text: str) -> None:
    folder = tmp_path / "ranks"
    offer(folder, 2, 2, ARGUMENTS)
    (folder / OFFER).write_text(text if text == "{" else json.dumps(json.loads(text)), encoding="utf-8")
    with pytest.raises(RendezvousError, match="not an offer"):
        next_offer(folder, None)
