"""The page of stylised facts, made from what was measured."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.facts.fact import Fact

COMMAND = "polislab model facts --output docs"
PAGE = "stylised-facts.md"
PICTURES = "images/facts"

_HEAD = """# Stylised facts

What cities do everywhere, and whether this model does it without being told to: each fact beside
the band that is accepted for it (MODEL section 14). Values outside their band are in **bold**, with
the reason. Page and pictures are made by

```sh
{command}
```

{summary}

{index}
"""


def summary(facts: Sequence[Fact]) -> str:
    """One sentence on all facts."""
    judged = [m for fact in facts for m in fact.measures if m.judged]
    outside = [m for m in judged if not m.inside]
    silent = [name for fact in facts for name in fact.unexplained]
    if not outside:
        return f"All {len(judged)} measures that have a band are inside it."
    ending = (
        f"no reason is written down for: {'; '.join(silent)}."
        if silent
        else "the reason stands beside each."
    )
    return (
        f"{len(judged) - len(outside)} of {len(judged)} measures that have a band are inside it; "
        f"{len(outside)} are not, and {ending}"
    )


def markdown(facts: Sequence[Fact]) -> str:
    """The page."""
    index = "\n".join(f"- [{fact.title}](#{_anchor(fact.title)}): {_tally(fact)}" for fact in facts)
    head = _HEAD.format(command=COMMAND, summary=summary(facts), index=index)
    return "\n".join([head, *(_section(fact) for fact in facts)])


def _anchor(title: str) -> str:
    """Anchor of a heading as forges make it."""
    kept = "".join(c for c in title.lower() if c.isalnum() or c in " -")
    return kept.replace(" ", "-")


def _tally(fact: Fact) -> str:
    judged = [m for m in fact.measures if m.judged]
    if not judged:
        return "no band applied"
    inside = sum(m.inside for m in judged)
    return f"{inside} of {len(judged)} inside"


def _section(fact: Fact) -> str:
    lines = ["| measure | value | accepted | |", "|---|---:|---|---|"]
    reasons: dict[str, list[str]] = {}
    for m in fact.measures:
        accepted = f"{m.band} ({m.source})" if m.judged else ""
        cells = [m.name, m.shown, accepted, m.verdict]
        if not m.inside:
            cells = [f"**{cell}**" if cell else "" for cell in cells]
            reasons.setdefault(m.why or "No reason is written down.", []).append(m.name)
        lines.append("| " + " | ".join(cells) + " |")
    notes = [f"- Outside, *{'; '.join(names)}*: {why}" for why, names in reasons.items()]
    notes += [f"- {remark}" for remark in fact.remarks]
    picture = f"![{fact.caption}]({PICTURES}/{fact.key}.png)"
    parts = [f"## {fact.title}", "", f"*{fact.question}*", "", fact.experiment, "", *lines, ""]
    return "\n".join([*parts, *notes, "", picture, "", fact.caption, ""])
