"""transformers beside the engine: `transformers_peer.py MODEL_DIR DEVICE`. Answers one JSON line a request,
`{"op": ...}`.

Every answer has `seconds`. On a processor fp32 and torch's own number of threads, on a GPU the 16 bits that the model
is stored in, as the engine has them.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM, ContinuousBatchingConfig, DynamicCache, GenerationConfig, logging

logging.set_verbosity_error()
BANDWIDTH_BYTES = 1 << 29


class Peer:
    """The model, and what can be asked of it. An operation is a method; its arguments are the request's fields."""

    def __init__(self, folder: Path, device: torch.device) -> None:
        dtype = torch.float32 if device.type == "cpu" else "auto"
        self.model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype).to(device).eval()
        self.device = device

    def generate(self, prompts: list[list[int]], new_tokens: int) -> None:
        """`generate`, greedy, over prompts of one length."""
        settings = GenerationConfig(
            do_sample=False, min_new_tokens=new_tokens, max_new_tokens=new_tokens, eos_token_id=2, pad_token_id=2
        )
        ids = torch.tensor(prompts, device=self.device)
        self.model.generate(ids, attention_mask=torch.ones_like(ids), generation_config=settings)

    def continuous(self, prompts: list[list[int]], new_tokens: int) -> None:
        """`generate_batch`, greedy: its continuous batching, over pages for these requests alone."""
        settings = GenerationConfig(do_sample=False, max_new_tokens=new_tokens, eos_token_id=-1, pad_token_id=2)
        cache = ContinuousBatchingConfig(page_size=32, num_blocks=8 * len(prompts), max_batch_tokens=512)
        answers = self.model.generate_batch(prompts, settings, continuous_batching_config=cache)
        made = [len(answer.generated_tokens) for answer in answers.values()]
        if made != [new_tokens] * len(prompts):
            raise RuntimeError(f"continuous batching made {made} tokens")

    def turns(self, ids: list[int], more: list[int]) -> dict[str, float]:
        """A prompt, and then what is added to it over the same cache: `secondSeconds`."""
        cache = DynamicCache(config=self.model.config)
        self.model(torch.tensor([ids], device=self.device), past_key_values=cache, logits_to_keep=1)
        finish(self.device)
        started = perf_counter()
        self.model(torch.tensor([more], device=self.device), past_key_values=cache, logits_to_keep=1)
        finish(self.device)
        return {"secondSeconds": perf_counter() - started}

    def score(self, ids: list[int], scored: int, top: int) -> None:
        """Log-probabilities of the last `scored` ids, and the `top` best at each."""
        logits_NV = self.model(torch.tensor([ids], device=self.device), logits_to_keep=scored + 1).logits[0, :-1]
        logprobs_NV = logits_NV.log_softmax(-1)
        own_N = torch.tensor(ids[-scored:], device=self.device)
        logprobs_NV.gather(1, own_N[:, None]).tolist()
        logprobs_NV.topk(top).values.tolist()

    def write_adapter(self, folder: str) -> None:
        """Writes an adapter of rank 16 on every linear layer, with weights drawn by PEFT."""
        config = LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", init_lora_weights=False)
        adapted = get_peft_model(self.model, config)
        adapted.save_pretrained(folder)
        self.model = adapted.unload()

    def adapter(self, folder: str) -> None:
        """Loads an adapter with PEFT."""
        self.model = PeftModel.from_pretrained(self.model, folder).unload()

    def bandwidth(self) -> dict[str, float]:
        """Bytes a second that are read of an array larger than every cache, on a processor by all threads together."""
        numbers = torch.ones(BANDWIDTH_BYTES // 4, device=self.device)
        best = min(self._seconds(numbers.sum) for _ in range(5))
        return {"bytesPerSecond": BANDWIDTH_BYTES / best}

    def _seconds(self, work: Callable[[], object]) -> float:
        started = perf_counter()
        work()
        finish(self.device)
        return perf_counter() - started


def finish(device: torch.device) -> None:
    """Waits for what a GPU is still at."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def main() -> None:
    """Reads requests until standard input ends."""
    peer = Peer(Path(sys.argv[1]), torch.device(sys.argv[2]))
    answers = sys.stdout
    # What a library prints must not stand among the answers.
    sys.stdout = sys.stderr
    print(json.dumps({"ready": True}), file=answers, flush=True)
    # No inference mode: continuous batching computes in a thread of its own, which has none.
    with torch.no_grad():
        for line in sys.stdin:
            fields: dict[str, Any] = json.loads(line)
            work = getattr(peer, fields.pop("op"))
            started = perf_counter()
            try:
                told: dict[str, float] | None = work(**fields)
                finish(peer.device)
                answer: dict[str, Any] = {"seconds": perf_counter() - started, **(told or {})}
            except (RuntimeError, ValueError, ImportError) as error:
                # What a library cannot do here costs its own row of the table and no other.
                answer = {"seconds": 0, "refused": f"{type(error).__name__}: {error}"}
            print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
