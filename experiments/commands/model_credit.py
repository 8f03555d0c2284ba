"""`polislab model credit`: which governor earned the gain of a joint policy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from experiments.commands.model import app
from experiments.commands.output import JsonOption, check_json, emit, show

COLUMNS = {
    "alone": "alone",
    "difference": "difference",
    "shapley": "Shapley",
    "aumann_shapley": "Aumann-Shapley",
}


@app.command("credit")
def credit(
    city: Annotated[
        str, typer.Argument(help="synthetic, a name of `city list`, or a package's folder.")
    ] = "synthetic",
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="LEVER=VALUE",
            help="A lever in physical units; LEVER[CELL] for one district, service or sector.",
        ),
    ] = None,
    policy: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="A run or policy folder instead of settings."),
    ] = None,
    months: Annotated[int, typer.Option(min=1, max=1200, help="Months of the policy.")] = 120,
    dynamics: Annotated[
        str | None,
        typer.Option(
            help="steady (the default), trend, shocks or crisis; a policy brings its own."
        ),
    ] = None,
    worlds: Annotated[
        int, typer.Option(min=1, max=1000, help="Draws of the shocks; all coalitions share them.")
    ] = 1,
    forever: Annotated[
        bool, typer.Option("--forever", help="Settings: a present value, the last year for ever.")
    ] = False,
    districts: Annotated[
        int | None, typer.Option(min=3, max=400, help="Districts of a synthetic city.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the synthetic city and the shocks.")] = 0,
    json: JsonOption = None,
) -> None:
    """Split the gain of a joint policy between its governors, in four ways side by side.

    alone: what a governor earns while all others keep today's settings. difference: what would
    be lost without it. Shapley: the mean of what it adds over all orders of joining (all 16
    coalitions are run). Aumann-Shapley: its marginal value along the way from today's policy to
    the full one, by the model's gradient. The last two add up to the gain.

    Example: polislab model credit london --set toll=0.002 --set transit=1.5 --set staff=1.1

    Example: polislab model credit synthetic --policy runs/train/0123456789ab/seed-0 --worlds 8
    """
    from experiments import credit as worker
    from experiments.errors import InputError

    check_json(json)
    if bool(settings) == (policy is not None):
        raise InputError("give either --set LEVER=VALUE, as often as needed, or --policy FOLDER")
    if forever and (policy is not None or dynamics is not None or worlds > 1):
        raise InputError("--forever: settings in a quiet world, so no policy, dynamics or worlds")
    if policy is not None:
        title, report = _of_policy(policy, city, districts, months, dynamics, seed, worlds)
    else:
        from experiments.worlds import load_world

        world = load_world(city, districts, seed)
        title = f"{world.title}, {', '.join(settings or [])}"
        report = worker.of_settings(
            world, settings or [], months, dynamics or "steady", seed, worlds, forever
        )
    content = report.content()
    span = f"{months} months" + (" and the last year for ever" if forever else "")
    show(_table(content, f"{title}: {span}"))
    show(_interaction(content["interaction"]))
    for line in _notes(content, worlds):
        show(line)
    emit({"city": city, "settings": settings or [], "months": months, **content}, json)


def _of_policy(
    folder: Path,
    city: str,
    districts: int | None,
    months: int,
    dynamics: str | None,
    seed: int,
    worlds: int,
) -> tuple[str, Any]:
    """Title and report of the policy in a folder, on the scenario that it was trained in."""
    import torch

    from experiments import config, credit
    from experiments.policies import load_policy

    chosen, made = load_policy(folder)
    overrides = [f"city={city}", f"scenario.horizon={months}"]
    overrides += [f"districts={districts}"] if districts else []
    overrides += [f"scenario.dynamics={dynamics}"] if dynamics else []
    loaded = config.load(overrides, base=made.get("config"))
    torch.set_num_threads(1)
    return f"{city}, {chosen.kind} of {folder}", credit.of_policy(loaded, chosen, seed, worlds)


def _table(content: dict[str, Any], title: str) -> Any:
    """One row a governor, the sum, and what the sum leaves of the gain."""
    from rich.table import Table

    shown = Table(title=title, caption="% of income, discounted mean", min_width=len(title))
    shown.add_column("governor")
    for head in COLUMNS.values():
        shown.add_column(head, justify="right")
    for name, row in content["governors"].items():
        shown.add_row(name, *[_percent(row[method]) for method in COLUMNS])
    shown.add_section()
    left, gain = content["left_over"], content["gain"]["mean"]
    shown.add_row("sum", *[_percent(gain - left[method]) for method in COLUMNS])
    shown.add_row("left over", *[_percent(left[method]) for method in COLUMNS])
    return shown


def _interaction(dividends: dict[str, float]) -> Any:
    """What pairs, and larger coalitions together, earn beyond their parts."""
    from rich.table import Table

    shown = Table(title="Interaction: what nobody earns alone", caption="% of income")
    shown.add_column("together")
    shown.add_column("Harsanyi dividend", justify="right")
    for names, value in dividends.items():
        if names.count("+") == 1:
            shown.add_row(names, _percent(value))
    more = sum(value for names, value in dividends.items() if names.count("+") > 1)
    shown.add_row("three and more", _percent(more))
    shown.add_section()
    shown.add_row("sum", _percent(sum(dividends.values())))
    return shown


def _notes(content: dict[str, Any], worlds: int) -> list[str]:
    """The gain, the levers' shares, and how exact the quadrature is."""
    gain, quadrature = content["gain"], content["quadrature"]
    spread = f" (95 % interval {_percent(gain['low'])} to {_percent(gain['high'])})"
    lines = [f"Gain: {_percent(gain['mean'])} %{spread if worlds > 1 else ''}"]
    if len(content["levers"]) > 1:
        shares = (f"{name} {_percent(value)}" for name, value in content["levers"].items())
        lines.append(f"By lever (Aumann-Shapley): {', '.join(shares)}")
    lines.append(
        f"Aumann-Shapley by {quadrature['points']} points; its sum misses the gain by "
        f"{quadrature['largest_gap']:.1e} of it"
    )
    return lines


def _percent(share: float) -> str:
    """A signed percentage to four digits, without a minus before nothing."""
    return f"{round(100 * share, 4) + 0.0:+.4f}"
