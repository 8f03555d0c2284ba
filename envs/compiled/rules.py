"""What becomes of the operations of torch: one rule for each.

A new operation in the equations needs a line here, and a text in ``envs.compiled.statements`` where
it works number by number.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, cast

import torch

from envs.compiled.expressions import Expression, Number, Op, View, count, expanded
from envs.compiled.lowering import Lowering, Rule
from envs.compiled.statements import Product, Reduce
from envs.errors import CompileError


def _plain(name: str) -> Rule:
    return lambda lower, args, kwargs: lower.pointwise(name, *args)


def _scaled(name: str) -> Rule:
    """``a + alpha b`` and the like."""

    def rule(lower: Lowering, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Expression:
        first, second = args
        if kwargs.get("alpha", 1) != 1:
            second = lower.pointwise("mul", second, kwargs["alpha"])
        return lower.pointwise(name, first, second)

    return rule


def _divided(lower: Lowering, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Expression:
    """A quotient; of what is known early the inverse is taken early, since division is slow."""
    above, below = (lower.expression(x) for x in args)
    if below.stage < above.stage:
        return lower.pointwise("mul", above, lower.pointwise("div", 1.0, below))
    return lower.pointwise("div", above, below)


def _clamp(lower: Lowering, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Expression:
    value, least, most = (*args, kwargs.get("min"), kwargs.get("max"))[:3]
    for name, bound in (("maximum", least), ("minimum", most)):
        if bound is not None:
            value = lower.pointwise(name, value, bound)
    return cast(Expression, value)


def _power(lower: Lowering, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Expression:
    base, exponent = args
    if isinstance(exponent, float | int):
        if exponent in (2, 3):
            base = lower.expression(base)
            base = lower.settled(base) if isinstance(base, Op) else base
            square = lower.pointwise("mul", base, base)
            return square if exponent == 2 else lower.pointwise("mul", square, base)
        if exponent == 0.5:
            return lower.pointwise("sqrt", base)
        if exponent == -1:
            return lower.pointwise("div", 1.0, base)
    return lower.pointwise("pow", base, exponent)


def _sigmoid(lower: Lowering, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Expression:
    power = lower.pointwise("exp", lower.pointwise("neg", args[0]))
    return lower.pointwise("div", 1.0, lower.pointwise("add", power, 1.0))


def _rescaled_log(base: float) -> Rule:
    return lambda lower, args, _: lower.pointwise(
        "mul", lower.pointwise("log", args[0]), 1 / math.log(base)
    )


def _same(lower: Lowering, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    return args[0]


def _cast(lower: Lowering, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """Numbers in another type: all are real, and yes and no are one and zero."""
    dtype = kwargs.get("dtype")
    if dtype is not None and not dtype.is_floating_point:
        raise CompileError(f"no rule for numbers as {dtype}")
    return args[0]


def _axes(rank: int, dims: Any) -> tuple[int, ...]:
    if dims is None or dims == []:
        return tuple(range(rank))
    several = dims if isinstance(dims, list | tuple) else [dims]
    return tuple(sorted(dim % rank for dim in several))


def _folded(fold: str, first: float, mean: bool = False) -> Rule:
    def rule(lower: Lowering, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Expression:
        value = lower.expression(args[0])
        shape = value.shape
        axes = _axes(len(shape), args[1] if len(args) > 1 else kwargs.get("dim"))
        keep = args[2] if len(args) > 2 else kwargs.get("keepdim", False)
        kept = tuple(n for axis, n in enumerate(shape) if axis not in axes)
        target = lower.fresh(kept, value.stage)
        lower.statements.append(Reduce(target, value, axes, fold, first))
        result: Expression = target
        if mean:
            result = lower.pointwise("mul", target, count(kept) / count(shape))
        if keep:
            full = tuple(1 if axis in axes else n for axis, n in enumerate(shape))
            result = result.seen(lambda x: x.reshape(full))
        return result

    return rule


def _norm(lower: Lowering, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Expression:
    value, order, *rest = (*args, 2) if len(args) == 1 else args
    if order != 2:
        raise CompileError(f"no rule for a norm of order {order}")
    square = _power(lower, (value, 2), {})
    total = _folded("{} + {}", 0.0)(lower, (square, *rest), kwargs)
    return lower.pointwise("sqrt", total)


def _cat(lower: Lowering, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> View:
    parts = [lower.expression(x) for x in args[0]]
    axis = args[1] if len(args) > 1 else kwargs.get("dim", 0)
    shape = tuple(torch.cat([torch.empty(p.shape, device="meta") for p in parts], axis).shape)
    target, first = lower.fresh(shape, max(part.stage for part in parts)), 0
    for part in parts:
        size = part.shape[axis]
        lower.put(_narrow(target, axis, first, size), part)
        first += size
    return target


def _narrow(view: View, axis: int, first: int, size: int) -> View:
    return view.seen(lambda x: x.narrow(axis, first, size))


def _softmax(lower: Lowering, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Expression:
    most = _folded("larger({}, {})", -float("inf"))(lower, (args[0], [args[1]], True), {})
    power = lower.settled(lower.pointwise("exp", lower.pointwise("sub", args[0], most)))
    total = _folded("{} + {}", 0.0)(lower, (power, [args[1]], True), {})
    return lower.pointwise("div", power, total)


def _product(lower: Lowering, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> View:
    left, right = lower.lanes(args[0]), lower.lanes(args[1])
    flat = len(left.shape) == 2
    if flat:
        left, right = (view.seen(lambda x: x.unsqueeze(0)) for view in (left, right))
    n, rows, columns = *left.shape[:2], right.shape[2]
    target = lower.fresh((n, rows, columns), max(left.stage, right.stage))
    lower.statements.append(Product(target, left, right))
    return target.seen(lambda x: x.squeeze(0)) if flat else target


aten = torch.ops.aten
RULES: dict[Any, Rule] = {
    aten.add.Tensor: _scaled("add"),
    aten.sub.Tensor: _scaled("sub"),
    aten.mul.Tensor: _plain("mul"),
    aten.div.Tensor: _divided,
    aten.neg.default: _plain("neg"),
    aten.abs.default: _plain("abs"),
    aten.exp.default: _plain("exp"),
    aten.expm1.default: _plain("expm1"),
    aten.log.default: _plain("log"),
    aten.log1p.default: _plain("log1p"),
    aten.log2.default: _rescaled_log(2.0),
    aten.log10.default: _rescaled_log(10.0),
    aten.tanh.default: _plain("tanh"),
    aten.sqrt.default: _plain("sqrt"),
    aten.maximum.default: _plain("maximum"),
    aten.minimum.default: _plain("minimum"),
    aten.where.self: _plain("where"),
    aten.clamp.default: _clamp,
    aten.clamp.Tensor: _clamp,
    aten.clamp_min.default: lambda lower, args, _: lower.pointwise("maximum", *args),
    aten.clamp_max.default: lambda lower, args, _: lower.pointwise("minimum", *args),
    aten.pow.Tensor_Scalar: _power,
    aten.pow.Tensor_Tensor: _power,
    aten.pow.Scalar: _power,
    aten.reciprocal.default: lambda lower, args, _: lower.pointwise("div", 1.0, args[0]),
    aten.sigmoid.default: _sigmoid,
    aten.clone.default: _same,
    aten.alias.default: _same,
    aten.lift_fresh_copy.default: _same,
    aten._to_copy.default: _cast,
    aten.detach.default: _same,
    aten.copy.default: lambda lower, args, _: expanded(lower.expression(args[1]), args[0].shape),
    aten.full_like.default: lambda lower, args, _: Number(float(args[1]), args[0].shape),
    aten.sum.dim_IntList: _folded("{} + {}", 0.0),
    aten.sum.default: _folded("{} + {}", 0.0),
    aten.mean.dim: _folded("{} + {}", 0.0, mean=True),
    aten.amax.default: _folded("larger({}, {})", -float("inf")),
    aten.amin.default: _folded("smaller({}, {})", float("inf")),
    aten.linalg_vector_norm.default: _norm,
    aten._softmax.default: _softmax,
    aten.cat.default: _cat,
    aten.mm.default: _product,
    aten.bmm.default: _product,
    **{
        overload: _plain(name)
        for name, kinds in {
            "lt": (aten.lt.Scalar, aten.lt.Tensor),
            "le": (aten.le.Scalar, aten.le.Tensor),
            "gt": (aten.gt.Scalar, aten.gt.Tensor),
            "ge": (aten.ge.Scalar, aten.ge.Tensor),
            "eq": (aten.eq.Scalar, aten.eq.Tensor),
            "ne": (aten.ne.Scalar, aten.ne.Tensor),
            "and": (aten.bitwise_and.Tensor, aten.logical_and.default),
            "or": (aten.bitwise_or.Tensor, aten.logical_or.default),
            "not": (aten.bitwise_not.default, aten.logical_not.default),
        }.items()
        for overload in kinds
    },
}
