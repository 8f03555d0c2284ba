"""The interactive page of a comparison: one file that needs no network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from experiments.compare.chart import AXES, colours_of, dashed, shortened
from experiments.compare.comparison import Comparison
from experiments.compare.curves import Curve
from experiments.compare.report import readings, sheets
from experiments.statistics import interquartile_mean

HERE = Path(__file__).resolve().parent


def page(found: Comparison, curves: Sequence[Curve], title: str, command: str = "") -> str:
    """The page with the library inside; nothing is loaded when it is opened."""
    from plotly.offline import get_plotlyjs

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE), autoescape=True, undefined=jinja2.StrictUndefined
    )
    drawn, curves = shortened(found, curves)
    figures = [
        ("Interquartile mean with 95 % interval", _intervals(drawn)),
        ("Performance profile", _profiles(drawn)),
        ("Probability that the row beats the column", _improvements(drawn)),
    ]
    if curves:
        figures.append(("Learning curves", _learning(curves, colours_of(drawn))))
    return environment.get_template("page.html").render(
        title=title,
        command=command,
        warnings=found.warnings,
        sheets=sheets(found),
        readings=readings(found),
        figures=[(heading, Markup(_div(figure))) for heading, figure in figures],
        library=Markup(get_plotlyjs()),
    )


def _div(figure: Any) -> str:
    room = {"l": 10, "r": 10, "t": 36, "b": 10}  # above: for the tools
    figure.update_layout(template="plotly_white", margin=room)
    config = {"displaylogo": False, "responsive": True}
    return str(figure.to_html(full_html=False, include_plotlyjs=False, config=config))


def _intervals(found: Comparison) -> Any:
    import plotly.graph_objects as go

    colours, figure, measure = colours_of(found), go.Figure(), found.measure
    value = f"%{{x:.{measure.digits}f}}{measure.suffix}<extra></extra>"
    for row in reversed(found.rows):
        estimate = measure.scale * row.iqm.estimate
        figure.add_scatter(
            x=[estimate],
            y=[row.entry.name],
            error_x={
                "array": [measure.scale * row.iqm.high - estimate],
                "arrayminus": [estimate - measure.scale * row.iqm.low],
            },
            marker={"color": colours[row.entry.name], "size": 11},
            name=row.entry.name,
            showlegend=False,
            hovertemplate="%{y}: " + value,
        )
        seeds = row.entry.seeds or ("",)
        if len(row.entry.scores) > 1:
            figure.add_scatter(
                x=measure.scale * interquartile_mean(row.entry.scores, axis=1),
                y=[row.entry.name] * len(seeds),
                mode="markers",
                marker={"color": colours[row.entry.name], "symbol": "line-ns-open", "size": 12},
                text=[f"seed {seed}" for seed in seeds],
                showlegend=False,
                hovertemplate="%{text}: " + value,
            )
    figure.update_xaxes(title=found.measure.axis)
    figure.update_layout(height=140 + 42 * len(found.rows))
    return figure


def _profiles(found: Comparison) -> Any:
    import plotly.graph_objects as go

    colours, figure, measure = colours_of(found), go.Figure(), found.measure
    x = measure.scale * found.thresholds
    for row, band in zip(found.rows, found.profiles, strict=True):
        name, colour = row.entry.name, colours[row.entry.name]
        if not dashed(row.entry):
            _band(figure, x, band.low, band.high, colour, name)
        figure.add_scatter(
            x=x,
            y=band.estimate,
            name=name,
            legendgroup=name,
            line={"color": colour, "dash": "dash" if dashed(row.entry) else "solid"},
            hovertemplate=f"%{{y:.2f}} above %{{x:.{measure.digits}f}}{measure.suffix}",
        )
    figure.update_xaxes(title=found.measure.axis)
    figure.update_yaxes(title="share of runs and cities above", range=[-0.02, 1.02])
    figure.update_layout(height=460)
    return figure


def _improvements(found: Comparison) -> Any:
    import plotly.graph_objects as go

    names = [row.entry.name for row in found.rows]
    values, texts = [], []
    for i, line in enumerate(found.improvements):
        values.append([None if i == j else cell.estimate for j, cell in enumerate(line)])
        texts.append(
            [
                "" if i == j else f"{c.estimate:.2f}<br>{c.low:.2f} to {c.high:.2f}"
                for j, c in enumerate(line)
            ]
        )
    figure = go.Figure(
        go.Heatmap(
            z=values,
            x=names,
            y=names,
            text=texts,
            texttemplate="%{text}",
            colorscale="RdBu",
            zmin=0,
            zmax=1,
            hoverongaps=False,
            hovertemplate="%{y} beats %{x}: %{text}<extra></extra>",
        )
    )
    figure.update_yaxes(autorange="reversed")
    figure.update_layout(height=200 + 52 * len(names))
    return figure


def _learning(curves: Sequence[Curve], colours: dict[str, str]) -> Any:
    import plotly.graph_objects as go

    figure = go.Figure()
    steps, values = {c.step for c in curves}, list(dict.fromkeys(c.value for c in curves))
    one = len(steps) == 1
    left, *others = values
    for found in curves:
        x = found.x if one else 100 * found.x / found.x[-1]
        colour = colours[found.name]
        axis = "y" if found.value == left else "y2"
        _band(figure, x, found.band.low, found.band.high, colour, found.name, axis)
        figure.add_scatter(
            x=x,
            y=found.band.estimate,
            yaxis=axis,
            name=found.name,
            legendgroup=found.name,
            line={"color": colour},
            mode="lines+markers" if len(x) < 20 else "lines",
        )
    figure.update_xaxes(title=AXES[next(iter(steps))] if one else "training, % of its length")
    figure.update_layout(height=420, showlegend=True, yaxis_title=AXES[left])
    if others:
        named = ", ".join(found.name for found in curves if found.value != left)
        title = f"{' or '.join(AXES[value] for value in others)} ({named})"
        right = {"title": title, "overlaying": "y", "side": "right", "tickmode": "auto"}
        figure.update_layout(yaxis2=right, legend={"orientation": "h", "y": -0.25})
    return figure


def _band(
    figure: Any, x: Any, low: Any, high: Any, colour: str, group: str, axis: str = "y"
) -> None:
    """An area between two curves, hidden and shown with its group."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    figure.add_scatter(
        x=[*x, *x[::-1]],
        y=[*high, *low[::-1]],
        yaxis=axis,
        fill="toself",
        fillcolor=f"rgba({red},{green},{blue},0.15)",
        line={"width": 0},
        hoverinfo="skip",
        legendgroup=group,
        showlegend=False,
    )
