"""Progress on the terminal: a bar with rate and time left, on standard error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

Tick = Callable[[], None]


class Rate(ProgressColumn):
    """Units of work per second."""

    def __init__(self, unit: str) -> None:
        super().__init__()
        self.unit = unit

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.1f} {self.unit}/s", style="cyan")


@contextmanager
def progress(label: str, total: int, unit: str = "", done: int = 0) -> Iterator[Tick]:
    """Show a bar; the value is called after each unit of work.

    Args:
        label: what is being done.
        total: units of work in all; done: units that an earlier run did.
        unit: name of a unit, in the plural; without one no rate is shown.
    """
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        *([Rate(unit)] if unit else []),
        TimeRemainingColumn(),
        TextColumn("left"),
        console=Console(stderr=True),
    )
    with bar:
        task = bar.add_task(label, total=total, completed=done)
        yield lambda: bar.advance(task)
