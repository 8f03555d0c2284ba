"""Speed of the city's month beside its arithmetic limit, and the memory that a batch takes.

The limit is what the month's exponentials and matrix products cost when they run alone: they
are recorded from a real month, call by call, and timed on tensors of the same shapes in the
same run.
"""

from __future__ import annotations

import multiprocessing
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from envs import registry
from envs.city import tree
from envs.city.model import City, CityState
from envs.city.shocks import no_shocks

Call = tuple[Any, tuple[Any, ...]]
#: Calls that no implementation of the month can do without.
ARITHMETIC = ("aten::exp", "aten::mm", "aten::bmm", "aten::addmm", "aten::baddbmm")


@dataclass(frozen=True)
class ModelSpeed:
    """City-months a second of the model's step alone, as `polislab simulate` takes it: in inference
    mode, without gradients, float32.

    limit: milliseconds of its exponentials and matrix products alone; share: limit over the
    step's time. goal: the share or the milliseconds that are asked for, in words.
    """

    districts: int
    rows: int
    milliseconds: float
    city_months: float
    slowest: float
    fastest: float
    limit: float
    share: float
    goal: str | None
    reached: bool | None


class _Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Keeps the arithmetic calls that pass through it, with tensors of their own."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.calls: list[Call] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if func._schema.name in ARITHMETIC:
            own = tuple(_alike(x) if isinstance(x, Tensor) else x for x in args)
            self.calls.append((func, own))
        return func(*args, **(kwargs or {}))


def _alike(x: Tensor) -> Tensor:
    """A tensor of the same shape and strides with values in [0, 1]."""
    storage = torch.empty_strided(x.shape, x.stride(), dtype=x.dtype, device=x.device)
    return storage.fill_(0.5)


def arithmetic(city: City, state: CityState) -> list[Call]:
    """The exponentials and matrix products of one month."""
    like = state.planning.home_rent
    with torch.no_grad(), _Recorder() as recorder:
        city.step(state, {}, no_shocks(like.shape[0], city.districts, like))
    calls: list[Call] = recorder.calls
    return calls


def timed(work: Callable[[], object], seconds: float, device: torch.device) -> float:
    """Mean seconds of ``work`` over at least ``seconds``."""
    count, start = 0, time.perf_counter()
    while True:
        work()
        count += 1
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        if (elapsed := time.perf_counter() - start) >= seconds:
            return elapsed / count


def goal(districts: int, rows: int, milliseconds: float, share: float) -> tuple[str, bool] | None:
    """What is asked of a size, and whether it is reached."""
    if districts == 33 and rows == 1:
        return "3 ms", milliseconds <= 3
    if districts == 33 and rows == 256:
        return "25 % of the limit", share >= 0.25
    return None


def model_speed(
    districts: int,
    rows: int,
    seconds: float,
    repeats: int,
    device: str,
    tick: Callable[[], None],
) -> ModelSpeed:
    """Time the status quo of one synthetic city in ``rows`` rows, turn by turn with its limit."""
    place = torch.device(device)
    city = registry.synthetic(0, 1, districts).to(torch.float32, place)
    state = city.initial(rows)
    quiet = no_shocks(rows, districts, state.planning.home_rent)
    calls = arithmetic(city, state)

    def month() -> None:
        nonlocal state
        state, _ = city.step(state, {}, quiet)

    def bare() -> None:
        for func, args in calls:
            func(*args)

    steps, limits = [], []
    with torch.inference_mode():
        month()
        bare()
        for _ in range(repeats):
            steps.append(timed(month, seconds, place))
            limits.append(timed(bare, seconds / 2, place))
            tick()
    step, limit = median(steps), median(limits)
    asked = goal(districts, rows, 1000 * step, limit / step)
    return ModelSpeed(
        districts,
        rows,
        milliseconds=1000 * step,
        city_months=rows / step,
        slowest=rows / max(steps),
        fastest=rows / min(steps),
        limit=1000 * limit,
        share=limit / step,
        goal=asked[0] if asked else None,
        reached=asked[1] if asked else None,
    )


@dataclass(frozen=True)
class Memory:
    """Peak memory of a month beyond that of the idle process, megabytes."""

    districts: int
    rows: int
    megabytes: float
    per_row: float


def memory(districts: int, rows: int) -> Memory:
    """Peak memory of two months in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        peak = pool.apply(_peak, (districts, rows))
    return Memory(districts, rows, peak, peak / rows)


def _peak(districts: int, rows: int) -> float:
    torch.set_num_threads(1)
    city = registry.synthetic(0, 1, districts).to(torch.float32)
    with torch.inference_mode():
        one = city.initial(1)
        city.step(one, {}, no_shocks(1, districts, one.planning.home_rent))
        idle = _resident()
        state = city.initial(rows)
        quiet = no_shocks(rows, districts, state.planning.home_rent)
        for _ in range(2):
            state, _ = city.step(state, {}, quiet)
    return max(_resident() - idle, 0.0)


def _resident() -> float:
    """Largest resident memory of this process so far, megabytes."""
    status = Path("/proc/self/status")
    if status.is_file():  # rusage would count the peak of the process that started this one
        line = next(x for x in status.read_text().splitlines() if x.startswith("VmHWM"))
        return int(line.split()[1]) * 1024 / 1e6
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def agreement(districts: int, rows: int, months: int, device: str) -> float:
    """Largest relative difference of the states on ``device`` and on the CPU after ``months``."""
    ends = []
    for place in ("cpu", device):
        city = registry.synthetic(0, 1, districts).to(torch.float32, place)
        state = city.initial(rows)
        quiet = no_shocks(rows, districts, state.planning.home_rent)
        raised = {"transit": torch.full((rows,), 1.5, device=place)}
        with torch.no_grad():
            for _ in range(months):
                state, _ = city.step(state, raised, quiet)
        ends.append(dict(tree.leaves(tree.to(state, torch.float64, "cpu"))))
    gaps = [
        float((ends[0][name] - value).abs().max() / value.abs().max().clamp_min(1e-6))
        for name, value in ends[1].items()
    ]
    return max(gaps)
