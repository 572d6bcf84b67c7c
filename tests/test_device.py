"""Devices: which there are, and the random numbers of each. Those missing here are imitated."""

from types import SimpleNamespace

import pytest
import torch

from digitlab.device import as_device, best_device, random_states, seeded, set_random_states


@pytest.mark.parametrize(
    "device", ["banana", "gpu", "CPU", "", "meta", "cpu:x", "xla", "vulkan", "hpu", 1.5, "cuda:-1"]
)
def test_a_device_that_is_not_there_is_refused_with_those_that_are(device: object) -> None:
    with pytest.raises(ValueError, match=r"^there is no device .* here, only .*\bcpu$"):
        as_device(device)  # type: ignore[arg-type]


def test_every_error_of_torch_is_a_device_that_is_not_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def not_compiled(*_: object, **options: object) -> None:
        raise AssertionError("Torch not compiled with CUDA enabled")

    monkeypatch.setattr(torch, "ones", not_compiled)
    with pytest.raises(ValueError, match="there is no device 'cuda' here"):
        as_device("cuda")


@pytest.mark.parametrize(("count", "there"), [(1, "mps and cpu"), (2, "mps:0 and mps:1 and cpu")])
def test_the_devices_of_an_accelerator_are_named(
    count: int, there: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("digitlab.device.best_device", lambda: torch.device("mps"))
    monkeypatch.setattr(torch.accelerator, "device_count", lambda: count)
    with pytest.raises(ValueError, match=f"'banana' here, only {there}$"):
        as_device("banana")


def test_a_device_that_is_there_is_taken_and_none_is_the_fastest() -> None:
    assert as_device("cpu") == as_device(torch.device("cpu")) == torch.device("cpu")
    assert as_device(None) == best_device()


def test_seeding_is_pytorchs_own_and_is_undone() -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(5)
    before = torch.get_rng_state()
    with seeded(7, torch.device("cpu")):
        assert torch.equal(torch.rand(3), expected)
    assert torch.equal(torch.get_rng_state(), before)


def test_an_apple_gpu_has_random_numbers_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = torch.Generator().manual_seed(5)  # in its place
    module = SimpleNamespace(
        get_rng_state=lambda device: gpu.get_state(),
        set_rng_state=lambda state, device: gpu.set_state(state),
    )
    real = torch.Generator
    monkeypatch.setattr(torch, "get_device_module", lambda device: {"mps": module}[device.type])
    monkeypatch.setattr(torch, "Generator", lambda device="cpu": real())
    mps, before = torch.device("mps"), gpu.get_state()

    with seeded(7, mps):
        assert gpu.initial_seed() == 7 or torch.equal(
            gpu.get_state(), real().manual_seed(7).get_state()
        )
        states = random_states(mps)
        drawn = torch.rand(3), torch.rand(3, generator=gpu)
        set_random_states(mps, states)
        assert torch.equal(torch.rand(3), drawn[0])
        assert torch.equal(torch.rand(3, generator=gpu), drawn[1])
    assert torch.equal(gpu.get_state(), before)
