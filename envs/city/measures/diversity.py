"""Diversity and tags: how mixed kinds are, and how much one label tells about another."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


def entropy(amounts: Tensor) -> Tensor:
    """Shannon entropy ``[...]`` in nats of amounts ``[..., n]``; its exponential is the number
    of equally common kinds that would be as diverse."""
    share = amounts / amounts.sum(-1, keepdim=True)
    return -torch.xlogy(share, share).sum(-1)


@dataclass(frozen=True)
class Diversity:
    """Entropies ``[B]`` in nats: of the whole city, mean within districts, and between them.

    between = city - within: what the district tells about the kind.
    """

    city: Tensor
    within: Tensor
    between: Tensor


def diversity(amounts: Tensor) -> Diversity:
    """Diversity of kinds in districts ``[B, D, n]``, districts weighted by their amounts."""
    places = amounts.sum(-1)
    within = (places * entropy(amounts)).sum(-1) / places.sum(-1)
    city = entropy(amounts.sum(1))
    return Diversity(city, within, city - within)


def mutual_information(table: Tensor) -> Tensor:
    """Mutual information ``[B]`` in nats of the rows and columns of amounts ``[B, n, m]``."""
    joint = table.flatten(1)
    return entropy(table.sum(2)) + entropy(table.sum(1)) - entropy(joint)


def tag_strength(table: Tensor) -> Tensor:
    """Mutual information over its largest possible value ``[B]``: 0 blind, 1 a perfect tag."""
    most = torch.minimum(entropy(table.sum(2)), entropy(table.sum(1)))
    return mutual_information(table) / most
