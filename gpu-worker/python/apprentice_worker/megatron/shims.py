"""Three places where megatron-core 0.16 takes CUDA or Transformer Engine for granted though the code around them
does not need it.

- `torch.cuda.current_device()` is what buffers of collectives are allocated on; without CUDA it raises. "cpu" is a
  device too, and gloo takes tensors there.
- Sequence parallelism runs layers under a fork of CUDA's random generator, so that dropout differs between ranks.
  No dropout happens here and a CPU has no such generator: forking it does nothing.
- The router of experts asks whether `te_general_gemm` is None, a name that is missing without Transformer Engine.

Applied in processes of this trainer alone, before a model is built; the first two never where CUDA is used.
"""

# megatron-core has wheels for Linux only; elsewhere its names are unknown.
# pyright: reportMissingImports=false, reportUntypedBaseClass=false

from collections.abc import Generator
from contextlib import contextmanager

import torch
from megatron.core.tensor_parallel import random as megatron_random
from megatron.core.transformer.moe import moe_utils


class NullRngTracker:
    """Stands for Megatron's tracker of CUDA's generator states."""

    @contextmanager
    def fork(self, name: str = "") -> Generator[None]:  # noqa: ARG002
        """The generator of that name; there is none to switch to."""
        yield


def cpu_device() -> str:
    """In the place of `torch.cuda.current_device`."""
    return "cpu"


def apply_cpu_shims() -> None:
    """Lets megatron-core run on a CPU. Called a second time it changes nothing."""
    setattr(torch.cuda, "current_device", cpu_device)  # noqa: B010
    setattr(megatron_random, "_CUDA_RNG_STATE_TRACKER", NullRngTracker())  # noqa: B010
    setattr(megatron_random, "_CUDA_RNG_STATE_TRACKER_INITIALIZED", True)  # noqa: B010


def apply_router_shim() -> None:
    """Lets its experts be routed without Transformer Engine. Called a second time it changes nothing."""
    if not hasattr(moe_utils, "te_general_gemm"):
        setattr(moe_utils, "te_general_gemm", None)  # noqa: B010
