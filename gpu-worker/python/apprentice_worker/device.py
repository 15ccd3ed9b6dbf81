"""What engine and trainer compute on."""

import torch


class NoSuchDevice(Exception):
    """Says which device is not there, and why."""


def device_named(name: str) -> torch.device:
    """torch's device of that name; `auto`: the first CUDA GPU where there is one, else the processor. Apple's GPUs are
    taken by name alone (`mps`). Raises NoSuchDevice."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        return torch.empty(0, device=name).device
    # torch says with an AssertionError that it was built without CUDA.
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise NoSuchDevice(f"torch {torch.__version__} computes on no {name} here: {reason}") from error
