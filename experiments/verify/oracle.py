"""What an oracle is: a limit with a known answer, and the model's own answer beside it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Row:
    """One figure of theory beside the model's.

    Attributes:
        case: what is compared. theory, ours: the two figures, in the unit of the case.
        tolerance: largest difference allowed, in the same unit, or relative to the theory.
        relative: the difference is a share of the theory's figure.
    """

    case: str
    theory: float
    ours: float
    tolerance: float
    relative: bool = False

    @property
    def difference(self) -> float:
        """Ours minus theory, over theory where the row is relative."""
        gap = self.ours - self.theory
        return gap / abs(self.theory) if self.relative else gap

    @property
    def passed(self) -> bool:
        """Whether the difference is within the tolerance; a figure that is not finite fails."""
        return math.isfinite(self.difference) and abs(self.difference) <= self.tolerance

    def record(self) -> dict[str, str | float | bool | None]:
        """The row for machines; a figure that is not finite is left out."""
        found: dict[str, str | float | bool | None] = {
            **asdict(self),
            "difference": self.difference,
            "passed": self.passed,
        }
        for name in ("ours", "difference"):
            found[name] = found[name] if math.isfinite(getattr(self, name)) else None
        return found


@dataclass(frozen=True)
class Oracle:
    """A limit of the model with a closed form.

    Attributes:
        number: its place in MODEL section 15. name: how the command line calls it.
        theory: the formula. source: who derived it. compute: rows from the model's own
            functions.
    """

    number: int
    name: str
    theory: str
    source: str
    compute: Callable[[], list[Row]]
