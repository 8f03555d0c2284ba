"""Statements of a program: loops over the numbers of a buffer, as text in C++."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from envs.compiled.expressions import (
    Buffer,
    Expression,
    Number,
    Op,
    Shape,
    View,
    count,
    leaves,
    mapped,
)

#: Text of every operation; ``{}`` are its arguments. Where an argument is not a number, so is the
#: result, as in torch.
OPERATIONS: dict[str, str] = {
    "add": "({} + {})",
    "sub": "({} - {})",
    "mul": "({} * {})",
    "div": "quotient({}, {})",
    "neg": "(-{})",
    "abs": "absolute({})",
    "exp": "exponential({})",
    "expm1": "exponential_less_one({})",
    "log": "logarithm({})",
    "log1p": "logarithm_of_one_more({})",
    "tanh": "tangent({})",
    "sqrt": "root({})",
    "pow": "power({}, {})",
    "maximum": "larger({}, {})",
    "minimum": "smaller({}, {})",
    "where": "({} ? {} : {})",
}
#: Operations that say yes or no: masks inside an expression, one or zero in an array.
TESTS: dict[str, str] = {
    "lt": "({} < {})",
    "le": "({} <= {})",
    "gt": "({} > {})",
    "ge": "({} >= {})",
    "eq": "({} == {})",
    "ne": "({} != {})",
    "and": "({} & {})",
    "or": "({} | {})",
    "not": "(~{})",
}
#: Tests of tests, not of numbers.
LOGICAL = ("and", "or", "not")


class Statement(Protocol):
    """Writes a buffer."""

    @property
    def writes(self) -> Buffer: ...
    @property
    def reads(self) -> tuple[Buffer, ...]: ...
    def text(self) -> str: ...


def place(view: View, indices: Sequence[str]) -> str:
    """A number of a view."""
    first = view.buffer.at + view.offset
    steps = [
        index if stride == 1 else f"{stride} * {index}"
        for index, stride, n in zip(indices, view.stride, view.shape, strict=True)
        if stride and n > 1
    ]
    found = f"{view.array}[{' + '.join([str(first), *steps])}]"
    return f"all({found})" if view.array == "k" else found


def value(expression: Expression, indices: Sequence[str]) -> str:
    """An expression as a number."""
    if isinstance(expression, View):
        return place(expression, indices)
    if isinstance(expression, Number):
        return f"all({literal(expression.value)})"
    if expression.name in TESTS:
        return f"one_or_zero({mask(expression, indices)})"
    args = [value(arg, indices) for arg in expression.args]
    if expression.name == "where":
        args[0] = mask(expression.args[0], indices)
    return OPERATIONS[expression.name].format(*args)


def mask(expression: Expression, indices: Sequence[str]) -> str:
    """An expression as a yes or no."""
    if isinstance(expression, Op) and expression.name in TESTS:
        inner = mask if expression.name in LOGICAL else value
        return TESTS[expression.name].format(*(inner(arg, indices) for arg in expression.args))
    return f"({value(expression, indices)} != 0)"


def literal(number: float) -> str:
    """A number in C++."""
    if number != number:
        return '__builtin_nanf("")'
    if number in (float("inf"), float("-inf")):
        return "__builtin_inff()" if number > 0 else "(-__builtin_inff())"
    return f"{float(number)!r}f"


def loops(shape: Shape, first: int = 0) -> tuple[str, list[str]]:
    """Heads of nested loops over a shape, and their indices; an axis of one has none."""
    indices = [f"i{first + axis}" for axis in range(len(shape))]
    heads = [
        f"for (int {index} = 0; {index} < {n}; ++{index}) "
        for index, n in zip(indices, shape, strict=True)
        if n > 1
    ]
    return "".join(heads), indices


def merged(shape: Shape, views: Sequence[View]) -> list[tuple[int, ...]]:
    """Neighbouring axes that all views step through as through one; axes of one are left out."""
    groups: list[tuple[int, ...]] = []
    for axis in (a for a, n in enumerate(shape) if n > 1):
        if groups and all(
            view.stride[groups[-1][-1]] == view.stride[axis] * shape[axis] for view in views
        ):
            groups[-1] = (*groups[-1], axis)
        else:
            groups.append((axis,))
    return groups


@dataclass(frozen=True)
class _OfExpression:
    """Numbers of a view, from an expression."""

    target: View
    source: Expression

    @property
    def writes(self) -> Buffer:
        """Buffer of the target."""
        return self.target.buffer

    @property
    def reads(self) -> tuple[Buffer, ...]:
        """Buffers of the expression."""
        return tuple(view.buffer for view in leaves(self.source))


@dataclass(frozen=True)
class Assign(_OfExpression):
    """Numbers of a view, from an expression of its shape."""

    def text(self) -> str:
        """A nest of loops."""
        shape = self.target.shape
        groups = merged(shape, [self.target, *leaves(self.source)])
        sizes = tuple(count(tuple(shape[axis] for axis in group)) for group in groups)

        def change(view: View) -> View:
            return View(view.buffer, sizes, tuple(view.stride[g[-1]] for g in groups), view.offset)

        heads, indices = loops(sizes)
        source = mapped(self.source, change, sizes)
        return f"{heads}{place(change(self.target), indices)} = {value(source, indices)};"


@dataclass(frozen=True)
class Reduce(_OfExpression):
    """Numbers of a view, from all those along some axes of an expression.

    fold: text that joins two; first: what folding begins with; axes: of the source, which the
    target does not have.
    """

    axes: tuple[int, ...]
    fold: str
    first: float

    def text(self) -> str:
        """A nest of loops with a sum inside."""
        rank = len(self.source.shape)
        kept = [axis for axis in range(rank) if axis not in self.axes]
        names = [""] * rank
        outer, indices = loops(tuple(self.source.shape[a] for a in kept))
        inner, folded = loops(tuple(self.source.shape[a] for a in self.axes), len(kept))
        for axis, name in zip([*kept, *self.axes], [*indices, *folded], strict=True):
            names[axis] = name
        join = self.fold.format("t", value(self.source, names))
        return (
            f"{outer}{{ v t = all({literal(self.first)}); {inner}t = {join}; "
            f"{place(self.target, indices)} = t; }}"
        )


@dataclass(frozen=True)
class Product:
    """A batch of matrix products ``[n, i, j] = [n, i, k] [n, k, j]``; the target has no gaps."""

    target: View
    left: View
    right: View

    @property
    def writes(self) -> Buffer:
        """Buffer of the target."""
        return self.target.buffer

    @property
    def reads(self) -> tuple[Buffer, ...]:
        """Buffers of the factors."""
        return self.left.buffer, self.right.buffer

    def text(self) -> str:
        """A call for every matrix."""
        (n, rows, inner), columns = self.left.shape, self.right.shape[2]
        heads, (index, *_) = loops((n,))
        where = index if n > 1 else "0"
        steps = (*self.left.stride[1:], *self.right.stride[1:])
        places = ", ".join(
            f"&{view.array}[{view.buffer.at + view.offset} + {view.stride[0]} * {where}]"
            for view in (self.target, self.left, self.right)
        )
        numbers = ", ".join(str(x) for x in (rows, inner, columns, *steps))
        return f"{heads}product({places}, {numbers});"


@dataclass(frozen=True)
class Move:
    """Chosen numbers of a buffer into chosen places of another.

    pairs: (place in the target, place in the source) of every number.
    """

    target: Buffer
    source: Buffer
    pairs: tuple[tuple[int, int], ...]

    @property
    def writes(self) -> Buffer:
        """The target."""
        return self.target

    @property
    def reads(self) -> tuple[Buffer, ...]:
        """The source."""
        return (self.source,)

    def text(self) -> str:
        """A loop over a table of places."""
        to = ", ".join(str(self.target.at + pair[0]) for pair in self.pairs)
        of = ", ".join(str(self.source.at + pair[1]) for pair in self.pairs)
        array = self.source.root.array
        source = f"{array}[of[i]]"
        taken = f"all({source})" if array == "k" else source
        return (
            f"{{ static const int to[] = {{{to}}}, of[] = {{{of}}}; "
            f"for (int i = 0; i < {len(self.pairs)}; ++i) {self.target.root.array}[to[i]] = "
            f"{taken}; }}"
        )
