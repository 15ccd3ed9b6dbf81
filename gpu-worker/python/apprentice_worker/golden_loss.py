"""`python -m apprentice_worker.golden_loss FILE`: checks the loss and its gradient against a file of cases.

Prints one JSON line a `loss` case: {id, ok, detail}. Cases of other kinds are left to the TypeScript side.
Everything is float64, so that the file's tolerance measures the formula and not the arithmetic.
"""

import argparse
import json
import math
import sys
from pathlib import Path
from typing import Any

import torch

from .loss import Clip, LossTerms, gather_logprobs, position_weights, weighted_loss

Case = dict[str, Any]


def main() -> int:
    """Exit status 0 when every loss case passes, 1 otherwise."""
    parser = argparse.ArgumentParser(prog="apprentice_worker.golden_loss")
    parser.add_argument("file", type=Path)
    document: Case = json.loads(parser.parse_args().file.read_text(encoding="utf-8"))
    failed = 0
    for case in document["cases"]:
        if case["kind"] != "loss":
            continue
        detail = check(case, float(document["tolerance"]))
        failed += detail is not None
        print(json.dumps({"id": case["id"], "ok": detail is None, "detail": detail}), flush=True)
    return 1 if failed else 0


def check(case: Case, tolerance: float) -> str | None:
    """None when the case passes, else what differs and by how much."""
    given, expected = case["input"], case["expected"]
    logits_RV = torch.tensor(given["logits"], dtype=torch.float64, requires_grad=True)
    terms = loss_terms(given)
    own_R, support_RK = gather_logprobs(logits_RV, terms.tokens_R, terms.support_ids_RK)
    loss = weighted_loss(own_R, support_RK, terms, Clip())
    loss.backward()
    assert logits_RV.grad is not None
    if not math.isclose(loss.item(), expected["loss"], rel_tol=tolerance, abs_tol=tolerance):
        return f"loss {loss.item()!r}, expected {expected['loss']!r}"
    wanted_RV = torch.tensor(expected["grad_logits"], dtype=torch.float64)
    if logits_RV.grad.shape != wanted_RV.shape:
        return f"gradient has shape {tuple(logits_RV.grad.shape)}, expected {tuple(wanted_RV.shape)}"
    if not torch.allclose(logits_RV.grad, wanted_RV, rtol=tolerance, atol=tolerance):
        return f"gradient differs by up to {(logits_RV.grad - wanted_RV).abs().max().item():.3e}"
    return None


def loss_terms(given: Case) -> LossTerms:
    """The terms of a case's packed batch; null logprobs become NaN."""
    starts: list[int] = given["response_starts"]
    ends: list[int] = given["sample_offsets"][1:]
    loss_mask_R = torch.tensor(given["loss_mask"], dtype=torch.uint8)
    return LossTerms(
        tokens_R=torch.tensor([t for s, e in zip(starts, ends, strict=True) for t in given["tokens"][s:e]]),
        support_ids_RK=torch.tensor(given["support_ids"], dtype=torch.int64),
        support_logprobs_RK=float64(given["support_logprobs"]),
        support_advantages_RK=float64(given["support_advantages"]),
        old_logprobs_R=float64(given["old_logprobs"]),
        behaviour_logprobs_R=float64(given["behaviour_logprobs"]),
        loss_mask_R=loss_mask_R,
        ce_weights_R=float64(given["ce_weights"]),
        weights_R=position_weights(loss_mask_R, [e - s for s, e in zip(starts, ends, strict=True)], torch.float64),
    )


def float64(values: list[Any]) -> torch.Tensor:
    """A list of numbers or of lists of numbers, null as NaN."""
    if values and isinstance(values[0], list):
        return torch.stack([float64(row) for row in values])
    return torch.tensor([math.nan if v is None else v for v in values], dtype=torch.float64)


if __name__ == "__main__":
    sys.exit(main())
