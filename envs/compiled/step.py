"""A compiled step: its program, where its numbers lie, and what calls it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.fx import Graph

from envs.city import tree
from envs.compiled import library
from envs.compiled.expressions import Buffer, Stage, View
from envs.compiled.lowering import ARRAYS
from envs.compiled.machine import Machine
from envs.compiled.tiles import Layout, tiled, tiles, untiled
from envs.compiled.trace import Named, Trace, numbers
from envs.governance import GovernanceEnv

#: Arrays whose numbers are known before the first step; the others come with every step.
_EARLY = {array: stage for stage, array in ARRAYS.items() if stage < Stage.STEP}


def _layouts(found: Trace, env: GovernanceEnv) -> dict[str, Layout]:
    """What lies in the arrays of a program; of the cities only what the step reads."""
    ground = dict(tree.leaves(numbers(env)))
    used = {name: shape for name, shape in found.ground.items() if name in found.read}
    shared = {name: shape for name, shape in used.items() if ground[name].shape[0] == 1}
    carried = {
        name: shape
        for name, shape in found.carried.items()
        if name in found.read or not name.startswith("flows.")
    }
    return {
        "x": Layout(carried),
        "f": Layout({name: x for name, x in found.carried.items() if name not in carried}),
        "a": Layout(found.given),
        "q": Layout(shared),
        "p": Layout({name: shape for name, shape in used.items() if name not in shared}),
        "o": Layout(found.told),
    }


def _views(array: str, layout: Layout) -> Iterator[tuple[str, View]]:
    """Where the tensors of a layout lie in an array of the program."""
    for name, first in layout.places().items():
        shape = layout.shapes[name]
        buffer = Buffer(array, shape.numel(), _EARLY.get(array, Stage.STEP), first)
        yield name, View.whole(buffer, tuple(shape))


def _signature(env: GovernanceEnv) -> list[Any]:
    sizes = [(name, x.shape[0] == 1, x.shape[1:]) for name, x in tree.leaves(numbers(env))]
    return [env.options, env._ground.prices.names, *sizes]


def _without(found: Trace, dropped: Collection[str]) -> Graph:
    """The graph of a trace without some of its results, and without what only they needed."""
    graph = Graph(found.graph.owning_module)
    results = graph.graph_copy(found.graph, {})
    assert isinstance(results, list)
    named = zip([*found.carried, *found.told], results, strict=True)
    graph.output([result for name, result in named if name not in dropped])
    graph.eliminate_dead_code()
    return graph


class CompiledStep:
    """A step of B environments, compiled.

    layouts: of the arrays of the program (``envs.compiled.program``).
    """

    def __init__(self, found: Trace, env: GovernanceEnv) -> None:
        self.layouts = _layouts(found, env)
        self.lanes = library.lanes(library.compiler())
        self._trace, self._made_for = found, _signature(env)
        self._machine = self._made(everything=False)
        self._whole: Machine | None = None
        self.stand(env)

    def _made(self, everything: bool) -> Machine:
        """A machine of a step, that gives what no step reads or leaves it out."""
        found = self._trace
        graph = found.graph if everything else _without(found, self.layouts["f"].shapes)
        places = dict(_views("y", self.layouts["x"])) | dict(_views("o", self.layouts["o"]))
        if everything:
            places |= dict(_views("f", self.layouts["f"]))
        outputs = [places[name] for name in (*found.carried, *found.told) if name in places]
        sizes = {array: layout.size for array, layout in self.layouts.items()}
        return Machine(graph, self._inputs(), outputs, sizes, self.lanes)

    def _inputs(self) -> list[View]:
        """Where every placeholder of the trace lies; what is not read lies nowhere."""
        known = {name: x for array in "xaqp" for name, x in _views(array, self.layouts[array])}
        nowhere = View.whole(Buffer("k", 0, Stage.SHARED, 0), (0,))
        names = [*self._trace.carried, *self._trace.ground, *self._trace.given]
        return [known.get(name, nowhere) for name in names]

    def fits(self, env: GovernanceEnv) -> bool:
        """Whether the program is that of an environment's options, and of cities of these sizes."""
        return self._made_for == _signature(env)

    def stand(self, env: GovernanceEnv) -> None:
        """Go on with the numbers of the cities that an environment stands on now."""
        self.rows = env.num_envs
        found, count = dict(tree.leaves(numbers(env))), tiles(self.rows, self.lanes)
        own, shared = (
            tiled(layout.flat(found, rows), self.lanes)
            if layout.shapes
            else torch.zeros(tiles(rows, self.lanes), 0, self.lanes)
            for layout, rows in ((self.layouts["p"], self.rows), (self.layouts["q"], 1))
        )
        # where cities go round in a tile's step, all tiles are the same: one stays in the cache
        same = [next(j for j in range(i + 1) if torch.equal(own[i], own[j])) for i in range(count)]
        kept = sorted(set(same))
        self._which = torch.tensor([kept.index(i) for i in same], dtype=torch.long)
        self._cities = own[kept], shared
        for machine in filter(None, (self._machine, self._whole)):
            machine.stand(*self._cities)
        self._results = torch.empty(count, self.layouts["o"].size, self.lanes)
        self._room = [torch.empty(count, self.layouts["x"].size, self.lanes) for _ in range(2)]

    def carried(self, tensors: Mapping[str, Tensor]) -> Tensor:
        """What is carried into a step, as tiles ``[T, N, L]``."""
        return tiled(self.layouts["x"].flat(tensors, self.rows), self.lanes)

    def given(self, tensors: Mapping[str, Tensor]) -> Tensor:
        """What comes with a step, as tiles ``[T, A, L]``."""
        return tiled(self.layouts["a"].flat(tensors, self.rows), self.lanes)

    def advance(self, before: Tensor, now: Tensor) -> tuple[Tensor, dict[str, Any]]:
        """Step all environments.

        Args:
            before: what is carried ``[T, N, L]``. now: what comes with the step ``[T, A, L]``.

        Returns:
            What is carried on, in tiles, and what the step tells (`envs.compiled.trace.told`).
            Tiles are written over two steps later.
        """
        after = self._room[0] if before is self._room[1] else self._room[1]
        nothing = torch.empty(0)
        self._machine.step(before, now, self._which, after, nothing, self._results)
        results = iter(self.layouts["o"].named(untiled(self._results, self.rows)).values())
        return after, tree.tree_map(lambda _: next(results), self._trace.form)

    def opened(self, before: Tensor, now: Tensor, after: Tensor) -> Named:
        """All that a step carried on, with the ports that no step reads.

        For those the step is made again, by a program of its own that is compiled when it is first
        needed.
        """
        if self._whole is None:
            self._whole = self._made(everything=True)
            self._whole.stand(*self._cities)
        again, results = torch.empty_like(after), torch.empty_like(self._results)
        left = torch.empty(len(before), self.layouts["f"].size, self.lanes)
        self._whole.step(before, now, self._which, again, left, results)
        return self.layouts["x"].named(untiled(after, self.rows)) | self.layouts["f"].named(
            untiled(left, self.rows)
        )
