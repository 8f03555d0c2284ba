"""One clear error where a library that only some views need is not installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

#: Library -> the extra of the distribution that installs it.
EXTRAS = {
    "torchrl": "torchrl",
    "tensordict": "torchrl",
    "benchmarl": "benchmarl",
    "momaland": "momaland",
    "minari": "minari",
    "h5py": "minari",
}


class MissingLibraryError(ImportError):
    """A library is not installed; the message names the extra that installs it."""


@contextmanager
def needs_extra() -> Iterator[None]:
    """Turn the failing import of an optional library into `MissingLibraryError`."""
    try:
        yield
    except ModuleNotFoundError as error:
        library = (error.name or "").partition(".")[0]
        if library not in EXTRAS:
            raise
        raise MissingLibraryError(
            f"{library} is not installed: pip install polislab[{EXTRAS[library]}]", name=library
        ) from None
