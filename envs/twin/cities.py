"""Finding city packages by name: those that ship, and those in the user's own folders."""

import difflib
import itertools
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import configs
from envs.twin.descriptor import FILE, REQUIRED, read_descriptor
from envs.twin.package_checks import LAYOUTS
from envs.twin.problems import PackageError, Problems
from envs.twin.tables import load, workspace

SEARCH_PATH = "POLISLAB_CITY_PATH"


@dataclass(frozen=True)
class CityEntry:
    """One line of the list of cities.

    Attributes:
        name: what ``city=`` takes.
        title: as people read it.
        folder: the package.
        districts: how many.
        series: how many, observed and logged.
        first_year: of any figure; None where there is none.
        last_year: of any figure; None where there is none.
        problem: why the package cannot be listed in full, "" where it can.
    """

    name: str
    title: str
    folder: Path
    districts: int = 0
    series: int = 0
    first_year: int | None = None
    last_year: int | None = None
    problem: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Plain values that serialise to JSON."""
        return {**asdict(self), "folder": str(self.folder)}


def city_folders() -> list[Path]:
    """Folders that hold packages: the shipped cities, then those of POLISLAB_CITY_PATH."""
    listed = os.environ.get(SEARCH_PATH, "").split(os.pathsep)
    return [configs.root() / "city", *(Path(part).expanduser() for part in listed if part)]


def find_city(city: Path | str) -> Path:
    """Folder of a package, from its name or its folder.

    Raises:
        PackageError: no such city, or two packages of this name.
    """
    named = [folder for name, _, folder in _packages() if name == str(city)]
    if len(named) > 1:
        listed = " and ".join(str(folder) for folder in named)
        raise PackageError(
            [f"{city}: two packages of one name: {listed}; expected one (or give its folder)"],
            str(city),
        )
    if named:
        return named[0]
    folder = Path(city).expanduser()
    if folder.name == FILE:
        folder = folder.parent
    if folder.is_dir():
        return folder
    names = sorted({name for name, _, _ in _packages()})
    close = difflib.get_close_matches(str(city), names, n=1)
    hint = f" (did you mean {close[0]}?)" if close else ""
    known = ", ".join(names) or "none"
    raise PackageError(
        [f"city: {str(city)!r}; expected one of {known}, or a package's folder{hint}"], str(city)
    )


def list_cities() -> list[CityEntry]:
    """The packages that can be named, by name. A package that cannot be read says why.

    Raises:
        PackageError: two packages of one name.
    """
    packages = sorted(_packages())
    problems = [
        f"{name}: two packages of one name: {first} and {second}; expected one of a name"
        for (name, _, first), (other, _, second) in itertools.pairwise(packages)
        if name == other
    ]
    if problems:
        raise PackageError(problems, "cities")
    return [_entry(name, title, folder) for name, title, folder in packages]


def _packages() -> list[tuple[str, str, Path]]:
    """(name, title, folder) of every package in the folders; the folder names a nameless one."""
    found: dict[Path, tuple[str, str, Path]] = {}
    for root in city_folders():
        for path in sorted([*root.glob(FILE), *root.glob(f"*/{FILE}")]):
            folder = path.parent
            content = _content(path)
            name, title = content.get("name"), content.get("title")
            name = name if isinstance(name, str) and name else folder.name
            title = title if isinstance(title, str) and title else name
            found.setdefault(folder.resolve(), (name, title, folder))
    return list(found.values())


def _content(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _entry(name: str, title: str, folder: Path) -> CityEntry:
    """Count what a package holds without checking its figures."""
    problems = Problems()
    descriptor = read_descriptor(folder, problems)
    paths = descriptor.paths if descriptor else {}
    with workspace() as connection:
        counts = {}
        for table in REQUIRED:
            if table in paths:
                shown = str(paths[table].relative_to(folder))
                loaded = load(connection, paths[table], shown, LAYOUTS[table], problems)
                counts[table] = loaded.rows if loaded else 0
        if problems:
            return CityEntry(name, title, folder, problem=problems.lines()[0])
        years = connection.execute(
            "SELECT min(y), max(y) FROM (SELECT TRY_CAST(left(time, 4) AS INTEGER) AS y "
            "FROM observations)"
        ).fetchall()
    ((first, last),) = years
    return CityEntry(name, title, folder, counts["districts"], counts["variables"], first, last)
