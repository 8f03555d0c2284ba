"""What is checked, how a check is run, and what it found."""

from __future__ import annotations

import contextlib
import io
import re
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from envs.adapters.optional import MissingLibraryError, needs_extra

PASSED, FAILED, MISSING = "pass", "fail", "not installed"

#: Governors differ in what they see, are named by what they govern, and see changes since the
#: first year, which are zero in the first month.
ALLOWED = re.compile(
    "different observation space sizes|Observations are different shapes|<descriptor>_<number>"
    "|(Observation|State) numpy array is all zeros"
)


@dataclass(frozen=True)
class Subject:
    """A scenario with the options of `envs.make` that it is checked with, but rows and seed."""

    scenario: str
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def months_per_step(self) -> int:
        """Months between decisions."""
        if "months_per_step" in self.options:
            return int(self.options["months_per_step"])
        from envs.registry import scenarios

        return int(scenarios()[self.scenario]().months_per_step)

    def make(self, num_envs: int, seed: int = 0, **changes: Any) -> Any:
        """The batched core as its seed begins it; changes replace options."""
        from envs import registry

        made = {**self.options, **changes, "num_envs": num_envs, "seed": seed}
        core = registry.make(self.scenario, **made)
        core.reset(seed=seed)
        return core


@dataclass(frozen=True)
class Check:
    """One check: whose it is, what it looks at, and a function that raises where it fails."""

    checker: str
    what: str
    look: Callable[[Subject], None]


@contextlib.contextmanager
def strictly() -> Iterator[None]:
    """Silence what checkers print; AssertionError for a warning that is not `ALLOWED`."""
    with warnings.catch_warnings(record=True) as seen, contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("always")
        yield
    texts = [str(w.message) for w in seen if issubclass(w.category, UserWarning)]
    found = list(dict.fromkeys(text for text in texts if not ALLOWED.search(text)))
    if found:
        raise AssertionError("; ".join(found))


def run(
    subject: Subject, checks: Sequence[Check], tick: Callable[[], None] = lambda: None
) -> list[dict[str, Any]]:
    """Run checks; one record each: checker, what, result, seconds and detail (why it failed).

    Args:
        tick: called after each check.
    """
    records = []
    for check in checks:
        started = time.perf_counter()
        result, detail = _outcome(check, subject)
        records.append(
            {
                "checker": check.checker,
                "what": check.what,
                "result": result,
                "seconds": round(time.perf_counter() - started, 2),
                "detail": detail,
            }
        )
        tick()
    return records


def _outcome(check: Check, subject: Subject) -> tuple[str, str]:
    try:
        with needs_extra():
            check.look(subject)
    except MissingLibraryError as error:
        return MISSING, str(error)
    except Exception as error:  # whatever a checker raises is what it has found
        text = str(error).strip() or "an assertion of the checker does not hold"
        return FAILED, f"{type(error).__name__}: {text.splitlines()[0]}"
    return PASSED, ""
