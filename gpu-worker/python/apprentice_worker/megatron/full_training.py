"""All weights of the model, and their AdamW: read from a Hugging Face folder and written to one."""

from contextlib import AbstractContextManager

from ..adapter_io import AdapterMismatch
from ..batch import Hyperparameters
from ..job import Job, Progress
from . import full_folder
from .families import UnsupportedModel
from .gradients import Gradient
from .sharded_adamw import ShardedAdamW
from .stage import Stage
from .weights import Placed, load_weights, placed_parameters

BASE = "base"
"""The name of what the stage was built from."""
TIED = ("embedding.word_embeddings.weight", "output_layer.weight")


class FullTraining:
    """This rank's part of the weights and of the optimizer's state, which is shared out over the copies."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._group = stage.group
        stage.model.requires_grad_(True)
        self._placed = placed_parameters(stage.model, stage.hf, stage.group, stage.first_layer)
        self._optimizer = ShardedAdamW([one.parameter for one in self._placed], stage.group)
        self._in_memory: str | None = BASE
        self._making = ""

    def start(self, job: Job, settings: Hyperparameters) -> None:
        wanted = BASE if job.parent is None else full_folder.name_of(job.parent)
        if wanted is None:
            raise AdapterMismatch(f"{job.parent} holds no weights of a whole model, which this trainer trains")
        held = self._in_memory == wanted
        # Whatever ends the run early leaves memory between two versions: only a finished run names it again.
        self._in_memory = None
        if not held:
            try:
                load_weights(self._placed, job.parent or self._stage.folder)
            except UnsupportedModel as odd:
                raise AdapterMismatch(str(odd)) from odd
        if not held or job.parent is None or job.optimizer_in is None:
            self._optimizer.restart()
            if job.optimizer_in is not None:
                full_folder.read_state(self._optimizer, self._placed, job.optimizer_in)
        self._optimizer.begin(settings)
        self._making = full_folder.name_after(wanted, job.batch, with_moments=job.optimizer_in is not None)

    def gradients(self) -> list[Gradient]:
        gradients = zip(self._placed, self._optimizer.gradients(), strict=True)
        return [Gradient(value, *self._standing(one)) for one, value in gradients]

    def _standing(self, one: Placed) -> tuple[bool, bool, bool]:
        """Is it shared, partial, tied? As megatron-core's finalize_model_grads has it."""
        is_shared = all(piece.is_everywhere for piece in one.pieces)
        # These see the heads of their rank alone.
        of_own_heads = one.name.endswith(("q_layernorm.weight", "k_layernorm.weight"))
        is_partial = is_shared and (of_own_heads or self._group.layout.sequence_parallel)
        is_tied = self._stage.hf.tie_word_embeddings and self._group.layout.pipeline > 1 and one.name in TIED
        return is_shared, is_partial, is_tied

    def step(self) -> None:
        self._optimizer.step()

    def save(self, job: Job, settings: Hyperparameters, progress: Progress) -> None:  # noqa: ARG002
        progress("saving", 0.0)
        full_folder.write_weights(self._placed, self._stage.folder, job.out, self._making, self._group)
        # A word in between: who hears nothing for minutes takes a run for dead.
        progress("saving", 0.5)
        full_folder.write_state(self._optimizer, self._placed, job.optimizer_out)
        self._in_memory = self._making

    def base(self) -> AbstractContextManager[None] | None:
        """The weights that were the base's are the policy's by now."""
        return None
