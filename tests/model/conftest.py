"""Calibrated cities that the tests of the model share."""

from __future__ import annotations

import pytest
import torch

from envs.city.cities import synthetic_cities, with_parameters
from envs.city.model import City
from envs.priors import SYNTHETIC, read
from envs.registry import load_city


@pytest.fixture(scope="session")
def london() -> City:
    """London in its first year, with its neutral prior, one row, float64."""
    return load_city("london").city


@pytest.fixture(scope="session")
def nine() -> City:
    """A synthetic city of nine districts."""
    return with_parameters(synthetic_cities([3], 9), read(SYNTHETIC))


@pytest.fixture(scope="session")
def zero() -> City:
    """The synthetic city that the stored prior was solved on."""
    return with_parameters(synthetic_cities([0], 9), read(SYNTHETIC))


@pytest.fixture(scope="session")
def thirty_three() -> City:
    """A synthetic city of 33 districts."""
    return with_parameters(synthetic_cities([3], 33), read(SYNTHETIC))


@pytest.fixture(scope="session")
def congested() -> City:
    """A synthetic city of nine districts at 1.3 times the capacity of its roads."""
    return with_parameters(synthetic_cities([3], 9, {"vc": 1.3}), read(SYNTHETIC))


@pytest.fixture(scope="session")
def many() -> City:
    """Eight different synthetic cities of nine districts, one row each."""
    return with_parameters(synthetic_cities(range(8), 9), read(SYNTHETIC))


@pytest.fixture(params=["london", "nine"])
def city(request: pytest.FixtureRequest) -> City:
    """London and a synthetic city in turn."""
    found = request.getfixturevalue(request.param)
    assert isinstance(found, City)
    return found


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)
