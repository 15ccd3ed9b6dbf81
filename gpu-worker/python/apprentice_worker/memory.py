"""What fits the free memory (a model, asked before it is loaded; what a pass keeps) and what is given back to it. A
system that runs out ends whatever it likes."""

import ctypes
import json
import math
import sys
from pathlib import Path

import psutil
import torch

# Python, torch and transformers (an engine of 135 million parameters, 0.54 GB of them at 4 bytes each, has 0.98 GB to
# itself once it is loaded), and what a pass takes.
RUNTIME_BYTES = 500_000_000
CGROUP = Path("/sys/fs/cgroup")
# Of what is free: what a pass may keep for its backward pass. The rest is for whatever else the machine is there for.
ACTIVATIONS_SHARE = 0.25


class NotEnoughMemory(Exception):
    """Says how much is wanted, how much is free, and what to do."""


def require_memory(folder: Path, device: torch.device, bytes_each: float, ranks: int = 1) -> None:
    """Raises NotEnoughMemory when the model of a Hugging Face folder, of `bytes_each` a parameter, does not fit, cut
    over `ranks` processes of this machine. A folder that cannot be read is for whoever loads it to complain of."""
    weights = parameter_count(folder) * bytes_each
    free = free_bytes(device)
    # On a GPU Python's own memory is elsewhere, and each rank has one to itself.
    wanted = weights + ranks * RUNTIME_BYTES if device.type == "cpu" else weights / ranks
    if wanted > free:
        raise NotEnoughMemory(
            f"{folder.name} takes {gigabytes(wanted)} on {device} ({gigabytes(weights)} of weights), where "
            f"{gigabytes(free)} are free. End other programs, or choose a smaller model."
        )


def parameter_count(folder: Path) -> int:
    """Elements of all tensors in the folder's safetensors files, read off their headers."""
    count = 0
    for path in folder.glob("*.safetensors"):
        with path.open("rb") as file:
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        count += sum(math.prod(tensor["shape"]) for name, tensor in header.items() if name != "__metadata__")
    return count


def kept_positions(device: torch.device, bytes_each: float) -> int:
    """Positions of a pass whose activations, of `bytes_each`, may be kept for its backward pass."""
    return int(free_bytes(device) * ACTIVATIONS_SHARE / bytes_each)


def free_bytes(device: torch.device) -> float:
    """What can be allocated there without swapping."""
    if device.type == "cuda":
        # What torch keeps of what was freed, it gives out again.
        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + kept
    if device.type == "mps":
        return torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
    return min(psutil.virtual_memory().available, cgroup_free_bytes(CGROUP))


def cgroup_free_bytes(group: Path) -> float:
    """What a container's limit leaves, its page cache counted as free; without a limit, infinity.

    Source: Linux, Documentation/admin-guide/cgroup-v2.rst (memory.max, memory.current, memory.stat).
    """
    try:
        limit = (group / "memory.max").read_text().strip()
        used = int((group / "memory.current").read_text())
        stat = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
    except OSError:
        return math.inf
    return math.inf if limit == "max" else int(limit) - used + int(stat.get("inactive_file", 0))


def give_back() -> None:
    """Returns to the system what has been freed, here and on CUDA GPUs. glibc and torch keep it for the next time: some
    GB, after a step on long samples.

    Source: malloc_trim(3). Other C libraries return it by themselves.
    """
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)


def gigabytes(count: float) -> str:
    return f"{count / 1e9:.1f} GB"
