"""What a step tells those who study it: un-aggregated welfare and indicators, against the twin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from envs.city import welfare


def against_twin(
    monthly: Sequence[welfare.Welfare], reference: welfare.Reference, rows: int
) -> dict[str, Any]:
    """Means over the months of a step, governed rows minus their twins.

    Args:
        monthly: of all rows, the governed ones first and the twins last; rows: B of each.

    Returns:
        "welfare": measure -> ``[B]``, "welfare_by_type" ``[B, K]``, "welfare_by_district"
        ``[B, D]``, shares of the first year's income.
    """

    def gap(values: Sequence[Tensor]) -> Tensor:
        mean = torch.stack(list(values)).mean(0)
        return mean[:rows] - mean[-rows:]

    parts: dict[str, Tensor] = {}
    base = reference.total / reference.people.sum(-1)
    consumption = torch.stack([w.consumption for w in monthly])
    people = torch.stack([w.people for w in monthly])
    for name, aversion in welfare.ATKINSON.items():
        equal = welfare.equally_distributed(consumption, people, aversion)
        parts[name] = gap((equal / base).unbind(0))
    for name in welfare.POPULATION:
        parts[name] = gap([getattr(w, name) for w in monthly])
    return {
        "welfare": parts,
        "welfare_by_type": gap([w.by_type for w in monthly]),
        "welfare_by_district": gap([w.by_district for w in monthly]),
    }
