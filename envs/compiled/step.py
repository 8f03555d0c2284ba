"""A compiled step: its program, where its numbers lie, and what calls it."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from envs.city import tree
from envs.compiled import library
from envs.compiled.expressions import Buffer, Stage, View
from envs.compiled.lowering import ARRAYS, Lowering
from envs.compiled.program import program
from envs.compiled.rules import RULES
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


class CompiledStep:
    """A step of B environments, compiled.

    layouts: of the arrays of the program (``envs.compiled.program``).
    """

    def __init__(self, found: Trace, env: GovernanceEnv) -> None:
        self.layouts = _layouts(found, env)
        self._told, self._made_for = found.form, _signature(env)
        self.lanes = library.lanes(library.compiler())
        lowering = Lowering(RULES)
        lowering.run(found.graph, self._inputs(found), self._outputs(found))
        sizes = {array: layout.size for array, layout in self.layouts.items()}
        self.program = program(lowering, sizes, self.lanes)
        made = library.load(self.program.text)
        address = ctypes.c_void_p
        self._prepare, self._step = made.prepare, made.step
        self._prepare.argtypes = [ctypes.c_long, *[address] * 2]
        self._step.argtypes = [ctypes.c_long, *[address] * 9, ctypes.c_long]
        self._scratch = torch.empty(self.program.sizes["s"], self.lanes)
        self._left = torch.empty(1, sizes["f"], self.lanes)
        self.stand(env)

    def _inputs(self, found: Trace) -> list[View]:
        """Where every placeholder of the trace lies; what is not read lies nowhere."""
        known = {name: x for array in "xaqp" for name, x in _views(array, self.layouts[array])}
        nowhere = View.whole(Buffer("k", 0, Stage.SHARED, 0), (0,))
        names = [*found.carried, *found.ground, *found.given]
        return [known.get(name, nowhere) for name in names]

    def _outputs(self, found: Trace) -> list[View]:
        """Where every result of the trace lies."""
        carried = dict(_views("y", self.layouts["x"])) | dict(_views("f", self.layouts["f"]))
        told = dict(_views("o", self.layouts["o"]))
        return [carried[name] for name in found.carried] + [told[name] for name in found.told]

    def fits(self, env: GovernanceEnv) -> bool:
        """Whether the program is that of an environment's options, and of cities of these sizes."""
        return self._made_for == _signature(env)

    def stand(self, env: GovernanceEnv) -> None:
        """Go on with the numbers of the cities that an environment stands on now."""
        self.rows = env.num_envs
        found = dict(tree.leaves(numbers(env)))
        sizes, count = self.program.sizes, tiles(self.rows, self.lanes)
        own = torch.zeros(count, sizes["p"], self.lanes)
        self._shared = torch.zeros(1, sizes["q"], self.lanes)
        for array, name, rows in ((own, "p", self.rows), (self._shared, "q", 1)):
            layout = self.layouts[name]
            if layout.shapes:
                array[:, : layout.size] = tiled(layout.flat(found, rows), self.lanes)
        # where cities go round in a tile's step, all tiles are the same: one stays in the cache
        same = [next(j for j in range(i + 1) if torch.equal(own[i], own[j])) for i in range(count)]
        kept = sorted(set(same))
        self._own = own[kept].contiguous()
        self._which = torch.tensor([kept.index(i) for i in same], dtype=torch.long)
        self._prepare(len(kept), self._own.data_ptr(), self._shared.data_ptr())
        self._results = torch.empty(count, sizes["o"], self.lanes)
        self._room = [torch.empty(count, sizes["x"], self.lanes) for _ in range(2)]

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
        self._call(before, now, after, self._left, 0)
        results = iter(self.layouts["o"].named(untiled(self._results, self.rows)).values())
        return after, tree.tree_map(lambda _: next(results), self._told)

    def opened(self, before: Tensor, now: Tensor) -> Named:
        """All that a step carries on, with the ports that no step reads: it is made again."""
        size = self.layouts["f"].size
        left, after = torch.empty(before.shape[0], size, self.lanes), torch.empty_like(before)
        self._call(before, now, after, left, size)
        return self.layouts["x"].named(untiled(after, self.rows)) | self.layouts["f"].named(
            untiled(left, self.rows)
        )

    def _call(self, before: Tensor, now: Tensor, after: Tensor, left: Tensor, pace: int) -> None:
        """Call the program; ``left``: room for what no step reads, ``pace`` from tile to tile."""
        arrays = (before, now, self._own, self._which, self._shared, after, left, self._results)
        addresses = [x.data_ptr() for x in (*arrays, self._scratch)]
        self._step(before.shape[0], *addresses, pace)
