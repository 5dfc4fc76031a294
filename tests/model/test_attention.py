"""Attention kernels that may be used."""

from __future__ import annotations

import torch

from paft.model.load import load_model


def test_cudnn_attention_is_off_once_a_model_is_loaded() -> None:
    torch.backends.cuda.enable_cudnn_sdp(True)

    load_model("tiny")

    assert not torch.backends.cuda.cudnn_sdp_enabled()
    assert torch.backends.cuda.mem_efficient_sdp_enabled()
