"""Numbers of a program: where they lie, and expressions of them that are not yet worked out.

Every number stands for one environment; a program works on a vector of environments at a time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import IntEnum

import torch
from torch import Tensor

Shape = tuple[int, ...]


class Stage(IntEnum):
    """When numbers become known: once for all environments, once for each, or with every step."""

    SHARED = 0
    ROWS = 1
    STEP = 2


@dataclass(eq=False)
class Buffer:
    """A run of numbers in an array of the program.

    array: its name; size: of the run; first: where it begins in the array, once that is settled;
    inside: a buffer that it is a part of, from ``first`` on.
    """

    array: str
    size: int
    stage: Stage
    first: int = -1
    inside: Buffer | None = None

    @property
    def root(self) -> Buffer:
        """The buffer that it is a part of, or itself."""
        return self if self.inside is None else self.inside.root

    @property
    def at(self) -> int:
        """Where it begins in the array of its root."""
        return self.first if self.inside is None else self.inside.at + self.first

    @property
    def free(self) -> bool:
        """Whether it may yet lie anywhere."""
        return self.inside is None and self.first < 0


@dataclass(frozen=True)
class View:
    """A strided view of a buffer."""

    buffer: Buffer
    shape: Shape
    stride: Shape
    offset: int = 0

    @classmethod
    def whole(cls, buffer: Buffer, shape: Shape) -> View:
        """All of a buffer, the last axis innermost."""
        return cls(buffer, shape, tuple(torch.empty(shape, device="meta").stride()))

    @property
    def stage(self) -> Stage:
        """When the numbers are known."""
        return self.buffer.stage

    @property
    def array(self) -> str:
        """Array in which the numbers lie."""
        return self.buffer.root.array

    @property
    def plain(self) -> bool:
        """Whether its numbers lie one after another."""
        return self.stride == View.whole(self.buffer, self.shape).stride

    def lies_in(self, target: View) -> bool:
        """Let the buffer be the target's place, if it is all that is seen and lies nowhere yet."""
        whole = self.plain and count(self.shape) == self.buffer.size == count(target.shape)
        apart = self.buffer is not target.buffer.root and self.stage == target.stage
        if not (self.buffer.free and whole and apart and target.plain):
            return False
        self.buffer.inside, self.buffer.first = target.buffer, target.offset
        return True

    def seen(self, look: Callable[[Tensor], Tensor]) -> View:
        """The view that a view of torch makes of this one.

        Raises:
            RuntimeError: torch would have to copy.
        """
        span = (
            self.offset
            + 1
            + sum((n - 1) * step for n, step in zip(self.shape, self.stride, strict=True))
        )
        laid = torch.empty(max(span, 0), device="meta").as_strided(
            self.shape, self.stride, self.offset
        )
        found = look(laid)
        return View(
            self.buffer, tuple(found.shape), tuple(found.stride()), int(found.storage_offset())
        )


@dataclass(frozen=True)
class Number:
    """One number that is fixed, in any shape."""

    value: float
    shape: Shape

    @property
    def stage(self) -> Stage:
        """When it is known."""
        return Stage.SHARED

    def seen(self, look: Callable[[Tensor], Tensor]) -> Number:
        """The same in another shape."""
        return Number(self.value, tuple(look(torch.empty(self.shape, device="meta")).shape))


@dataclass(frozen=True)
class Op:
    """An operation on numbers in the same places of its arguments, all of one shape."""

    name: str
    args: tuple[Expression, ...]
    shape: Shape
    size: int
    stage: Stage

    @classmethod
    def of(cls, name: str, args: tuple[Expression, ...]) -> Op:
        """An operation on arguments of one shape."""
        size = 1 + sum(arg.size for arg in args if isinstance(arg, Op))
        return cls(name, args, args[0].shape, size, max(arg.stage for arg in args))

    def seen(self, look: Callable[[Tensor], Tensor]) -> Op:
        """The operation on views of its arguments."""
        return Op.of(self.name, tuple(arg.seen(look) for arg in self.args))


Expression = View | Number | Op


def leaves(expression: Expression) -> Iterator[View]:
    """Views that an expression reads."""
    if isinstance(expression, View):
        yield expression
    elif isinstance(expression, Op):
        for arg in expression.args:
            yield from leaves(arg)


def mapped(expression: Expression, change: Callable[[View], View], shape: Shape) -> Expression:
    """An expression of other views, of another shape."""
    if isinstance(expression, View):
        return change(expression)
    if isinstance(expression, Number):
        return replace(expression, shape=shape)
    args = tuple(mapped(arg, change, shape) for arg in expression.args)
    return replace(expression, args=args, shape=shape)


def expanded(expression: Expression, shape: Shape) -> Expression:
    """An expression repeated to a shape."""
    if expression.shape == shape:
        return expression
    return expression.seen(lambda x: x.expand(shape))


def count(shape: Shape) -> int:
    """Numbers in a shape."""
    return math.prod(shape)
