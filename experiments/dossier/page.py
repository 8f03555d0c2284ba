"""The page: a dossier's data through the template, everything it needs inside the file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import jinja2
from markupsafe import Markup

from experiments.dossier import formats, maps
from experiments.dossier.content import Dossier, Effect, LeverRow
from experiments.dossier.fans import fan_svg
from experiments.dossier.intervals import check_chart, effect_chart
from experiments.dossier.scales import position
from experiments.dossier.summary import triples
from experiments.dossier.validity import scores, validity
from experiments.gate.check import plain

_HERE = Path(__file__).resolve().parent

VERDICTS = {
    "recommend": ("Recommend", "The evidence supports adopting this policy."),
    "pilot": (
        "Pilot only",
        "Promising, but not proven: try it on a small scale, so that it can be taken back, "
        "and stop if the signs below appear.",
    ),
    "refuse": (
        "Refuse",
        "The evidence does not support this policy. The reasons are below; nothing should be "
        "changed on the strength of this dossier.",
    ),
}

POPULATION_ETHICS = {
    "incumbents": "people who live here at the start, wherever they go later",
    "residents": "people who live here at the time",
    "land_fiscal": "land values and the public purse",
    "total": "everyone, newcomers counted with what they gain by coming",
}

ATKINSON = {
    "utilitarian": "every pound counts the same (aversion 0)",
    "nash": "a per cent counts the same for rich and poor (aversion 1)",
    "atkinson": "the poor count more (aversion 2)",
    "rawls": "the worst-off decide (aversion towards infinity)",
}


def render(dossier: Dossier) -> str:
    """The whole page as one string of HTML."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        plain=lambda name: plain(name),
        sentence=lambda words: words[:1].upper() + words[1:],
        figure=formats.figure,
        signed=formats.signed_percent,
        percent=formats.percent,
        unit=formats.unit_words,
        lead=_lead,
    )
    environment.globals.update(
        span=formats.span,
    )
    headline, meaning = VERDICTS[dossier.verdict.verdict]
    scored = scores(dossier.scorecard)
    moved = [lever for lever in dossier.levers if not _unmoved(lever)]
    limit = maps.colour_limit(dossier.districts)
    page = environment.get_template("page.html").render(
        dossier=dossier,
        style=Markup((_HERE / "style.css").read_text(encoding="utf-8")),
        headline=headline,
        meaning=meaning,
        comparison=effect_chart(dossier.comparison) if dossier.comparison else None,
        governors=[
            (governor, [_lever(lever) for lever in moved if lever.governor == governor])
            for governor in dict.fromkeys(lever.governor for lever in moved)
        ],
        unmoved=[plain(lever.lever) for lever in dossier.levers if _unmoved(lever)],
        groups=effect_chart(dossier.groups) if dossier.groups else None,
        map=maps.map_svg(dossier.districts, dossier.tiles),
        legend=maps.legend_stops(limit),
        districts=sorted(dossier.districts, key=lambda district: -district.estimate),
        ethics=_measures(dossier.population_ethics, POPULATION_ETHICS),
        atkinson=_measures(dossier.atkinson, ATKINSON),
        fans=[(fan, fan_svg(fan)) for fan in dossier.fans],
        scores=scored,
        validity=validity(scored),
        checks=[
            (check, check_chart(check) if check.measures else None)
            for check in dossier.verdict.checks
        ],
    )

    return page.replace(" %", "\u00a0%")  # a figure and its per cent sign stay on one line


def _measures(
    measures: Mapping[str, float | tuple[float, float, float]], words: Mapping[str, str]
) -> object:
    if not measures:
        return None
    effects = [
        Effect(
            plain(effect.name), effect.estimate, effect.low, effect.high, words.get(effect.name, "")
        )
        for effect in triples(measures)
    ]
    return effect_chart(effects)


def _unmoved(lever: LeverRow) -> bool:
    """A lever whose setting reads the same as today's."""
    return formats.figure(lever.proposed) == formats.figure(lever.today)


def _relative(lever: LeverRow) -> str:
    """Change in per cent of today's setting; for percentages the settings say it better."""
    if not lever.today:
        return "new"
    if "%" in formats.unit_words(lever.unit):
        return ""
    return formats.signed_percent((lever.proposed - lever.today) / abs(lever.today), 0)


def _lead(reason: str) -> Markup:
    """A reason with the check that it comes from, before the colon, in bold."""
    head, colon, rest = reason.partition(": ")
    if not colon or len(head) > 30:
        return Markup("{}").format(reason)
    return Markup("<b>{}.</b> {}").format(head, rest[:1].upper() + rest[1:])


def _lever(lever: LeverRow) -> dict[str, object]:
    """A lever's row: figures in words and their places on the track of its bounds."""
    out: dict[str, object] = {
        "name": plain(lever.lever),
        "unit": formats.unit_words(lever.unit),
        "today": formats.with_unit(lever.today, lever.unit),
        "proposed": formats.with_unit(lever.proposed, lever.unit),
        "change": _relative(lever),
        "note": lever.note,
        "track": None,
    }
    if lever.least is not None and lever.most is not None and lever.most > lever.least:
        ends = (lever.least, lever.most)
        low = lever.proposed if lever.proposed_low is None else lever.proposed_low
        high = lever.proposed if lever.proposed_high is None else lever.proposed_high
        out["track"] = {
            name: round(100 * position(value, *ends), 2)
            for name, value in (
                ("today", lever.today),
                ("proposed", lever.proposed),
                ("low", low),
                ("high", high),
            )
        }
        out["least"] = formats.with_unit(lever.least, lever.unit)
        out["most"] = formats.with_unit(lever.most, lever.unit)
    return out
