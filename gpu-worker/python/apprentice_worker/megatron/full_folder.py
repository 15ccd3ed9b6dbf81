"""A version with all weights: a Hugging Face folder, as the base's is, and the optimizer's state beside it.

Every rank writes its pieces, which torch.distributed.checkpoint puts together into files cut as the base's are. The
state is under the folder's names too, so that a run over another layout goes on from it.
"""

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor
from torch.distributed.checkpoint.filesystem import FileSystemWriter
from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageWriter

from . import distributed_files
from .distributed_files import Part
from .group import Group
from .sharded_adamw import ShardedAdamW
from .weights import INDEX, Folder, Piece, Placed

PIECES = "sharded"
"""Where HuggingFaceStorageWriter leaves the ranks' files."""
STEPS = "step"
NAME = "apprentice_weights"
BESIDE = (".json", ".jinja", ".model", ".txt")
"""Endings of what makes a folder of weights a model: configuration, tokenizer, chat template."""


def write_weights(placed: list[Placed], base: Path, out: Path, name: str, group: Group) -> None:
    """Into an existing folder, all ranks at once; `name` is what `name_of` finds there. Raises OSError on all."""
    parts = [part(piece, one.parameter.detach()) for one in placed for piece in one.pieces if group.copy == 0]
    names = sorted({name for named in group.everyones([part.name for part in parts]) for name in named})
    files = Folder(base).files
    numbers = {file: number for number, file in enumerate(sorted(set(files.values())), start=1)}
    writer = HuggingFaceStorageWriter(
        str(out),
        # A tied head has no tensor of its own, and a base may name it all the same.
        fqn_to_index_mapping={name: numbers.get(files.get(name, ""), 1) for name in names},
        save_distributed=True,
        enable_consolidation=True,
    )
    distributed_files.save(parts, writer)
    dtype = str(placed[0].parameter.dtype).removeprefix("torch.")
    group.together(lambda: finish(base, out, name, dtype) if group.rank == 0 else None)


def finish(base: Path, out: Path, name: str, dtype: str) -> None:
    """What goes with the weights."""
    shutil.rmtree(out / PIECES)
    for file in base.iterdir():
        if file.suffix in BESIDE and file.is_file() and not file.name.endswith(".index.json"):
            shutil.copyfile(file, out / file.name)
    config = json.loads((out / "config.json").read_text(encoding="utf-8"))
    # Older folders have it under the other name.
    config.pop("torch_dtype", None)
    (out / "config.json").write_text(json.dumps({**config, "dtype": dtype}, indent=2) + "\n", encoding="utf-8")
    index = json.loads((out / INDEX).read_text(encoding="utf-8"))
    index["metadata"][NAME] = name
    (out / INDEX).write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")


def name_of(folder: Path) -> str | None:
    """Tells a folder's weights from all others that this trainer wrote; None where it wrote none. They are not read."""
    index = folder / INDEX
    return json.loads(index.read_text(encoding="utf-8"))["metadata"].get(NAME) if index.is_file() else None


def name_after(parent: str, batch: Path, *, with_moments: bool) -> str:
    """Of what a batch makes of a parent: the same for the same."""
    manifest = (batch / "manifest.json").read_bytes()
    return hashlib.sha256(f"{parent} {with_moments} ".encode() + manifest).hexdigest()


def write_state(optimizer: ShardedAdamW, placed: list[Placed], out: Path) -> None:
    """Into a folder that is made, all ranks at once, after at least one step. Raises OSError on all."""
    parts = state_parts(optimizer, placed)
    # Where there are more copies than parameters, some have nothing to tell.
    if parts:
        parts.append(counted(torch.tensor([float(optimizer.steps)])))
    distributed_files.save(parts, FileSystemWriter(out))


def read_state(optimizer: ShardedAdamW, placed: list[Placed], source: Path) -> None:
    """Overwrites the state. Raises AdapterMismatch when it belongs to other parameters, OSError."""
    steps = torch.zeros(1)
    parts = state_parts(optimizer, placed)
    targets = {one.name: torch.empty(one.sizes, dtype=one.dtype) for one in parts}
    wanted = [replace(one, tensor=lambda one=one: targets[one.name]) for one in parts]
    distributed_files.load([*wanted, counted(steps)], source)
    for number, kind, tensor in optimizer.state():
        for piece in placed[number].pieces:
            piece.put(tensor, targets[f"{piece.name}.{kind}"])
    optimizer.steps = int(steps.item())


def state_parts(optimizer: ShardedAdamW, placed: list[Placed]) -> list[Part]:
    """Of what this copy keeps; padding is left out."""
    return [
        part(piece, tensor, f".{kind}") for number, kind, tensor in optimizer.state() for piece in placed[number].pieces
    ]


def counted(steps: Tensor) -> Part:
    """How many steps there were: the same on every rank, and so written once."""
    return Part(STEPS, steps.shape, torch.Size([0]), steps.shape, steps.dtype, lambda: steps)


def part(piece: Piece, tensor: Tensor, ending: str = "") -> Part:
    """A piece of the parameter's shape."""
    return Part(
        piece.name + ending,
        piece.sizes,
        piece.offsets,
        piece.whole,
        tensor.dtype,
        lambda: piece.of(tensor).contiguous(),
    )
