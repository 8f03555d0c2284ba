"""Running a city with some ports live and others frozen, ruled or replayed (MODEL section 10).

A run records its ports. Any block alone on recorded ports reproduces the coupled run to the
bit; a coupling strength between 0 and 1 blends a held port with the live one; and the welfare
of the coupled city minus that of its blocks one by one measures their interaction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from envs.city import tree, welfare
from envs.city.model import City, CityState, Flows
from envs.city.shocks import Shocks, no_shocks
from envs.city.valuation import discount_factor
from envs.city.wiring import BLOCKS, MODES, WRITERS, Held, ports_of

#: Blocks whose interaction is measured; the treasury couples them and stays live.
COUPLED: tuple[str, ...] = tuple(block for block in BLOCKS if block != "treasury")

Rule = Callable[[Mapping[str, Any]], Any]


@dataclass(frozen=True)
class Port:
    """How one port is supplied.

    Attributes:
        mode: "live" from its writer; "frozen" at its first value; "rule", a function of the
            ports written before it; "replay" from a record.
        coupling: strength of the live port in [0, 1]; 0 holds the port fully.
        rule: the function of mode "rule".
    """

    mode: str = "live"
    coupling: float = 0.0
    rule: Rule | None = None

    def problems(self, name: str) -> list[str]:
        """What is wrong with the choice, in words."""
        found = []
        if name not in WRITERS:
            found.append(f"port {name!r} is unknown; known: {', '.join(WRITERS)}")
        if self.mode not in MODES:
            found.append(f"port {name!r}: mode {self.mode!r}, expected one of {', '.join(MODES)}")
        if not 0 <= self.coupling <= 1:
            found.append(f"port {name!r}: coupling {self.coupling:g}, expected 0 to 1")
        if (self.mode == "rule") != (self.rule is not None):
            found.append(f"port {name!r}: a rule goes with mode 'rule', and only with it")
        return found


@dataclass(frozen=True)
class Driver:
    """Where the ports of a run come from.

    Attributes:
        ports: by port name; a port that is absent is live.
        record: recorded months for replay. every: months between two records; months in
            between are interpolated, and the last record holds on.
        frozen: month at which frozen ports stand still (default: the city's first).

    Raises:
        ValueError: unknown ports or modes, strengths outside [0, 1], replay without a record;
            all in one message.
    """

    ports: Mapping[str, Port] = field(default_factory=dict)
    record: Sequence[Flows] = ()
    every: int = 1
    frozen: Flows | None = None

    def __post_init__(self) -> None:
        problems = [text for name, port in self.ports.items() for text in port.problems(name)]
        if any(port.mode == "replay" for port in self.ports.values()) and not self.record:
            problems.append("replay needs a record of at least one month")
        if self.every < 1:
            problems.append(f"every={self.every}: expected at least 1 month between records")
        if problems:
            raise ValueError("; ".join(problems))

    @classmethod
    def alone(cls, block: str, record: Sequence[Flows], every: int = 1) -> Driver:
        """One block live, every other port replayed.

        Raises:
            ValueError: an unknown block.
        """
        if block not in BLOCKS:
            raise ValueError(f"block {block!r} is unknown; known: {', '.join(BLOCKS)}")
        held = {name: Port("replay") for name, writer in WRITERS.items() if writer != block}
        return cls(held, record, every)

    def held(self, month: int, first: Flows) -> dict[str, Held]:
        """What is held in a month (counted from 0); ``first`` is the city's first month."""
        still = self.frozen or first
        sources: dict[str, Callable[[str, Port], Any]] = {
            "frozen": lambda name, _: getattr(still, name),
            "rule": lambda _, port: port.rule,
            "replay": lambda name, _: self._recorded(name, month),
        }
        return {
            name: Held(sources[port.mode](name, port), port.coupling)
            for name, port in self.ports.items()
            if port.mode != "live"
        }

    def _recorded(self, name: str, month: int) -> Any:
        """A port of the record, interpolated between two recorded months."""
        index, rest = divmod(month, self.every)
        now = getattr(self.record[min(index, len(self.record) - 1)], name)
        if rest == 0 or index + 1 >= len(self.record):
            return now
        later, share = getattr(self.record[index + 1], name), rest / self.every
        return tree.tree_map(lambda a, b: a + share * (b - a), now, later)


@dataclass(frozen=True)
class Run:
    """States before each month and after the last (months + 1), and the ports of each month."""

    states: list[CityState]
    flows: list[Flows]


def first_month(city: City, rows: int) -> Flows:
    """Ports of the city's first month under the status quo ``[rows, ...]``."""
    state = city.initial(rows)
    like = state.planning.home_rent
    _, flows = city.step(state, {}, no_shocks(rows, city.districts, like), "soft")
    return flows


def run(
    city: City,
    months: int,
    requested: Mapping[str, Tensor] | None = None,
    mode: str = "pooled",
    weather: Sequence[Shocks] | None = None,
    driver: Driver | None = None,
    rows: int | None = None,
) -> Run:
    """Run a city from its first month.

    Args:
        requested: levers in physical units ``[B, ...]``, held throughout.
        weather: shocks month by month (default: a quiet world).
        driver: where ports come from (default: all live).
        rows: number of rows B (default: those of ``requested``, else of the city).
    """
    levers = dict(requested or {})
    count = rows or (next(iter(levers.values())).shape[0] if levers else city.rows)
    state = city.initial(count)
    quiet = no_shocks(count, city.districts, state.planning.home_rent)
    source = driver or Driver()
    first = first_month(city, count) if source.ports else None
    states, flows = [state], []
    for month in range(months):
        held = {} if first is None else source.held(month, first)
        shocks = quiet if weather is None else weather[month]
        state, now = city.step(state, levers, shocks, mode, held=held)
        states.append(state)
        flows.append(now)
    return Run(states, flows)


@dataclass(frozen=True)
class Interaction:
    """Welfare of a policy taken apart by block, ``[B]`` present values over total income.

    direct: with the four blocks frozen, what taxes and transfers do at once; alone: what each
    block adds when it alone may respond; coupled: all live.
    """

    direct: Tensor
    alone: dict[str, Tensor]
    coupled: Tensor

    @property
    def interaction(self) -> Tensor:
        """Coupled welfare that no block brings about alone ``[B]``."""
        return self.coupled - self.direct - torch.stack(list(self.alone.values())).sum(0)


def interaction(
    city: City, requested: Mapping[str, Tensor], months: int, mode: str = "pooled"
) -> Interaction:
    """Measure how much of a policy's outcome is interaction between the blocks.

    Each block is released in turn while the ports of the other blocks stand still at their
    first values; commuting, budgets, valuation and the treasury stay live throughout.
    """
    ref = welfare.reference(city)
    beta = discount_factor(city)

    def worth(live: Sequence[str]) -> Tensor:
        still = ports_of(block for block in COUPLED if block not in live)
        driver = Driver({name: Port("frozen") for name in still})
        flows = run(city, months, requested, mode, driver=driver).flows
        gains = [welfare.evaluate(city, ref, month).incumbents for month in flows]
        return sum((beta**t * gain for t, gain in enumerate(gains)), torch.zeros_like(gains[0]))

    direct = worth(())
    return Interaction(
        direct=direct,
        alone={block: worth((block,)) - direct for block in COUPLED},
        coupled=worth(COUPLED),
    )


def coupling_curve(
    city: City,
    requested: Mapping[str, Tensor],
    months: int,
    strengths: Sequence[float],
    mode: str = "pooled",
) -> Tensor:
    """Welfare ``[strengths, B]`` with every port of the four blocks coupled at a strength."""
    ref, beta = welfare.reference(city), discount_factor(city)
    curve = []
    for strength in strengths:
        driver = Driver({name: Port("frozen", strength) for name in ports_of(COUPLED)})
        flows = run(city, months, requested, mode, driver=driver).flows
        gains = [welfare.evaluate(city, ref, month).incumbents for month in flows]
        curve.append(sum((beta**t * g for t, g in enumerate(gains)), torch.zeros_like(gains[0])))
    return torch.stack(curve)
