"""A compiled program, ready to be called."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.fx import Graph
from torch.nn import functional

from envs.compiled import library
from envs.compiled.expressions import View
from envs.compiled.lowering import Lowering
from envs.compiled.program import program
from envs.compiled.rules import RULES


class Machine:
    """A program, with the numbers that it reads of cities and has worked out from them.

    Shapes: T tiles of L lanes; P numbers of a tile's own cities, Q of all.
    """

    def __init__(
        self,
        graph: Graph,
        inputs: Sequence[View],
        outputs: Sequence[View],
        begun: dict[str, int],
        lanes: int,
    ) -> None:
        """Args: as of ``Lowering.run`` and ``envs.compiled.program.program``."""
        lowering = Lowering(RULES)
        lowering.run(graph, inputs, outputs)
        made = program(lowering, begun, lanes)
        library_ = library.load(made.text)
        address = ctypes.c_void_p
        self.sizes = made.sizes
        self._prepare, self._step = library_.prepare, library_.step
        self._prepare.argtypes = [ctypes.c_long, *[address] * 2]
        self._step.argtypes = [ctypes.c_long, *[address] * 9, ctypes.c_long]
        self._scratch = torch.empty(self.sizes["s"], lanes)

    def stand(self, own: Tensor, shared: Tensor) -> None:
        """Go on with other cities.

        Args:
            own: numbers of each tile that differs ``[kept, P, L]``. shared: of all ``[1, Q, L]``.
        """
        self._own, self._shared = (
            functional.pad(numbers, (0, 0, 0, self.sizes[array] - numbers.shape[1]))
            for array, numbers in (("p", own), ("q", shared))
        )
        self._prepare(len(own), self._own.data_ptr(), self._shared.data_ptr())

    def step(
        self,
        before: Tensor,
        now: Tensor,
        which: Tensor,
        after: Tensor,
        left: Tensor,
        results: Tensor,
    ) -> None:
        """Step all tiles.

        Args:
            which: tile of cities that each stands on ``[T]``. after: room for what is carried on.
            left: room for what no step reads, where the program gives that.
        """
        arrays = (before, now, self._own, which, self._shared, after, left, results, self._scratch)
        pace = left.shape[1] if len(left) else 0
        self._step(len(before), *(x.data_ptr() for x in arrays), pace)
