"""transformers and PEFT beside the trainer: `peft_peer.py MODEL_DIR DEVICE`. Answers
`{"op": "step", "batch": FOLDER}`.

The step that they are documented with: the samples of a batch padded to one length, cross-entropy on the responses
(mean over samples of the mean over tokens), AdamW, the gradient clipped. fp32, on a GPU bfloat16 with the adapter in
fp32; the adapter is the trainer's.
"""

import json
import sys
from itertools import pairwise
from pathlib import Path
from time import perf_counter
from typing import Any

import psutil
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, logging

logging.set_verbosity_error()
SPARED_BYTES = 2 << 30


class Peer:
    """The model with a fresh adapter, and its optimizer."""

    def __init__(self, folder: Path, device: torch.device) -> None:
        dtype = torch.float32 if device.type == "cpu" else torch.bfloat16
        base = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype).to(device)
        self.device = device
        config = LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM")
        self.model: Any = get_peft_model(base, config).train()
        self.parameters = [one for one in self.model.parameters() if one.requires_grad]
        self.optimizer = torch.optim.AdamW(self.parameters, lr=5e-4, fused=True)

    def step(self, folder: Path) -> None:
        """One step on a batch folder. Raises RuntimeError or MemoryError where it does not fit."""
        tensors = load_file(folder / "batch.safetensors")
        offsets, starts = tensors["sample_offsets"].tolist(), tensors["response_starts"].tolist()
        longest = max(end - begin for begin, end in pairwise(offsets))
        ids_SL = torch.full((len(starts), longest), 2)
        mask_SL = torch.zeros(len(starts), longest, dtype=torch.int64)
        labels_SL = torch.full((len(starts), longest), -100)
        for row, (begin, end, start) in enumerate(zip(offsets[:-1], offsets[1:], starts, strict=True)):
            ids_SL[row, : end - begin] = tensors["tokens"][begin:end]
            mask_SL[row, : end - begin] = 1
            labels_SL[row, start - begin : end - begin] = tensors["tokens"][start:end]
        ids_SL, mask_SL, labels_SL = (side.to(self.device) for side in (ids_SL, mask_SL, labels_SL))
        logits_SLV = self.model(input_ids=ids_SL, attention_mask=mask_SL).logits[:, :-1]
        losses_SL = torch.nn.functional.cross_entropy(
            logits_SLV.transpose(1, 2), labels_SL[:, 1:], ignore_index=-100, reduction="none"
        )
        loss = (losses_SL.sum(1) / (labels_SL[:, 1:] >= 0).sum(1)).mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()


def refuse_what_does_not_fit(device: torch.device) -> None:
    """Lets an allocation that would eat up the machine's memory fail here; the system would end whatever it likes."""
    if sys.platform == "linux" and device.type == "cpu":
        import resource

        limit = psutil.Process().memory_info().vms + psutil.virtual_memory().available - SPARED_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))


def say(answer: dict[str, Any]) -> None:
    """One line to whoever asked."""
    sys.stdout.write(f"{json.dumps(answer)}\n")
    sys.stdout.flush()


def main() -> None:
    """Reads requests until standard input ends."""
    peer = Peer(Path(sys.argv[1]), torch.device(sys.argv[2]))
    say({"ready": True})
    for line in sys.stdin:
        refuse_what_does_not_fit(peer.device)
        request: dict[str, Any] = json.loads(line)
        started = perf_counter()
        try:
            peer.step(Path(request["batch"]))
            if peer.device.type == "cuda":
                torch.cuda.synchronize(peer.device)
            answer: dict[str, Any] = {"seconds": perf_counter() - started}
        except (RuntimeError, MemoryError) as error:
            answer = {"seconds": 0, "refused": str(error).splitlines()[0]}
        say(answer)


if __name__ == "__main__":
    main()
