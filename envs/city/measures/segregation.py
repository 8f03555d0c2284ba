"""How unevenly people and incomes are spread over districts."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


def dissimilarity(group: Tensor, others: Tensor) -> Tensor:
    """Index of dissimilarity ``[B]`` of two groups ``[B, D]`` (Duncan & Duncan 1955).

    The share of either group that would have to move for both to be spread alike: 0 even, 1
    fully apart.
    """
    shares = (x / x.sum(-1, keepdim=True) for x in (group, others))
    return torch.stack(list(shares)).diff(dim=0).abs().sum((0, -1)) / 2


def dissimilarity_many(people: Tensor) -> Tensor:
    """Index of dissimilarity ``[B]`` of several groups ``[B, D, K]`` (Sakoda 1981)."""
    places = people.sum(-1)
    total = places.sum(-1)
    city = people.sum(1) / total.unsqueeze(-1)
    local = people / places.unsqueeze(-1)
    diversity = (city * (1 - city)).sum(-1)
    gaps = (local - city.unsqueeze(1)).abs().sum(-1)
    return (places * gaps).sum(-1) / (2 * total * diversity)


@dataclass(frozen=True)
class Theil:
    """Theil's T of incomes, each ``[B]``: total = between + within districts."""

    total: Tensor
    between: Tensor
    within: Tensor


def theil(income: Tensor, people: Tensor) -> Theil:
    """Theil's T (1967) of incomes ``[B, D, K]`` of people ``[B, D, K]``, by district."""
    everyone = people.sum((1, 2))
    money = income * people
    mean = money.sum((1, 2)) / everyone
    relative = income / mean.reshape(-1, 1, 1)
    total = (people * relative * torch.log(relative)).sum((1, 2)) / everyone

    local = money.sum(-1) / people.sum(-1) / mean.unsqueeze(-1)
    between = (people.sum(-1) * local * torch.log(local)).sum(-1) / everyone
    return Theil(total, between, total - between)
