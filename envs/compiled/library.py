"""Programs as shared libraries: compiled once, kept in a cache, called from Python."""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from envs.errors import CompileError

#: Names of compilers in the order in which they are tried; the variable CXX comes first.
COMPILERS = ("g++", "clang++", "c++")
FLAGS = (
    *("-x", "c++", "-std=c++17", "-shared", "-fPIC", "-w"),
    *("-O2", "-march=native", "-fopenmp-simd", "-ffast-math", "-fno-finite-math-only"),
)
#: Flags of the processor's widest vectors, and of vectors in the mathematical functions; left out
#: where compilers or libraries have none.
WISHES = ("-mprefer-vector-width=512", "-fno-tree-loop-distribute-patterns", "-DVECTOR_MATHS")
LIBRARIES = ("-lmvec", "-lm")
#: Numbers of a vector, by what a compiler defines.
WIDTHS = {"__AVX512F__": 16, "__AVX__": 8}
NARROWEST = 4


def compiler() -> str:
    """The C++ compiler of this machine.

    Raises:
        CompileError: there is none.
    """
    for name in (os.environ.get("CXX"), *COMPILERS):
        if name and (found := shutil.which(name)):
            return found
    raise CompileError(
        f"no C++ compiler: expected {', '.join(COMPILERS)} on the path, or the variable CXX to "
        "name one (Debian: apt install g++)"
    )


@cache
def _defines(tool: str) -> str:
    """What a compiler defines for this processor, a line each."""
    done = _run([tool, *FLAGS, "-dM", "-E", os.devnull])
    if done.returncode:
        raise CompileError(f"{tool} refused its flags: {_reason(done.stderr)}")
    return done.stdout


def lanes(tool: str) -> int:
    """Environments of a vector: as many numbers as the processor's widest vectors hold.

    Raises:
        CompileError: a compiler that does not say.
    """
    known = {line.split()[1] for line in _defines(tool).splitlines()}
    return next((n for macro, n in WIDTHS.items() if macro in known), NARROWEST)


def folder() -> Path:
    """Where compiled programs are kept."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "polislab" / "steps"


def load(text: str) -> ctypes.CDLL:
    """A program, compiled if it was not compiled for such a processor before.

    Raises:
        CompileError: no compiler, or it refuses the text.
    """
    tool = compiler()
    made_for = [text, tool, *FLAGS, *WISHES, _defines(tool)]
    name = hashlib.sha256("\0".join(made_for).encode()).hexdigest()[:24]
    target = folder() / f"{name}.so"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        _build(tool, text, target)
    return ctypes.CDLL(str(target))


def _build(tool: str, text: str, target: Path) -> None:
    """Compile in a folder beside the target, and put the library in place at once."""
    with tempfile.TemporaryDirectory(dir=target.parent) as place:
        source, made = Path(place) / "step.cpp", Path(place) / "step.so"
        source.write_text(text, encoding="utf-8")
        tries = ((*WISHES, *LIBRARIES), ("-DVECTOR_MATHS", *LIBRARIES), ("-lm",))
        for extra in tries:
            done = _run([tool, *FLAGS, str(source), "-o", str(made), *extra])
            if done.returncode == 0:
                break
        else:
            raise CompileError(f"{tool} refused a compiled step: {_reason(done.stderr)}")
        os.replace(made, target)


def _reason(messages: str) -> str:
    lines = [line for line in messages.splitlines() if "error" in line]
    return (lines or messages.splitlines() or ["no message"])[0]


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)
