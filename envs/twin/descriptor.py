"""``datapackage.json`` of a city package: its name, licences, sources and files."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from envs.twin.problems import Problems, show

FILE = "datapackage.json"
REQUIRED = ("districts", "variables", "observations")
RESOURCES = (*REQUIRED, "actions", "links", "events")
NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
CURRENCY = re.compile(r"[A-Z]{3}")
UTF8 = ("utf-8", "utf8")


@dataclass(frozen=True)
class Descriptor:
    """What a package says about itself.

    Attributes:
        name: lower-case identifier.
        title: as people read it.
        currency: ISO 4217 code, "" where the package states none.
        licences: names of the licences.
        sources: (title, description) of each source.
        paths: file of each resource that the package lists, by resource name.
    """

    name: str
    title: str
    currency: str
    licences: tuple[str, ...]
    sources: tuple[tuple[str, str], ...]
    paths: dict[str, Path]


def read_descriptor(folder: Path, problems: Problems) -> Descriptor | None:
    """Read and check a package's descriptor; None where nothing can be read from it."""
    content = _load(folder / FILE, problems)
    if content is None:
        return None
    name = content.get("name")
    if not isinstance(name, str) or not NAME.fullmatch(name):
        expected = "a name in lower-case letters, digits, '.', '_' and '-'"
        problems.add(f"{FILE}, name: {_shown(name)}; expected {expected}")
        name = folder.name
    title = content.get("title", name)
    if not isinstance(title, str):
        problems.add(f"{FILE}, title: {_shown(title)}; expected text")
    currency = content.get("currency", "")
    if currency != "" and not (isinstance(currency, str) and CURRENCY.fullmatch(currency)):
        problems.add(f"{FILE}, currency: {_shown(currency)}; expected an ISO 4217 code (GBP)")
        currency = ""
    licences = [
        str(entry.get("name") or entry.get("title") or entry.get("path") or "")
        for entry in _entries(content, "licenses", problems)
    ]
    sources = [
        (str(entry.get("title", "")), str(entry.get("description", "")))
        for entry in _entries(content, "sources", problems)
    ]
    if not any(licences):
        problems.warn([f"{FILE}, licenses: none given; the figures' licence is not known"])
    if not sources:
        problems.warn([f"{FILE}, sources: none given; the figures' origin is not known"])
    paths = _paths(folder, content, problems)
    return Descriptor(name, str(title), str(currency), tuple(licences), tuple(sources), paths)


def _load(path: Path, problems: Problems) -> dict[str, Any] | None:
    """The descriptor as a JSON object, or None with the reason recorded."""
    if not path.is_file():
        problems.add(f"{FILE}: missing; expected the package's descriptor in {path.parent}")
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        problems.add(f"{FILE}: not readable as text ({error}); expected JSON in UTF-8")
        return None
    except json.JSONDecodeError as error:
        place = f"{FILE}, row {error.lineno}, column {error.colno}"
        problems.add(f"{place}: {error.msg}; expected valid JSON")
        return None
    except RecursionError:
        problems.add(f"{FILE}: nested too deeply; expected a data package descriptor")
        return None
    if not isinstance(content, dict):
        problems.add(f"{FILE}: {_shown(content)}; expected a JSON object")
        return None
    return content


def _entries(content: dict[str, Any], key: str, problems: Problems) -> list[dict[str, Any]]:
    """A list of objects in the descriptor, [] where it is absent or malformed."""
    entries = content.get(key, [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        problems.add(f"{FILE}, {key}: {_shown(entries)}; expected a list of objects")
        return []
    return entries


def _paths(folder: Path, content: dict[str, Any], problems: Problems) -> dict[str, Path]:
    """Files by resource name; every listed file must be one file inside the folder."""
    paths: dict[str, Path] = {}
    for entry in _entries(content, "resources", problems):
        name, path = entry.get("name"), entry.get("path")
        place = f"{FILE}, resource {name}"
        if name not in RESOURCES:
            problems.warn([f"{place}: not known, left out"])
            continue
        if name in paths:
            problems.add(f"{place}: listed twice; expected each resource once")
            continue
        if not isinstance(path, str) or not _inside(folder, path):
            problems.add(f"{place}, path: {_shown(path)}; expected one file inside the package")
            continue
        if str(entry.get("encoding", "utf-8")).lower() not in UTF8:
            problems.add(f"{place}, encoding: {_shown(entry['encoding'])}; expected utf-8")
        paths[name] = folder / path
    for name in REQUIRED:
        if name not in paths and not _mentioned(content, name):
            problems.add(f"{FILE}, resources: {name} missing; expected {', '.join(REQUIRED)}")
    for name in RESOURCES:
        if not _mentioned(content, name) and (folder / f"{name}.csv").is_file():
            problems.warn([f"{name}.csv: not listed in {FILE}, left out"])
    return paths


def _mentioned(content: dict[str, Any], name: str) -> bool:
    resources = content.get("resources")
    if not isinstance(resources, list):
        return False
    return any(isinstance(entry, dict) and entry.get("name") == name for entry in resources)


def _inside(folder: Path, path: str) -> bool:
    if not path or "://" in path or "\0" in path:
        return False
    return (folder / path).resolve().is_relative_to(folder.resolve())


def _shown(value: object) -> str:
    if value is None:
        return "missing"
    return show(value) if isinstance(value, str) else show(json.dumps(value))
