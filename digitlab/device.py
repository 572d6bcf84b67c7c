"""Where a network runs: the CPU, an NVIDIA GPU (CUDA), or an Apple GPU (MPS)."""

from __future__ import annotations

import torch


def best_device() -> torch.device:
    """Return the fastest device that torch finds here: CUDA, else MPS, else the CPU."""
    return torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")


def mixed_precision(device: torch.device) -> torch.autocast:
    """Multiply in bfloat16 where the hardware can: CUDA from Ampere on. Weights stay float32."""
    can = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=can)
