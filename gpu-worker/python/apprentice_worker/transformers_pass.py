"""A pass of any Hugging Face causal LM: the model's own forward, with our attention and our linear layers in it."""

from typing import Any, cast

from torch import Tensor, nn
from transformers import AttentionInterface, PreTrainedModel

from .decode_attention import attend_one_tokens
from .linear import layers_of, wrap_linears
from .segment_attention import attend
from .step import Step, current_step, running

ATTENTION = "apprentice_ragged"


def ragged_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    _mask: Tensor | None,
    scaling: float | None = None,
    sliding_window: int | None = None,
    **_unused: Any,
) -> tuple[Tensor, None]:
    """query[1, H, T, D], key and value[1, G, T, D] of the flat batch to [1, T, H, D], each segment on its own
    cache. No mask comes in: transformers makes none for an attention that it does not know."""
    layer = cast(int, module.layer_idx)
    # Zeros, because rows of no segment are carried along.
    out_THD = query.new_zeros((query.shape[2], query.shape[1], query.shape[3]))
    together = current_step().together
    if together is not None:
        query_THD, key_TGD, value_TGD = (side[0].transpose(0, 1) for side in (query, key, value))
        scale = query.shape[3] ** -0.5 if scaling is None else scaling
        attend_one_tokens(together, layer, query_THD, key_TGD, value_TGD, scale, sliding_window, out_THD)
    for segment in current_step().segments:
        rows = slice(segment.first, segment.end)
        keys_GKD, values_GKD = segment.kv.write(layer, segment.start_position, key[0, :, rows], value[0, :, rows])
        out_THD[rows] = attend(segment, query[0, :, rows], keys_GKD, values_GKD, scaling, sliding_window)
    return out_THD.unsqueeze(0), None


class TransformersPass:
    """Takes the model over: afterwards it can only be called from here."""

    def __init__(self, model: PreTrainedModel) -> None:
        AttentionInterface.register(ATTENTION, ragged_attention)
        model.set_attn_implementation(ATTENTION)
        self.layers = layers_of(model, model.get_output_embeddings())
        self.fastest_rows = max(linear.fastest_rows for linear in wrap_linears(model))
        self._model = model

    def logits(self, ids_T: Tensor, positions_T: Tensor, step: Step, wanted_W: Tensor) -> Tensor:
        """[W, V], of the rows `wanted_W`. Extends the caches of the step's segments."""
        with running(step):
            return self._model(
                input_ids=ids_T[None], position_ids=positions_T[None], logits_to_keep=wanted_W, use_cache=False
            ).logits[0]
