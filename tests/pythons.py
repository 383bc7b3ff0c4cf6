"""Run the unit and integration tests on every interpreter from 3.10 up that is found.

One environment per interpreter (.venv-3.x, kept), installed from the same hash-locked
requirements. Interpreters are looked for on PATH and under pyenv; ARGS go to pytest.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MINORS = (10, 11, 12, 13, 14)
NOTHING_CHOSEN = 5  # pytest's exit code


def candidates(minor: int) -> Iterator[str]:
    name = f"python3.{minor}"
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for folder in sorted(pyenv.glob(f"3.{minor}.*"), reverse=True):
        yield str(folder / "bin" / name)
    if found := shutil.which(name):
        yield found
    if sys.version_info[:2] == (3, minor):
        yield sys.executable


def interpreter(minor: int) -> str | None:
    for path in candidates(minor):
        asked = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
        if asked.returncode == 0 and re.match(rf"Python 3\.{minor}\.", asked.stdout):
            return path
    return None


def install(python: str, venv: Path) -> None:
    uv = str(Path(sys.executable).parent / "uv")
    lock, stamp = ROOT / "requirements.lock", venv / ".installed"
    if stamp.exists() and stamp.stat().st_mtime >= lock.stat().st_mtime:
        return
    target = ["--python", str(venv / "bin" / "python"), "--quiet"]
    subprocess.run([uv, "venv", "--quiet", "--clear", "--python", python, str(venv)], check=True)
    subprocess.run([uv, "pip", "sync", *target, "--require-hashes", str(lock)], check=True)
    editable = ["--no-deps", "--no-build-isolation", "--editable", str(ROOT)]
    subprocess.run([uv, "pip", "install", *target, *editable], check=True)
    stamp.touch()


def passes(venv: Path, arguments: list[str]) -> bool:
    """As `make test` does: on every core, by file what waits, alone what needs the machine."""
    pytest = [str(venv / "bin" / "python"), "-m", "pytest", "-q"]
    chosen = arguments or ["tests/unit", "tests/property", "tests/integration"]
    together = ["-m", "not slow and not alone and not paired", "-n", "3"]
    phases = (
        [*together, "--dist", "worksteal"],
        ["-m", "not slow and paired and not alone", "-n", "3", "--dist", "loadfile"],
        ["-m", "not slow and alone"],
    )
    ran = [subprocess.run([*pytest, *phase, *chosen], cwd=ROOT).returncode for phase in phases]
    return 0 in ran and not set(ran) - {0, NOTHING_CHOSEN}


def main(arguments: list[str]) -> int:
    results: dict[str, str] = {}
    for minor in MINORS:
        python = interpreter(minor)
        if python is None:
            continue
        print(f"== 3.{minor}: {python}", flush=True)
        venv = ROOT / f".venv-3.{minor}"
        install(python, venv)
        results[f"3.{minor}"] = "passed" if passes(venv, arguments) else "FAILED"
    print("; ".join(f"{name} {result}" for name, result in results.items()))
    return 0 if results and "FAILED" not in results.values() else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
