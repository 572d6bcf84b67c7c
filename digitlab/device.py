"""Where a network runs: the CPU, an NVIDIA GPU (CUDA), or an Apple GPU (MPS)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor


def best_device() -> torch.device:
    """Return the fastest device that torch finds here: CUDA, else MPS, else the CPU."""
    found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    return found or torch.device("cpu")


def as_device(device: torch.device | str | None) -> torch.device:
    """Check that a device is there; None stands for the fastest one.

    Raises:
        ValueError: it is not, or there is no such kind of device.
    """
    if device is None:
        return best_device()
    try:
        chosen = torch.device(device)
        torch.ones(1, device=chosen).item()  # "meta" has room for shapes only, not for numbers
    except Exception:  # torch has an exception of another class for each kind of device and build
        there = " and ".join(_devices())
        raise ValueError(f"there is no device {str(device)!r} here, only {there}") from None
    return chosen


def _devices() -> list[str]:
    """Name the devices that torch finds here, the fastest first."""
    count = torch.accelerator.device_count()
    kind = best_device().type
    if kind == "cpu" or not count:
        return ["cpu"]
    return [*([kind] if count == 1 else (f"{kind}:{index}" for index in range(count))), "cpu"]


def mixed_precision(device: torch.device) -> torch.autocast:
    """Multiply in bfloat16 where the hardware can: CUDA from Ampere on. Weights stay float32."""
    can = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=can)


# --- PyTorch's global random numbers --------------------------------------------------------------


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Seed the global random numbers of the CPU and of ``device``; in the end they are as before.

    (``torch.manual_seed`` would seed every other GPU as well.)
    """
    before = random_states(device)
    generators = [torch.Generator(), *([torch.Generator(device)] if device.type != "cpu" else [])]
    set_random_states(device, [generator.manual_seed(seed).get_state() for generator in generators])
    try:
        yield
    finally:
        set_random_states(device, before)


def random_states(device: torch.device) -> list[Tensor]:
    """Return the states of the global random numbers of the CPU and of ``device``."""
    states = [torch.get_rng_state()]
    if device.type != "cpu":
        states.append(torch.get_device_module(device).get_rng_state(device))
    return states


def set_random_states(device: torch.device, states: Sequence[Tensor]) -> None:
    """Restore what :func:`random_states` returned."""
    torch.set_rng_state(states[0])
    if device.type != "cpu":
        torch.get_device_module(device).set_rng_state(states[1], device)
