"""Actions and levers: columns of raw settings, what they set, and what is in force.

An agent sets a lever with one number for the whole city, or with one for each service, sector,
household type or department (``cells_of``). A group whose agents are the cells of an axis sets
each its own: districts, services, or private sectors.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from envs.city.levers import LEVERS, PARTS, SHAPES, UNIFORM, Policy
from envs.scenario import scaled

#: Cells of a lever's last axis that are set one by one.
CELLS: dict[str, tuple[str, ...]] = {
    shape: PARTS[axes[0]] for shape, axes in SHAPES.items() if len(axes) == 1 and axes[0] in PARTS
}
#: Relative weights of types: one number tilts them, positive towards low incomes.
TILTED = frozenset({"targeting"})
#: What an agent that is a cell calls its own cell.
OWN = "own"


def axes_of(name: str) -> tuple[str, ...]:
    """Axes of a lever beside the rows, as ``("district", "service")``."""
    shape = LEVERS[name].shape
    return tuple(shape.split(",")) if shape else ()


def cells_of(name: str, axis: str = "") -> tuple[str, ...]:
    """Cells that an agent sets one by one; none where it sets one number.

    Args:
        axis: what the agents of the group are; "" for one agent.
    """
    axes = axes_of(name)
    if not axes or axes[-1] == axis or name in UNIFORM:
        return ()
    return CELLS.get(axes[-1], ())


def action_names(levers: Sequence[str], axis: str = "") -> tuple[str, ...]:
    """Names of the columns of a group that holds ``levers``."""
    names: list[str] = []
    for name in levers:
        cells = cells_of(name, axis)
        if axis in CELLS:
            cells = (OWN,)
        names += [f"{name}[{cell}]" for cell in cells] if cells else [name]
    return tuple(names)


def settings(
    levers: Sequence[str], raw: Tensor, policy: Policy, reach: float, axis: str = ""
) -> Policy:
    """Physical settings of a group's levers ``[B, *lever shape]``.

    Args:
        raw: actions ``[B, n, columns]``. policy: gives the shapes. reach: share of each
            lever's range that an action of one spans.
    """
    result, column = {}, 0
    for name in levers:
        like, cells = policy[name], cells_of(name, axis)
        width = max(1, len(cells))
        columns = raw[..., column : column + width]
        column += width
        if name in TILTED:
            result[name] = tilted(reach * columns[:, 0, 0], like)
            continue
        spans = {axis: raw.shape[1], **({axes_of(name)[-1]: width} if cells else {})}
        shape = [spans.get(one, 1) for one in axes_of(name)]
        value = scaled(name, columns, reach)
        result[name] = value.reshape(-1, *shape).expand_as(like)
    return result


def in_force(levers: Sequence[str], policy: Policy, agents: int, axis: str = "") -> Tensor:
    """Settings in force by column of ``action_names`` ``[B, n, columns]``: 0 today's, as a
    share of the lever's range; of a tilted lever, log2 of the lowest incomes' weight.

    A lever that one number sets for many cells shows their mean.
    """
    columns = []
    for name in levers:
        lever, cells = LEVERS[name], cells_of(name, axis)
        if name in TILTED:
            value = torch.log2(policy[name][:, :1])
        else:
            value = (policy[name] - lever.default) / (lever.high - lever.low)
        kept = {axis, axes_of(name)[-1] if cells else ""}
        merged = [dim for dim, one in enumerate(axes_of(name), 1) if one not in kept]
        value = value.mean(merged) if merged else value
        columns.append(value.reshape(value.shape[0], agents, max(1, len(cells))))
    return torch.cat(columns, -1)


def spread(value: Tensor, like: Tensor) -> Tensor:
    """Broadcast a city-wide setting ``[B]`` over the shape of a lever ``[B, ...]``."""
    return value.reshape(-1, *(1,) * (like.dim() - 1)).expand_as(like)


def tilted(tilt: Tensor, like: Tensor) -> Tensor:
    """Weights ``[B, K, ...]`` from 2^tilt for the lowest incomes to 2^-tilt for the highest."""
    level = torch.linspace(1, -1, like.shape[1], dtype=like.dtype, device=like.device)
    return (2 ** (tilt.reshape(-1, 1, 1) * level.reshape(1, -1, 1))).expand_as(like)
