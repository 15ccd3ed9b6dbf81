"""What every Python test shares: the worker's package on the path, and a tiny random Llama to train."""

import os
import sys
from pathlib import Path

# Before torch is imported: tests run beside others, and spinning threads would slow down both.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "2000")
sys.path.insert(0, str(Path(__file__).parents[2] / "gpu-worker" / "python"))

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM


@pytest.fixture
def tiny_model(tmp_path: Path) -> Path:
    """The folder of a two-layer model with grouped keys and a vocabulary of 64."""
    torch.manual_seed(0)
    folder = tmp_path / "model"
    LlamaForCausalLM(
        LlamaConfig(
            vocab_size=64,
            hidden_size=32,
            intermediate_size=48,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
        )
    ).save_pretrained(folder)
    return folder
