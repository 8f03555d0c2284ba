"""Figures as people read them."""

from __future__ import annotations

import math

MINUS = "−"
_SYMBOLS = {"GBP": "£", "EUR": "€", "USD": "$", "JPY": "¥", "CNY": "¥"}
_PLURALS = {"person": "people", "job": "jobs", "dwelling": "dwellings", "percent": "%"}


def signed_percent(share: float, digits: int = 2) -> str:
    """0.0123 -> "+1.23 %"; rounds to zero without a sign; infinite ends read "unbounded"."""
    if not math.isfinite(share):
        return "unbounded"
    text = f"{100 * share:+.{digits}f}"
    if float(text) == 0:
        text = text[1:]
    return text.replace("-", MINUS) + " %"


def percent(share: float, digits: int = 0) -> str:
    """0.123 -> "12 %"."""
    return f"{100 * share:.{digits}f} %".replace("-", MINUS)


def span(low: float, high: float) -> str:
    """A range of shares: (0.77, 1.0) -> "77–100 %"."""
    return f"{percent(low).removesuffix(' %')}–{percent(high)}"


def figure(value: float) -> str:
    """Three significant digits, thousands separated: 12345.6 -> "12,300", 0.012345 -> "0.0123"."""
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else "–"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    rounded = round(value, 2 - math.floor(math.log10(abs(value))))
    text = f"{rounded:,.{min(digits, 6)}f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return text.replace("-", MINUS)


def compact(value: float) -> str:
    """Short form for axes: 8174100 -> "8.17M", 0.05 -> "0.05"."""
    for size, mark in ((1e9, "bn"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{mark}".replace("-", MINUS)
    return f"{value:.3g}".replace("-", MINUS)


def with_unit(value: float, unit: str) -> str:
    """A figure with its unit: (31200, "GBP/year") -> "£31,200 / year"."""
    money, _, per = unit.partition("/")
    if money in _SYMBOLS:
        amount = abs(value)
        cents = amount < 100 and abs(amount - round(amount)) > 1e-9
        text = f"{amount:.2f}" if cents and amount >= 0.1 else figure(amount)
        sign = MINUS if value < 0 else ""
        return f"{sign}{_SYMBOLS[money]}{text}" + (f" / {per}" if per else "")
    return f"{figure(value)} {unit_words(unit)}".strip()


def unit_words(unit: str) -> str:
    """A unit as it is read: "vehicle/day" -> "vehicle / day", "person" -> "people"."""
    if unit in _PLURALS:
        return _PLURALS[unit]
    money, _, per = unit.partition("/")
    if money in _SYMBOLS:
        return _SYMBOLS[money] + (f" / {per}" if per else "")
    return unit.replace("/", " / ")
