"""`polislab model information`: what governors are told, and what it is worth to know more."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from experiments.commands.model import app
from experiments.commands.output import JsonOption, check_json, emit, show

LEVELS = (0.75, 0.5, 0.25, 0.0)
#: What is counted, by the bias of a series.
BIASED = {
    "": "all",
    "undercount": "few low incomes",
    "evasion": "on the books",
    "voice": "who speaks up",
}


@app.command("information")
def information(
    city: Annotated[
        str, typer.Argument(help="synthetic, a name of `city list`, or a package's folder.")
    ] = "synthetic",
    policy: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="A run or policy folder that looks.")
    ] = None,
    rule: Annotated[str, typer.Option(help="A rule instead, as `configs/agent` sets it.")] = "pi",
    level: Annotated[
        list[float] | None,
        typer.Option("--level", min=0, max=1, help="Levels beside 1 (.75, .5, .25 and 0)."),
    ] = None,
    worlds: Annotated[
        int, typer.Option(min=2, max=10_000, help="Held-out cities, or draws of a city's shocks.")
    ] = 20,
    scenario: Annotated[str | None, typer.Option(help="Scenario of a rule (city_v0).")] = None,
    dynamics: Annotated[
        str | None, typer.Option(help="steady, trend, shocks or crisis (as the scenario says).")
    ] = None,
    months: Annotated[int | None, typer.Option(min=1, help="Months of an episode.")] = None,
    json: JsonOption = None,
) -> None:
    """List the published series, and compare a policy that is told less with itself told all.

    Information 1 is today's values, 0 a silo: every series in full delay and error, each governor
    its own block's. The value of information is welfare at 1 minus welfare at a level, on the
    same worlds; it is negative where a policy does better blind.

    Example: polislab model information london --rule pi --dynamics crisis

    Example: polislab model information synthetic --policy runs/train/0123456789ab/seed-0
    """
    import torch

    from experiments import config as configs
    from experiments import information as worker
    from experiments.policies import load_policy

    check_json(json)
    _check(rule, policy, scenario)
    chosen, made = load_policy(policy) if policy else (rule, {})
    overrides = [f"city={city}"]
    overrides += [f"scenario={scenario}"] if scenario else []
    overrides += [f"scenario.dynamics={dynamics}"] if dynamics else []
    overrides += [f"scenario.horizon={months}"] if months else []
    loaded = configs.load(overrides, base=made.get("config"))
    torch.set_num_threads(loaded.settings.threads)
    told = worker.series(0.0)
    show(_series(told))
    found = worker.worth(loaded, chosen, level or LEVELS, worlds)
    title = f"{city}, {found.policy}, {loaded.settings.scenario['dynamics']}: {worlds} worlds"
    show(_worth(found.rows(), title))
    emit({"city": city, "series": told, **found.content()}, json)


def _check(rule: str, policy: Path | None, scenario: str | None) -> None:
    from agents.rules import RULES
    from agents.schema import closest
    from experiments.errors import InputError

    problems = []
    if rule not in RULES:
        problems.append(f"--rule: unknown choice {rule!r}; {closest(rule, RULES)}")
    if policy is not None and scenario is not None:
        problems.append("--scenario: a policy brings its own")
    if problems:
        raise InputError(problems)


def _series(records: Sequence[dict[str, Any]]) -> Any:
    from rich.table import Table

    shown = Table(
        title="What governors are told in a silo (information 0)",
        caption="every, lag: months; noise: log points; shares of districts with a sensor and of "
        "releases that fail to appear. At level i: lag, noise, missing times 1 - i; interval "
        "1 + (1 - i)(every - 1); coverage 1 - (1 - i)(1 - coverage); another block's series is "
        "passed on with chance i; a revision after 12 months leaves a third of the error.",
    )
    for head in ("series", "collected by", "counts", "figures"):
        shown.add_column(head)
    for head in ("every", "lag", "noise", "coverage", "missing"):
        shown.add_column(head, justify="right")
    for row in records:
        figures = [name for name in row["figures"] if not name.startswith("works_")]
        shown.add_row(
            row["name"],
            row["block"],
            BIASED[row["bias"]],
            ", ".join(figures) or "works_* (life cycle)",
            *[f"{row[key]:g}" for key in ("every", "lag", "noise", "coverage", "missing")],
        )
    return shown


def _worth(records: Sequence[dict[str, Any]], title: str) -> Any:
    from rich.table import Table

    shown = Table(title=title, caption="% of income against the status quo; 95 % intervals")
    for head in ("information", "welfare %", "interval", "value of information %", "interval"):
        shown.add_column(head, justify="right")
    for row in records:
        cells = [f"{row['information']:g}"]
        for key in ("welfare", "value"):
            low, high = _percent(row[key]["low"]), _percent(row[key]["high"])
            cells += [_percent(row[key]["mean"]), f"{low} to {high}"]
        shown.add_row(*cells)
    return shown


def _percent(share: float) -> str:
    """A signed percentage to four digits, without a minus before nothing."""
    return f"{round(100 * share, 4) + 0.0:+.4f}"
