"""The house holds together: what the wheel carries, what is declared, what is never loaded."""

import ast
import csv
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import networkx
import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGES = ("envs", "agents", "experiments", "configs")


def sources() -> Iterator[tuple[Path, ast.Module]]:
    """Every Python file of the packages with its syntax tree."""
    for package in PACKAGES:
        for path in sorted((REPOSITORY / package).rglob("*.py")):
            yield path.relative_to(REPOSITORY), ast.parse(path.read_text(encoding="utf-8"))


def imported_modules(tree: ast.Module) -> set[str]:
    """Full names of the modules that a file imports, relative imports left out."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.add(node.module)
    return names


def normalised(distribution: str) -> str:
    """Name of a distribution as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


def run_pip(*arguments: str | Path) -> None:
    """Run pip without the network; its own words are the message when it fails."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    done = subprocess.run([*pip, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of the sources in which Python has already left bytecode."""
    source, folder = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for package in PACKAGES:
        shutil.copytree(REPOSITORY / package, source / package)
        (source / package / "__pycache__").mkdir(exist_ok=True)
        (source / package / "__pycache__" / "left.cpython-311.pyc").write_bytes(b"")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        if (REPOSITORY / name).is_file():
            shutil.copy(REPOSITORY / name, source / name)
    run_pip("wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w", folder, source)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed_wheel(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder into which the wheel is installed, without its dependencies."""
    target = tmp_path_factory.mktemp("target")
    run_pip("install", "--no-deps", "--no-index", "--no-compile", "--target", target, wheel)
    return target


def test_installed_wheel_finds_its_cities_outside_the_checkout(
    installed_wheel: Path, tmp_path: Path
) -> None:
    program = "import configs; print(configs.root())"
    # -S leaves out site-packages and with it the editable installation of this checkout.
    done = subprocess.run(
        [sys.executable, "-S", "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(installed_wheel)},
        capture_output=True,
        text=True,
        check=True,
    )
    root = Path(done.stdout.strip())
    assert root == installed_wheel / "configs"
    with (root / "city" / "london" / "observations.csv").open(encoding="utf-8") as file:
        assert sum(1 for _ in csv.DictReader(file)) == 3922


def test_wheel_carries_every_module_and_value_and_no_bytecode(wheel: Path) -> None:
    written = {
        path.relative_to(REPOSITORY).as_posix()
        for package in PACKAGES
        for path in (REPOSITORY / package).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert packed == written


def test_wheel_states_its_licences(installed_wheel: Path) -> None:
    (metadata,) = installed_wheel.glob("polislab-*.dist-info/METADATA")
    assert "License-Expression: MIT AND OGL-UK-3.0" in metadata.read_text()
    licences = metadata.parent / "licenses"
    assert "MIT License" in (licences / "LICENSE").read_text()
    london = (licences / "configs" / "city" / "london" / "ATTRIBUTION.md").read_text()
    assert (
        "Contains public sector information licensed under the Open Government Licence v3.0"
        in " ".join(london.split())
    )


def test_every_import_is_a_declared_dependency() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    optional = [name for extra in set(extras) - {"test", "dev"} for name in extras[extra]]
    declared = {
        normalised(re.split(r"[^\w.-]", requirement)[0])
        for requirement in [*project["dependencies"], *optional]
    }
    providers = importlib.metadata.packages_distributions()
    undeclared = []
    for path, tree in sources():
        for module in sorted(imported_modules(tree)):
            top = module.partition(".")[0]
            if top in sys.stdlib_module_names or top in PACKAGES:
                continue
            distributions = {normalised(name) for name in providers.get(top, [top])}
            if not distributions & declared:
                undeclared.append(f"{path}: {module}")
    assert undeclared == []


def pickle_loads(tree: ast.Module) -> Iterator[str]:
    """What a file could load a pickle with, each with its line."""
    modules = {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal"}
    functions = {"torch.load", "joblib.load", "pandas.read_pickle", "pd.read_pickle"}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("stable_baselines3"):
            functions |= {f"{alias.asname or alias.name}.load" for alias in node.names}
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                used = {alias.name for alias in names} & modules
            case ast.ImportFrom(module=str(module), names=names):
                used = {module} & modules | {
                    f"{module}.{alias.name}" for alias in names
                } & functions
            case ast.Attribute(value=ast.Name(id=owner), attr=attribute):
                used = {f"{owner}.{attribute}"} & functions
            case ast.keyword(arg="allow_pickle", value=value):
                safe = isinstance(value, ast.Constant) and value.value is False
                used = set() if safe else {"allow_pickle"}
            case _:
                continue
        yield from (f"line {node.lineno}: {name}" for name in used)


def test_no_module_can_load_a_pickle() -> None:
    found = [f"{path} {load}" for path, tree in sources() for load in pickle_loads(tree)]
    assert found == []


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "from cloudpickle import loads",
        "import torch\ntorch.load('weights.pt')",
        "from torch import load",
        "import numpy as np\nnp.load('a.npy', allow_pickle=True)",
        "from stable_baselines3 import PPO\nPPO.load('policy.zip')",
    ],
)
def test_a_loader_of_pickles_is_seen(code: str) -> None:
    assert list(pickle_loads(ast.parse(code)))


def import_graph(trees: dict[str, ast.Module]) -> networkx.DiGraph:
    """Which module imports which, also inside functions; by full name."""
    graph = networkx.DiGraph()
    for name, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                used = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                owner = node.module or ""
                parts = [f"{owner}.{alias.name}" for alias in node.names]
                used = [part if part in trees else owner for part in parts]
            else:
                continue
            graph.add_edges_from((name, module) for module in used if module in trees)
    return graph


def cycles(graph: networkx.DiGraph) -> list[list[str]]:
    """Groups of modules that import one another, and modules that import themselves."""
    tangled = [sorted(x) for x in networkx.strongly_connected_components(graph) if len(x) > 1]
    return tangled + [[name] for name, _ in networkx.selfloop_edges(graph)]


def test_no_module_imports_in_a_circle_even_late() -> None:
    trees = {
        ".".join(path.with_suffix("").parts).removesuffix(".__init__"): tree
        for path, tree in sources()
    }
    relative = [
        name
        for name, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert relative == [], "relative imports would be missed"
    graph = import_graph(trees)
    assert graph.has_edge("envs.registry", "envs.governance")
    assert cycles(graph) == []


def test_a_circle_is_seen_also_through_a_function() -> None:
    code = {"p.a": "from p import b", "p.b": "def f():\n    import p.c", "p.c": "from p.a import x"}
    graph = import_graph({name: ast.parse(text) for name, text in code.items()})
    assert cycles(graph) == [["p.a", "p.b", "p.c"]]


def test_no_file_is_longer_than_four_hundred_lines() -> None:
    folders = [REPOSITORY / name for name in (*PACKAGES, "tests")]
    long = {
        str(path.relative_to(REPOSITORY)): lines
        for folder in folders
        for path in folder.rglob("*.py")
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > 400
    }
    assert long == {}


def test_sources_name_no_folder_of_one_machine() -> None:
    private = re.compile(r"""["'](/work/|/home/|/root/|/Users/|[A-Z]:\\)""")
    found = [str(path) for path, _ in sources() if private.search((REPOSITORY / path).read_text())]
    assert found == []


def test_continuous_integration_calls_make_test() -> None:
    script = REPOSITORY / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert script.read_text().rstrip().endswith("make test")
    plan = subprocess.run(
        ["make", "--dry-run", "--always-make", "test"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    steps = [plan.index(tool) for tool in ("ruff check", "ruff format", "mypy", "lint-imports")]
    assert [*steps, plan.index("pytest")] == sorted([*steps, plan.index("pytest")])


def test_hooks_use_the_tools_of_the_environment_and_no_network() -> None:
    hooks = yaml.safe_load((REPOSITORY / ".pre-commit-config.yaml").read_text())
    assert [repo["repo"] for repo in hooks["repos"]] == ["local"]
    entries = [hook for repo in hooks["repos"] for hook in repo["hooks"]]
    assert {hook["language"] for hook in entries} == {"system"}
    assert {hook["id"] for hook in entries} == {"ruff", "ruff-format", "mypy", "lint-imports"}
    assert all(hook["entry"].startswith(".venv/bin/") for hook in entries)


def test_guides_name_places_that_exist() -> None:
    guides = ("CONTRIBUTING.md", "docs/newcomers-guide.md")
    text = "\n".join((REPOSITORY / guide).read_text() for guide in guides)
    places = re.findall(r"`((?:envs|agents|experiments|configs|tests)/[^`<]*)", text)
    assert len(places) > 10
    assert [place for place in places if not (REPOSITORY / place).exists()] == []
