"""`polislab model facts`: what cities do everywhere, and whether the model does it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from experiments.commands.model import app
from experiments.commands.output import JsonOption, check_json, emit, show

if TYPE_CHECKING:
    from rich.table import Table

    from experiments.facts.fact import Fact


@app.command("facts")
def facts(
    only: Annotated[
        list[str] | None, typer.Argument(help="Names of single facts (default: all).")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write stylised-facts.md and its pictures under DIR."),
    ] = None,
    json: JsonOption = None,
) -> None:
    """Measure the stylised facts of cities in the model, each beside its accepted band.

    Exits with 1 if a measure is outside its band and no reason is written down. All take about
    four minutes; `--output` needs all of them.

    Example: polislab model facts --output docs
    """
    import torch

    from agents.files import write_atomic
    from agents.schema import closest
    from experiments.errors import InputError
    from experiments.facts import page
    from experiments.facts.catalogue import FACTS
    from experiments.facts.fact import Size
    from experiments.progress import progress

    check_json(json)
    wanted = only or list(FACTS)
    if unknown := [name for name in wanted if name not in FACTS]:
        raise InputError([f"unknown fact {name!r}; {closest(name, FACTS)}" for name in unknown])
    if output is not None and not output.is_dir():
        raise InputError(f"--output {output}: not a folder")
    if output is not None and set(wanted) != set(FACTS):
        raise InputError("--output: the page is made from all facts, name none")
    torch.set_num_threads(1)
    found = []
    with progress("stylised facts", len(wanted), "facts") as tick:
        for name in wanted:
            found.append(FACTS[name](Size(), lambda: None))
            tick()
    for fact in found:
        show(_table(fact))
        for text in dict.fromkeys(m.why for m in fact.measures if not m.inside):
            show(f"Outside: {text or 'no reason is written down'}")
    show(page.summary(found))
    if output is not None:
        pictures = output / page.PICTURES
        pictures.mkdir(parents=True, exist_ok=True)
        for fact in found:
            write_atomic(pictures / f"{fact.key}.png", fact.picture)
        write_atomic(output / page.PAGE, page.markdown(found).encode())
        show(f"Page: {output / page.PAGE}")
    emit([fact.record() for fact in found], json)
    if any(fact.unexplained for fact in found):
        raise typer.Exit(1)


def _table(fact: Fact) -> Table:
    from rich.table import Table

    shown = Table(title=fact.title)
    shown.add_column("measure")
    shown.add_column("value", justify="right", no_wrap=True)
    shown.add_column("accepted")
    shown.add_column("")
    for measure in fact.measures:
        style = "" if measure.inside else "bold"
        shown.add_row(measure.name, measure.shown, measure.band, measure.verdict, style=style)
    return shown
