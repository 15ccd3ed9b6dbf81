"""A tiny random Llama that every test may train."""

from pathlib import Path

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
