"""A batch folder as tensors. TypeScript has checked it (hash, shapes, types) before a path arrives here.

Shape suffixes: T tokens, S samples, R response positions, K support tokens a position.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from .loss import LossTerms, position_weights


@dataclass(frozen=True)
class Hyperparameters:
    """Field for field the manifest's, in Python's spelling."""

    learning_rate: float
    steps: int
    lora_rank: int
    lora_alpha: float
    weight_decay: float
    adam_beta1: float
    adam_beta2: float
    max_grad_norm: float
    clip_low: float
    clip_high: float
    seed: int


@dataclass(frozen=True)
class Sample:
    """One trainable response with its prompt."""

    tokens: list[int]
    response_start: int
    """Where the response begins in `tokens`."""
    first_row: int
    """Where its positions begin among the batch's R."""
    is_anchor: bool
    """An unrelated prompt with the base's own answer: nothing was asked to change there."""


@dataclass(frozen=True)
class Batch:
    """Samples, their loss terms and the numbers to train with."""

    samples: list[Sample]
    terms: LossTerms
    hyperparameters: Hyperparameters

    @property
    def token_count(self) -> int:
        """T: prompts and responses as the folder has them, shared prefixes counted each time."""
        return sum(len(sample.tokens) for sample in self.samples)


def read_batch(folder: Path) -> Batch:
    """Reads `manifest.json` and `batch.safetensors`. Raises OSError or KeyError on what is not such a folder."""
    manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    tensors = load_file(folder / "batch.safetensors")
    tokens: list[int] = tensors["tokens"].tolist()
    offsets: list[int] = tensors["sample_offsets"].tolist()
    starts: list[int] = tensors["response_starts"].tolist()
    samples: list[Sample] = []
    own_tokens: list[int] = []
    roles: list[str] = [row["role"] for row in manifest["rows"]]
    for start, begin, end, role in zip(starts, offsets[:-1], offsets[1:], roles, strict=True):
        samples.append(Sample(tokens[begin:end], start - begin, len(own_tokens), role == "anchor"))
        own_tokens += tokens[start:end]
    loss_mask_R = tensors["loss_mask"]
    lengths = [len(sample.tokens) - sample.response_start for sample in samples]
    return Batch(
        samples=samples,
        terms=LossTerms(
            tokens_R=torch.tensor(own_tokens, dtype=torch.int64),
            support_ids_RK=tensors["support_ids"].long(),
            support_logprobs_RK=tensors["support_logprobs"],
            support_advantages_RK=tensors["support_advantages"],
            old_logprobs_R=tensors["old_logprobs"],
            behaviour_logprobs_R=tensors["behaviour_logprobs"],
            loss_mask_R=loss_mask_R,
            ce_weights_R=tensors["ce_weights"],
            weights_R=position_weights(loss_mask_R, lengths, torch.float32),
        ),
        hyperparameters=read_hyperparameters(manifest["hyperparameters"]),
    )


def read_hyperparameters(given: dict[str, Any]) -> Hyperparameters:
    """The manifest's camelCase object."""
    return Hyperparameters(
        learning_rate=given["learningRate"],
        steps=given["steps"],
        lora_rank=given["loraRank"],
        lora_alpha=given["loraAlpha"],
        weight_decay=given["weightDecay"],
        adam_beta1=given["adamBeta1"],
        adam_beta2=given["adamBeta2"],
        max_grad_norm=given["maxGradNorm"],
        clip_low=given["clipLow"],
        clip_high=given["clipHigh"],
        seed=given["seed"],
    )
