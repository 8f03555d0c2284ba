"""Structure of flows: communities that trade most among themselves, and percolation.

Graphs are small and irregular: these measures take one city at a time, as numpy arrays.
"""

from __future__ import annotations

from dataclasses import dataclass

import networkx
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]

#: Searches for communities; each is a local optimum, and the best is kept.
SEARCHES = 10


@dataclass(frozen=True)
class Communities:
    """Districts grouped by their flows.

    labels: ``[D]`` from 0, the largest community first; modularity: share of flows within
    communities beyond that of a random graph of the same strengths; kept: share of flows
    that stays within a community.
    """

    labels: Labels
    modularity: float
    kept: float


def modularity(flow: Floats, labels: Labels) -> float:
    """Newman's modularity of a partition ``[D]`` of a flow matrix ``[D, D]``, both ways added."""
    both = flow + flow.T
    same = labels[:, None] == labels[None, :]
    strength = both.sum(1) / both.sum()
    return float(both[same].sum() / both.sum() - np.outer(strength, strength)[same].sum())


def communities(flow: Floats, seed: int = 0) -> Communities:
    """Communities by the Louvain method (Blondel et al. 2008) of flows ``[D, D]``.

    The method climbs from one place at a time in random order; the partition of the highest
    modularity of ``SEARCHES`` orders counts.
    """
    ties = flow + flow.T - np.diag(np.diag(flow))
    graph = networkx.from_numpy_array(ties)
    labels = max(
        (_climb(graph, seed + search) for search in range(SEARCHES)),
        key=lambda found: modularity(flow, found),
    )
    same = labels[:, None] == labels[None, :]
    return Communities(labels, modularity(flow, labels), float(flow[same].sum() / flow.sum()))


def _climb(graph: networkx.Graph, seed: int) -> Labels:
    """Labels ``[D]`` of one run of the Louvain method, the largest community first."""
    found = networkx.community.louvain_communities(graph, weight="weight", seed=seed)
    labels = np.empty(len(graph), dtype=np.int64)
    for label, group in enumerate(sorted(map(sorted, found), key=lambda g: (-len(g), g))):
        labels[group] = label
    return labels


@dataclass(frozen=True)
class Percolation:
    """Clusters of districts as weak ties are cut.

    thresholds: ``[D - 1]`` falling strengths at which two clusters join; largest, second:
    ``[D - 1]`` their sizes after joining, shares of the districts; critical: threshold at
    which the second cluster is largest, where the city is about to become one; connected:
    threshold up to which all districts hang together; labels: ``[D]`` clusters at the
    critical threshold.
    """

    thresholds: Floats
    largest: Floats
    second: Floats
    critical: float
    connected: float
    labels: Labels


def tie_strength(flow: Floats) -> Floats:
    """Ties ``[D, D]`` between districts: the larger share of one's flows that go to the other.

    The rule by which functional urban areas are drawn (commuting share; OECD 2012).
    """
    share = flow / flow.sum(1, keepdims=True)
    tie: Floats = np.maximum(share, share.T)
    np.fill_diagonal(tie, 0.0)
    return tie


def percolation(flow: Floats) -> Percolation:
    """Join districts from the strongest tie down, and watch the two largest clusters.

    The largest second cluster marks the transition (Li et al. 2015, on traffic networks).
    """
    tie = tie_strength(flow)
    places = len(tie)
    rows, columns = np.triu_indices(places, 1)
    order = np.argsort(-tie[rows, columns], kind="stable")
    labels = np.arange(places)
    thresholds, largest, second, history = [], [], [], []
    for i, j in zip(rows[order], columns[order], strict=True):
        if labels[i] == labels[j]:
            continue
        labels = np.where(labels == labels[j], labels[i], labels)
        sizes = np.sort(np.bincount(labels, minlength=places))[::-1]
        thresholds.append(tie[i, j])
        largest.append(sizes[0] / places)
        second.append(sizes[1] / places)
        history.append(labels)
    peak = int(np.argmax(second))
    return Percolation(
        np.array(thresholds),
        np.array(largest),
        np.array(second),
        float(thresholds[peak]),
        float(thresholds[-1]),
        np.unique(history[peak], return_inverse=True)[1],
    )
