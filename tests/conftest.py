"""Settings that every test shares, and the data that only some machines have."""

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# Before the first import of torch. Subprocesses of tests inherit it.
os.environ["OMP_NUM_THREADS"] = "1"

# Same examples on every machine and run; a slow machine is no failure.
settings.register_profile(
    "polislab",
    deadline=None,
    derandomize=True,
    max_examples=25,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("polislab")

REPOSITORY = Path(__file__).resolve().parent.parent


def pytest_configure() -> None:
    """One thread a process: the numbers do not depend on the cores, and xdist uses those."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def rich_london() -> Path:
    """Folder of the richer London package, never part of the project; skips where it is not.

    `POLISLAB_LONDON` names it; by default it lies beside the repository.
    """
    default = REPOSITORY.parent / "shared" / "data" / "london"
    folder = Path(os.environ.get("POLISLAB_LONDON", default))
    if not (folder / "datapackage.json").is_file():
        pytest.skip(f"the richer London package is not at {folder} (set POLISLAB_LONDON)")
    return folder


@pytest.fixture(scope="session")
def london_twin() -> Any:
    """A twin of London with the fewest members allowed; fitted once a process."""
    from envs.twin.settings import LEAST_MEMBERS, load_settings
    from envs.twin.twin import fit

    return fit("london", load_settings(members=LEAST_MEMBERS))
