"""From a graph of tensor operations to statements over buffers.

Operations on numbers in the same places stay expressions until somebody needs them twice, views
cost nothing, and what only constants decide is worked out once for all. What hangs on the cities
alone is worked out before the first step (``Stage``).
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor
from torch.fx import Graph, Node

from envs.compiled.expressions import (
    Buffer,
    Expression,
    Number,
    Op,
    Shape,
    Stage,
    View,
    count,
    expanded,
)
from envs.compiled.statements import Assign, Move, Statement
from envs.errors import CompileError

#: Operations that an expression may hold before it is worked out.
LONGEST = 24
#: Arrays of what is worked out at each stage.
ARRAYS = {Stage.SHARED: "q", Stage.ROWS: "p", Stage.STEP: "s"}

Rule = Callable[["Lowering", tuple[Any, ...], Mapping[str, Any]], Any]

#: Second numbers that an operation leaves the first as it is by.
_NEUTRAL = {"add": 0.0, "sub": 0.0, "mul": 1.0, "div": 1.0, "pow": 1.0}
#: Operations that are worked out at once where all arguments are fixed numbers.
_ON_NUMBERS: dict[str, Callable[..., Tensor]] = {
    name: getattr(torch, name)
    for name in ("add", "sub", "mul", "div", "neg", "abs", "exp", "expm1", "log", "log1p", "tanh")
}


aten = torch.ops.aten
_SPLITS = {aten.split.Tensor, aten.split_with_sizes.default, aten.unbind.int}
_VIEWS = _SPLITS | {
    aten.view.default,
    aten._unsafe_view.default,
    aten.slice.Tensor,
    aten.unsqueeze.default,
    aten.squeeze.default,
    aten.squeeze.dim,
    aten.squeeze.dims,
    aten.expand.default,
    aten.select.int,
    aten.permute.default,
    aten.transpose.int,
    aten.t.default,
    aten.diagonal.default,
    aten.unfold.default,
}
_MOVES = {
    aten.index.Tensor,
    aten.index_select.default,
    aten.gather.default,
    aten.repeat.default,
    aten.flip.default,
    aten.roll.default,
}


class Lowering:
    """Statements of a graph in order, and the buffers that they need.

    rules: what becomes of an operation of torch (``envs.compiled.rules``), beside those that only
    look at numbers or move them.
    constants: numbers that are the same for every city and step, array ``k``.
    """

    def __init__(self, rules: Mapping[Any, Rule]) -> None:
        self.rules = rules
        self.statements: list[Statement] = []
        self.constants: list[float] = []
        self._known: dict[tuple[Shape, bytes], View] = {}

    def run(self, graph: Graph, inputs: Sequence[View], outputs: Sequence[View]) -> None:
        """Lower a graph.

        Args:
            inputs: where every placeholder lies. outputs: where every result is to lie.

        Raises:
            CompileError: operations that there is no rule for, all in one message.
        """
        if unknown := self._unknown(graph):
            raise CompileError(f"no rule for {', '.join(unknown)}")
        results = next(node for node in graph.nodes if node.op == "output").args[0]
        meant: dict[Node, View] = {}
        for node, view in zip(results, outputs, strict=True):
            meant.setdefault(node, view)
        found: dict[Node, Any] = {}
        places = iter(inputs)
        for node in graph.nodes:
            if node.op == "placeholder":
                found[node] = next(places)
            elif node.op == "get_attr":
                found[node] = getattr(graph.owning_module, str(node.target))
            elif node.op == "call_function":
                args = torch.fx.map_arg(node.args, found.__getitem__)
                kwargs = torch.fx.map_arg(node.kwargs, found.__getitem__)
                value = self._apply(node.target, cast(tuple[Any, ...], args), kwargs)
                again = len(node.users) > 1 or node in meant
                if isinstance(value, Op) and (again or value.size > LONGEST):
                    place = meant.get(node)
                    fits = place is not None and place.shape == value.shape
                    value = self.settled(value, place if fits else None)
                found[node] = value
        for node, view in zip(results, outputs, strict=True):
            value = self.expression(found[node])
            if not (isinstance(value, View) and value.buffer is view.buffer):
                self.put(view, expanded(value, view.shape))

    def _unknown(self, graph: Graph) -> list[str]:
        """Operations without a rule, of numbers that are not fixed."""
        known = self.rules.keys() | _VIEWS | _MOVES | {operator.getitem}
        moving: set[Node] = set()
        for node in graph.nodes:
            if node.op == "placeholder" or moving.intersection(node.all_input_nodes):
                moving.add(node)
        calls = (node.target for node in moving if node.op == "call_function")
        return sorted(str(target) for target in set(calls) - known)

    def _apply(self, target: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        if target is operator.getitem:
            return args[0][args[1]]
        if not any(isinstance(x, View | Op | Number) for x in _flat((args, kwargs))):
            return target(*args, **kwargs)
        if target in _VIEWS:
            return self._view(target, args, kwargs)
        if target in _MOVES:
            return self._moved(target, args, kwargs)
        return self.rules[target](self, args, kwargs)

    def expression(self, value: Any) -> Expression:
        """A value as an expression; tensors that are constant move into the program."""
        if isinstance(value, View | Op | Number):
            return value
        if not isinstance(value, Tensor):
            return Number(float(value), ())
        flat = value.detach().to(torch.float64)
        if flat.numel() and bool((flat == flat.flatten()[0]).all()):
            return Number(float(flat.flatten()[0]), tuple(value.shape))
        key = (tuple(value.shape), flat.contiguous().numpy().tobytes())
        if key not in self._known:
            buffer = Buffer("k", flat.numel(), Stage.SHARED, len(self.constants))
            self.constants += flat.flatten().tolist()
            self._known[key] = View.whole(buffer, tuple(value.shape))
        return self._known[key]

    def settled(self, value: Expression, target: View | None = None) -> View:
        """An expression worked out, in a buffer of its own or where it is meant to lie."""
        view = target or self.fresh(value.shape, value.stage)
        self.statements.append(Assign(view, value))
        return view

    def put(self, target: View, value: Expression) -> None:
        """Write an expression where it is meant to lie, or let it be made there."""
        if not (isinstance(value, View) and value.lies_in(target)):
            self.statements.append(Assign(target, value))

    def fresh(self, shape: Shape, stage: Stage) -> View:
        """A new buffer."""
        return View.whole(Buffer(ARRAYS[stage], count(shape), stage), shape)

    def lanes(self, value: Any) -> View:
        """A value as numbers that lie in an array of lanes."""
        found = self.expression(value)
        if isinstance(found, View) and found.array != "k":
            return found
        return self.settled(found)

    def pointwise(self, name: str, *values: Any) -> Expression:
        """An operation on numbers in the same places; shapes are repeated as in torch."""
        args = [self.expression(value) for value in values]
        shape = _broadcast(args)
        if name in _NEUTRAL and isinstance(args[1], Number) and args[1].value == _NEUTRAL[name]:
            return self._repeated(args[0], shape)
        first = args[0].value if name in ("add", "mul") and isinstance(args[0], Number) else None
        if first is not None and first == _NEUTRAL[name]:
            return self._repeated(args[1], shape)
        if all(isinstance(arg, Number) for arg in args) and name in _ON_NUMBERS:
            numbers = (torch.tensor(arg.value) for arg in args if isinstance(arg, Number))
            return Number(float(_ON_NUMBERS[name](*numbers)), shape)
        stage = max(arg.stage for arg in args)
        ready = []
        for arg in args:
            early = arg.stage < stage or count(arg.shape) < count(shape)
            ready.append(self.settled(arg) if isinstance(arg, Op) and early else arg)
        return Op.of(name, tuple(expanded(arg, shape) for arg in ready))

    def _repeated(self, value: Expression, shape: Shape) -> Expression:
        if isinstance(value, Op) and count(value.shape) < count(shape):
            value = self.settled(value)
        return expanded(value, shape)

    def _view(self, target: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        whole = args[0]

        def parts(value: Expression) -> Any:
            if target in _SPLITS:
                shape = torch.empty(value.shape, device="meta")
                return [
                    value.seen(lambda x, i=i: target(x, *args[1:], **kwargs)[i])  # type: ignore[misc]
                    for i in range(len(target(shape, *args[1:], **kwargs)))
                ]
            found = value.seen(lambda x: target(x, *args[1:], **kwargs))
            repeats = isinstance(value, Op) and count(found.shape) > count(value.shape)
            return parts(self.settled(value)) if repeats else found

        if isinstance(whole, Op) and target in _SPLITS:
            whole = self.settled(whole)
        try:
            return parts(whole)
        except RuntimeError:
            return parts(self.settled(whole))

    def _moved(self, target: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> View:
        """What an operation that only moves numbers makes of one tensor: told by where they lie.

        Raises:
            CompileError: where they go to hangs on other numbers.
        """
        if any(isinstance(x, View | Op | Number) for x in _flat((args[1:], kwargs))):
            raise CompileError(f"no rule for {target} by numbers that a step works out")
        view = self.lanes(args[0])
        span = torch.arange(view.buffer.size).as_strided(view.shape, view.stride, view.offset)
        places = target(span, *args[1:], **kwargs)
        result = self.fresh(tuple(places.shape), view.stage)
        pairs = tuple(enumerate(places.flatten().tolist()))
        self.statements.append(Move(result.buffer, view.buffer, pairs))
        return result


def _broadcast(args: Sequence[Expression]) -> Shape:
    """The shape that arguments are repeated to."""
    return tuple(np.broadcast_shapes(*(arg.shape for arg in args)))


def _flat(values: Any) -> list[Any]:
    if isinstance(values, Mapping):
        return [x for value in values.values() for x in _flat(value)]
    if isinstance(values, list | tuple):
        return [x for value in values for x in _flat(value)]
    return [values]
