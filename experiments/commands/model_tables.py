"""`polislab model parameters | levers | shocks | indicators | concepts`: the model's tables."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from experiments.commands.model import app
from experiments.commands.output import JsonOption, check_json, emit, show

if TYPE_CHECKING:
    from experiments.model_tables import Page

MarkdownOption = Annotated[
    Path | None,
    typer.Option("--markdown", metavar="FILE", help="Also write the page to FILE (Markdown)."),
]


@app.command("parameters")
def parameters(
    block: Annotated[str | None, typer.Option(help="Only the parameters of one block.")] = None,
    markdown: MarkdownOption = None,
    json: JsonOption = None,
) -> None:
    """List the parameters: default, range, unit, meaning and source, checked or not.

    Example: polislab model parameters --block planning
    """
    from agents.schema import closest
    from envs.city.parameters import TABLE
    from experiments import model_tables
    from experiments.errors import InputError

    _check(markdown, json)
    blocks = {parameter.block for parameter in TABLE.values()}
    if block is not None and block not in blocks:
        raise InputError(f"--block: unknown block {block!r}; {closest(block, blocks)}")
    _publish(model_tables.parameters(block), markdown)
    emit(model_tables.parameter_records(block), json)


@app.command("levers")
def levers(markdown: MarkdownOption = None, json: JsonOption = None) -> None:
    """List the levers: who holds them, bounds, today's setting, delay and counter-effect.

    Example: polislab model levers --json levers.json
    """
    from experiments import model_tables

    _check(markdown, json)
    _publish(model_tables.levers(), markdown)
    emit(model_tables.lever_records(), json)


@app.command("shocks")
def shocks(markdown: MarkdownOption = None, json: JsonOption = None) -> None:
    """List what the world does to a city: shocks, crises, and presets of the dynamics.

    Example: polislab model shocks
    """
    from experiments import model_tables

    _check(markdown, json)
    _publish(model_tables.shocks(), markdown)
    emit(model_tables.shock_records(), json)


@app.command("indicators")
def indicators(
    city: Annotated[
        str | None,
        typer.Option(help="Show the first month's values of a city: synthetic, london, a folder."),
    ] = None,
    markdown: MarkdownOption = None,
    json: JsonOption = None,
) -> None:
    """List the indicators: formula, unit, direction, and the standard that each answers.

    Example: polislab model indicators --city london
    """
    from experiments import model_tables

    _check(markdown, json)
    values, currency = None, "$"
    if city is not None:
        from envs.city.coupling import run
        from envs.city.dashboard import dashboard_values
        from experiments.worlds import load_world

        world = load_world(city)
        month = run(world.city, 1, rows=1)
        found = dashboard_values(world.city, month.states[1], month.flows[0])
        values = {name: float(value) for name, value in found.items()}
        currency = world.currency
    _publish(model_tables.indicators(values, currency), markdown)
    emit(model_tables.indicator_records(values), json)


@app.command("concepts")
def concepts(markdown: MarkdownOption = None, json: JsonOption = None) -> None:
    """List the eight concepts of a complex adaptive city: state, equations and measures.

    Example: polislab model concepts
    """
    from experiments import model_tables

    _check(markdown, json)
    _publish(model_tables.concepts(), markdown)
    emit(model_tables.concept_records(), json)


def _check(markdown: Path | None, json: Path | None) -> None:
    """Refuse bad files before any work is done."""
    from experiments.errors import InputError

    check_json(json)
    if markdown is not None and (markdown.is_dir() or not markdown.parent.is_dir()):
        raise InputError(f"--markdown {markdown}: not a file in an existing folder")


def _publish(page: Page, markdown: Path | None) -> None:
    """Print a page's tables, and write it where asked."""
    from agents.files import write_atomic
    from experiments.sheets import terminal

    for sheet in page.sheets:
        show(terminal(sheet))
        for note in sheet.notes:
            show(note)
    show(page.opening)
    if markdown is not None:
        write_atomic(markdown, page.text().encode())
        show(f"Page: {markdown}")
