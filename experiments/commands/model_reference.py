"""`polislab model reference`: the figures of the independent study beside ours."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from experiments.commands.model import app
from experiments.commands.output import JsonOption, check_json, emit, show

if TYPE_CHECKING:
    from rich.table import Table

    from experiments.reference.report import Row


@app.command("reference")
def reference(
    markdown: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the page to FILE (Markdown).")
    ] = None,
    json: JsonOption = None,
) -> None:
    """Repeat the experiments of the reference study in its setting and compare the figures.

    Exits with 1 if a figure is of another sign or beyond a factor of 1.5 and no reason is
    written down. Takes about a minute.

    Example: polislab model reference --markdown docs/reference-figures.md
    """
    import torch

    from agents.files import write_atomic
    from experiments.errors import InputError
    from experiments.progress import progress
    from experiments.reference import measure, report

    check_json(json)
    if markdown is not None and (markdown.is_dir() or not markdown.parent.is_dir()):
        raise InputError(f"--markdown {markdown}: not a file in an existing folder")
    torch.set_num_threads(1)
    with progress("reference figures", len(measure.EXPERIMENTS), "experiments") as tick:
        rows = report.compare(measure.measure(measure.Size(), tick))
    show(_table(rows))
    for row in rows:
        if row.differs:
            show(f"* {row.figure.quantity}: {row.figure.reason or 'no reason is written down'}")
    show(report.summary(rows))
    if markdown is not None:
        write_atomic(markdown, report.markdown(rows).encode())
        show(f"Page: {markdown}")
    emit([row.record() for row in rows], json)
    if any(row.unexplained for row in rows):
        raise typer.Exit(1)


def _table(rows: list[Row]) -> Table:
    """All figures, a section a group; rows that differ carry a star."""
    from rich.table import Table

    shown = Table(title="Reference figures")
    shown.add_column("")
    shown.add_column("quantity")
    for head in ("study", "ours", "ratio"):
        shown.add_column(head, justify="right", no_wrap=True)
    group = ""
    for row in rows:
        if group and row.figure.group != group:
            shown.add_section()
        group = row.figure.group
        shown.add_row("*" if row.differs else "", *row.cells())
    return shown
