"""Every rule of the compiler says what torch says, number by number."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor
from torch._decomp import core_aten_decompositions
from torch.fx.experimental.proxy_tensor import make_fx

from envs.compiled import library
from envs.compiled.expressions import Buffer, Stage, View
from envs.compiled.lowering import Lowering
from envs.compiled.program import program
from envs.compiled.rules import RULES
from envs.compiled.tiles import Layout, tiled, untiled
from envs.errors import CompileError

Function = Callable[[Tensor, Tensor], Tensor]
#: More environments than a vector has lanes, and not a multiple of them.
ROWS = 21
#: Shapes of the two arguments, of one environment.
LEFT, RIGHT = torch.Size([1, 5, 6]), torch.Size([1, 6, 7])
INDEX = torch.tensor([4, 0, 2, 2])
TABLE = torch.arange(30.0).reshape(1, 5, 6) / 7

FUNCTIONS: dict[str, Function] = {
    "sums and differences": lambda x, y: torch.add(x, y[:, :5, :6], alpha=2) - 3 * x,
    "quotients": lambda x, y: x / y[:, :5, :6] + 1 / (2 + x.abs()) + x / 3,
    "by nothing": lambda x, y: x / (x - x),
    "exponentials": lambda x, y: torch.exp(x) + torch.expm1(x / 9) + torch.sigmoid(x),
    "logarithms": lambda x, y: x.abs().log() + x.abs().log1p() + x.abs().log2() + x.abs().log10(),
    "of nothing": lambda x, y: (x - x).log() + (-x.abs()).sqrt(),
    "powers": lambda x, y: x**2 + x**3 + x.abs() ** 0.5 + x**-1 + x.abs() ** 1.7 + 2**x,
    "powers of nothing": lambda x, y: (x - x) ** 0.3 + torch.pow(x - x, x - x),
    "powers by row": lambda x, y: x.abs().pow(y[:, :5, :6]),
    "tangents": lambda x, y: torch.tanh(x) + torch.sqrt(x.abs()),
    "bounds": lambda x, y: x.clamp(-1, 1) + x.clamp_min(0.5) + x.clamp(max=TABLE),
    "bounds of no number": lambda x, y: ((x - x) / (x - x)).clamp(0, 1),
    "the larger": lambda x, y: torch.maximum(x, y[:, :5, :6]) - torch.minimum(x, TABLE),
    "choices": lambda x, y: torch.where((x > 0) & ~(x >= 1) | (x == x[:, :1]), x, 7 * x),
    "tests as numbers": lambda x, y: (x < 0).to(x.dtype) + (x <= 1).to(x.dtype) + (x != 2).float(),
    "sums over axes": lambda x, y: x.sum((0, 2)) + x.mean((1, 2)) + x.sum(),
    "kept axes": lambda x, y: x / x.sum(1, keepdim=True) + x.amax(2, keepdim=True) - x.amin(),
    "length": lambda x, y: torch.linalg.vector_norm(x, dim=2),
    "shares": lambda x, y: torch.softmax(x, 2) + torch.logsumexp(x, 1, keepdim=True),
    "products": lambda x, y: x @ y,
    "products of views": lambda x, y: y.transpose(1, 2)[:, :3] @ x.transpose(1, 2),
    "a product of two": lambda x, y: (x[0] @ y[0]).T + (x[:, :, None] * y[:, None, :5, :6]).sum(),
    "joined": lambda x, y: torch.cat([x.exp(), y[:, :5], TABLE], 2),
    "stacked": lambda x, y: torch.stack([x, x * 2, TABLE.expand_as(x)], 1).flatten(1, 2),
    "cut": lambda x, y: torch.cat([part * 2 for part in (x + 1).split([1, 3, 2], 2)][::-1], 2),
    "unbound": lambda x, y: sum((x * x).unbind(1), torch.zeros(6)),
    "views": lambda x, y: (x * 3).permute(2, 1, 0)[::2].reshape(-1) + (x.exp())[..., 0, 1],
    "chosen": lambda x, y: (x + 1)[:, INDEX] + x.index_select(1, INDEX),
    "repeated": lambda x, y: x.repeat(1, 2, 1) + x.flip(1).repeat(1, 2, 1),
    "used twice": lambda x, y: (x + 1).log1p().abs() * (x + 1) / ((x + 1) * (x + 1) + 1),
    "constant": lambda x, y: torch.full_like(x, 3.0) * TABLE + torch.ones(1) * 0,
}


@dataclass(frozen=True)
class Made:
    """What all functions give, compiled in one program and by torch ``[ROWS, ...]``."""

    found: dict[str, Tensor]
    expected: dict[str, Tensor]


@pytest.fixture(scope="module")
def made() -> Made:
    source = torch.Generator().manual_seed(0)
    inputs = {
        "x": 2 * torch.randn(ROWS, *LEFT[1:], generator=source),
        "y": 2 * torch.randn(ROWS, *RIGHT[1:], generator=source),
    }
    one = {name: function(*_row(inputs, 0)) for name, function in FUNCTIONS.items()}

    def every(x: Tensor, y: Tensor) -> list[Tensor]:
        return [function(x, y).reshape(1, -1) for function in FUNCTIONS.values()]

    table = dict(core_aten_decompositions())
    graph = make_fx(every, decomposition_table=table)(*_row(inputs, 0)).graph
    before = Layout({"x": LEFT, "y": RIGHT})
    after = Layout({name: torch.Size([1, x.numel()]) for name, x in one.items()})
    lowering, lanes = Lowering(RULES), library.lanes(library.compiler())
    lowering.run(graph, _views("x", before), _views("y", after))
    sizes = {"x": before.size, "a": 0, "p": 0, "q": 0, "f": 0, "o": 0}
    found = program(lowering, sizes, lanes)
    library_ = library.load(found.text.replace(f"y + t * {before.size}", f"y + t * {after.size}"))
    tiles = tiled(before.flat(inputs, ROWS), lanes)
    results = torch.empty(len(tiles), after.size, lanes)
    own, shared, scratch = (torch.empty(max(found.sizes[a], 1), lanes) for a in "pqs")
    which = torch.zeros(len(tiles), dtype=torch.long)
    arrays = (tiles, tiles, own, which, shared, results, results, results, scratch)
    address = ctypes.c_void_p
    library_.prepare(ctypes.c_long(1), address(own.data_ptr()), address(shared.data_ptr()))
    addresses = [address(x.data_ptr()) for x in arrays]
    library_.step(ctypes.c_long(len(tiles)), *addresses, ctypes.c_long(0))
    told = after.named(untiled(results, ROWS))
    expected = {
        name: torch.stack([function(*_row(inputs, row)).flatten() for row in range(ROWS)])
        for name, function in FUNCTIONS.items()
    }
    return Made(told, expected)


def _row(inputs: dict[str, Tensor], row: int) -> list[Tensor]:
    return [x[row : row + 1] for x in inputs.values()]


def _views(array: str, layout: Layout) -> list[View]:
    return [
        View.whole(
            Buffer(array, layout.shapes[name].numel(), Stage.STEP, first),
            tuple(layout.shapes[name]),
        )
        for name, first in layout.places().items()
    ]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_is_what_torch_makes_of_it(made: Made, name: str) -> None:
    found, expected = made.found[name], made.expected[name]
    torch.testing.assert_close(found, expected, rtol=2e-5, atol=2e-5, equal_nan=True)


def test_what_there_is_no_rule_for_is_named() -> None:
    x = torch.rand(3)
    layout = Layout({"x": torch.Size([3])})

    def lowered(function: Callable[[Tensor], Tensor]) -> None:
        graph = make_fx(lambda x: [function(x)])(x).graph
        Lowering(RULES).run(graph, _views("x", layout), _views("y", layout))

    with pytest.raises(CompileError, match=r"no rule for aten\.erf\.default, aten\.sort\.default"):
        lowered(lambda x: torch.erf(x) + x.sort().values)
    with pytest.raises(CompileError, match="by numbers that a step works out"):
        lowered(lambda x: x[x > 0.5])
    with pytest.raises(CompileError, match=r"numbers as torch\.int64"):
        lowered(lambda x: x.long() * x)
