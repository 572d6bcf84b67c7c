"""Fixtures: MNIST as this machine has it, the small sample, and the shipped network."""

import pytest

from digitlab import DigitCNN, Mnist, load_mnist, load_model


@pytest.fixture(scope="session")
def mnist() -> Mnist:
    """The full set where it is on disk or can be downloaded, else the sample."""
    return load_mnist()


@pytest.fixture(scope="session")
def sample() -> Mnist:
    return load_mnist(source="sample")


@pytest.fixture(scope="session")
def shipped() -> DigitCNN:
    return load_model()
