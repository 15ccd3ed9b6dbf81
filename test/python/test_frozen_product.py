"""The engine's products by frozen weights: which form is chosen, and that each multiplies."""

import platform

import pytest
import torch

from apprentice_worker.frozen_product import FrozenProduct, HalfProduct, PackedProduct, PlainProduct, frozen_product

HALF = platform.machine().lower() in ("x86_64", "amd64")
"""There FBGEMM has to be found. Elsewhere it does not exist, and float32 is what is tested."""
PACKED = PackedProduct if torch.backends.mkldnn.is_available() else PlainProduct


def weights(kind: str) -> torch.Tensor:
    """[48, 32]: as a file of that kind has them, in fp32."""
    torch.manual_seed(0)
    weight_OI = torch.randn(48, 32) * 0.1
    match kind:
        case "bfloat16":
            return weight_OI.bfloat16().float()
        case "float16":
            # Some below fp16's normal range.
            return (weight_OI * torch.logspace(0, -6, 48)[:, None]).half().float()
        case "bfloat16 beyond float16":
            return (weight_OI * 1e6).bfloat16().float()
        case _:
            return weight_OI


@pytest.mark.parametrize("kind", ["bfloat16", "float16", "bfloat16 beyond float16", "float32"])
@pytest.mark.parametrize("with_bias", [False, True])
def test_every_form_multiplies(kind: str, with_bias: bool) -> None:
    weight_OI = weights(kind)
    bias_O = torch.randn(48) if with_bias else None
    product: FrozenProduct = frozen_product(weight_OI, bias_O)
    exact = HALF and kind in ("bfloat16", "float16")
    assert isinstance(product, HalfProduct if exact else PACKED)
    for form in (product, PlainProduct(weight_OI, bias_O)):
        for rows in (1, 4, 33):
            x_TI, added_TO = torch.randn(rows, 32), torch.randn(rows, 48)
            expected_TO = torch.nn.functional.linear(x_TI.double(), weight_OI.double())
            expected_TO = expected_TO if bias_O is None else expected_TO + bias_O
            near = 3e-6 * expected_TO.abs().max().item()
            torch.testing.assert_close(form(x_TI, None).double(), expected_TO, rtol=0, atol=near)
            given_TO = added_TO.clone()
            torch.testing.assert_close(form(x_TI, added_TO).double(), expected_TO + given_TO, rtol=0, atol=near)
            assert torch.equal(added_TO, given_TO)


@pytest.mark.skipif(not HALF, reason="FBGEMM is for x86: on other processors no product has 16 bits")
def test_a_row_by_half_weights_is_the_same_whatever_stands_beside_it() -> None:
    product = frozen_product(weights("bfloat16"), None)
    x_TI = torch.randn(40, 32)
    together_TO = product(x_TI, None)
    for first, end in ((0, 1), (3, 7), (5, 18), (0, 39)):
        assert torch.equal(product(x_TI[first:end], None), together_TO[first:end])


def test_no_rows_give_no_rows() -> None:
    for kind in ("bfloat16", "float32"):
        assert frozen_product(weights(kind), None)(torch.empty(0, 32), None).shape == (0, 48)
