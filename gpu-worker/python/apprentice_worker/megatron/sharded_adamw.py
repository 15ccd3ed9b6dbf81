"""AdamW whose state is shared out over the copies of the model (ZeRO stage 1): each copy steps some of the parameters,
and hands them on to the others.

megatron-core's DistributedOptimizer does so too, in finer slices, and refuses every tensor whose type is not one of
`torch.cuda.*` by name; torch's ZeroRedundancyOptimizer keeps no float32 masters, without which a bfloat16 weight does
not feel a small step. Here both are had, on a CPU as on a GPU; a parameter is not cut for it.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from ..batch import Hyperparameters
from ..optimizer import begin
from .gradients import buckets
from .group import Group

MOMENTS = ("exp_avg", "exp_avg_sq")


class ShardedAdamW:
    """Over the parameters of one rank. Gradients are summed up in float32, whatever the parameters are."""

    def __init__(self, parameters: list[nn.Parameter], group: Group) -> None:
        self._parameters = parameters
        self._group = group
        self._owners = shared_out([parameter.numel() for parameter in parameters], group.layout.data)
        self._sums = {one: summed_gradient(one) for one in parameters if one.dtype != torch.float32}
        self._masters: dict[int, nn.Parameter] = {}
        self._adam: torch.optim.AdamW | None = None

    def restart(self) -> None:
        """Moments from zero, masters from the parameters as they are."""
        self._masters = {
            number: nn.Parameter(parameter.detach().float())
            for number, parameter in enumerate(self._parameters)
            if self._owners[number] == self._group.copy
        }
        self._adam = torch.optim.AdamW(self._masters.values(), fused=True) if self._masters else None

    def begin(self, settings: Hyperparameters) -> None:
        """Takes the run's settings. The gradient that a run which was ended in the middle left behind goes."""
        self._clear()
        if self._adam is not None:
            begin(self._adam, settings)

    def gradients(self) -> list[Tensor]:
        """In the order of the parameters; zero where nothing came."""
        return [self._gradient(parameter) for parameter in self._parameters]

    @torch.no_grad()
    def step(self) -> None:
        """One step of all copies together; the gradients are gone after it."""
        for number, master in self._masters.items():
            master.grad = self._gradient(self._parameters[number])
        if self._adam is not None:
            self._adam.step()
        for number, master in self._masters.items():
            master.grad = None
            if self._parameters[number].dtype != master.dtype:
                self._parameters[number].copy_(master)
        self._clear()
        if self._group.layout.data > 1:
            self._hand_on()

    def state(self) -> Iterator[tuple[int, str, Tensor]]:
        """What this copy keeps, to be read or overwritten: the parameter's number, what it is, a tensor of its shape.
        Masters are among it where they are not the parameters themselves."""
        for number, master in self._masters.items():
            if self._parameters[number].dtype != master.dtype:
                yield number, "master", master.detach()
            kept = self._state_of(master)
            for moment in MOMENTS:
                yield number, moment, kept[moment]

    @property
    def steps(self) -> int:
        """That its moments have seen."""
        return max((int(self._state_of(master)["step"].item()) for master in self._masters.values()), default=0)

    @steps.setter
    def steps(self, count: int) -> None:
        for master in self._masters.values():
            self._state_of(master)["step"].fill_(count)

    def _state_of(self, master: nn.Parameter) -> dict[str, Tensor]:
        """AdamW makes it at its first step, as this does."""
        if self._adam is None:
            raise RuntimeError("there is no state before a run has begun")
        state = self._adam.state[master]
        if not state:
            state["step"] = torch.zeros((), dtype=torch.float32, device=master.device)
            state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(master), torch.zeros_like(master)
        return state

    def _gradient(self, parameter: nn.Parameter) -> Tensor:
        if parameter in self._sums:
            return self._sums[parameter]
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
        return parameter.grad

    def _clear(self) -> None:
        for parameter in self._parameters:
            parameter.grad = None
        for gradient in self._sums.values():
            gradient.zero_()

    def _hand_on(self) -> None:
        """Each copy's parameters to the others."""
        for copy in range(self._group.layout.data):
            own = [one.data for one, owner in zip(self._parameters, self._owners, strict=True) if owner == copy]
            for bucket in buckets(own):
                flat = torch.cat([tensor.flatten() for tensor in bucket])
                self._group.share_from_copy(flat, copy)
                for tensor, part in zip(bucket, flat.split([tensor.numel() for tensor in bucket]), strict=True):
                    tensor.copy_(part.view_as(tensor))


def shared_out(sizes: list[int], copies: int) -> list[int]:
    """Which copy steps each: the largest first, each to whom has least."""
    owners = [0] * len(sizes)
    loads = [0] * copies
    for number in sorted(range(len(sizes)), key=lambda number: -sizes[number]):
        owners[number] = loads.index(min(loads))
        loads[owners[number]] += sizes[number]
    return owners


def summed_gradient(parameter: nn.Parameter) -> Tensor:
    """A float32 tensor to which every gradient of the parameter is added as it comes."""
    total = torch.zeros_like(parameter, dtype=torch.float32, requires_grad=False)

    def add(one: Tensor) -> None:
        if one.grad is not None:
            total.add_(one.grad)
            one.grad = None

    parameter.register_post_accumulate_grad_hook(add)
    return total
