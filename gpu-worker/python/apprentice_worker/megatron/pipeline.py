"""Packs through the pipeline's stages: all forward, then all backward, a few packs at a time.

megatron-core's own schedules allocate on "cuda" by name. Shapes need not be told: every rank has the batch.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch import distributed as dist

from ..packing import Pack
from .stage import Stage

Gradient = Callable[[int, Tensor], Tensor]
"""On the last stage: of a pack's number and its output [Q,1,H] the loss's gradient on it."""


class Pipeline:
    """This rank's stage and its neighbours."""

    def __init__(self, stage: Stage) -> None:
        group = stage.group
        self._stage = stage
        self._group = group.pipeline_group
        self._before = None if group.is_first_stage else dist.get_global_rank(self._group, group.stage - 1)
        self._after = None if group.is_last_stage else dist.get_global_rank(self._group, group.stage + 1)

    @torch.no_grad()
    def read(self, pack: Pack) -> Tensor | None:
        """The last stage's output [Q,1,H], for nothing but looking at it; None on the others."""
        output_Q1H = self._stage.forward(pack, self._receive(pack, self._before))
        self._send(output_Q1H, self._after)
        return output_Q1H if self._after is None else None

    def train(
        self, packs: list[Pack], recompute: Callable[[Pack], bool], gradient: Callable[[int, Tensor], Tensor]
    ) -> None:
        """Adds the packs' gradients. On the last stage `gradient` is given the number of a pack and its output
        [Q,1,H], and returns the loss's gradient on it."""
        inputs: list[Tensor | None] = []
        outputs: list[Tensor] = []
        for pack in packs:
            received = self._receive(pack, self._before)
            inputs.append(None if received is None else received.requires_grad_())
            outputs.append(self._stage.forward(pack, inputs[-1], recompute=recompute(pack)))
            self._send(outputs[-1], self._after)
        for number, (pack, given, output_Q1H) in enumerate(zip(packs, inputs, outputs, strict=True)):
            above_Q1H = self._receive(pack, self._after)
            output_Q1H.backward(gradient(number, output_Q1H) if above_Q1H is None else above_Q1H)
            if given is not None and given.grad is not None:
                self._send(given.grad, self._before)

    def _send(self, tensor: Tensor, rank: int | None) -> None:
        if rank is not None:
            dist.send(tensor.detach().contiguous(), rank, group=self._group)

    def _receive(self, pack: Pack, rank: int | None) -> Tensor | None:
        if rank is None:
            return None
        tensor = torch.empty(self._stage.input_shape(pack), dtype=self._stage.dtype, device=self._stage.group.device)
        dist.recv(tensor, rank, group=self._group)
        return tensor
