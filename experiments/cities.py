"""Which cities there are, and what identifies their data."""

from __future__ import annotations

SYNTHETIC = "synthetic"


def city_fault(city: str) -> str | None:
    """Why a city cannot be used, or nothing."""
    if city == SYNTHETIC:
        return None
    from envs.twin.packages import PackageError, find_city, read_package

    try:
        read_package(find_city(city))
    except PackageError as error:
        return "; ".join(problem.removeprefix("city: ") for problem in error.problems)
    return None


def content_hash(city: str) -> str | None:
    """Checksum of a city package's files; None for synthetic cities, which come from a seed."""
    if city == SYNTHETIC:
        return None
    from envs.twin.packages import find_city, read_package

    return str(read_package(find_city(city)).content_hash)
