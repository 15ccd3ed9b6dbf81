"""What the embedded engine is measured against: `generate` of transformers, one request at a time, greedy.

Reads {"ids": [...], "new_tokens": N} a line, answers {"seconds": S}; says {"ready": true} once the model is loaded.
"""

import json
import sys
import time
from typing import Any, cast

import torch
from transformers import AutoModelForCausalLM


def answer(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def main() -> None:
    # The class that comes back depends on the folder, so its type is only known at run time.
    model: Any = AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype=torch.float32).eval()
    answer({"ready": True})
    for line in sys.stdin:
        task = cast(dict[str, Any], json.loads(line))
        ids_1T = torch.tensor([task["ids"]])
        started = time.perf_counter()
        with torch.inference_mode():
            model.generate(
                ids_1T,
                attention_mask=torch.ones_like(ids_1T),
                min_new_tokens=task["new_tokens"],
                max_new_tokens=task["new_tokens"],
                do_sample=False,
            )
        answer({"seconds": time.perf_counter() - started})


main()
