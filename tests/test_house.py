"""The rules of the house, checked: who imports whom, what loads late, what every file holds."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

import pytest

HOUSE = Path(__file__).parent.parent
PACKAGES = ("index", "qa", "ui")
MODULES = [path for package in PACKAGES for path in sorted((HOUSE / package).rglob("*.py"))]
FORBIDDEN = {"index": {"qa", "ui"}, "qa": {"ui"}, "ui": set[str]()}
"""Imports flow ui → qa → index, never back."""
ONLY_THERE = {"faiss": "index/dense.py", "tantivy": "index/lexical.py", "gradio": "ui/*.py"}
HEAVY = {
    "faiss",
    "gradio",
    "onnxruntime",
    "sentence_transformers",
    "tantivy",
    "tiktoken",
    "torch",
    "transformers",
}

# Put together from pieces, so that this file holds none of what it looks for.
REGISTRIES = "|".join(
    re.escape(".".join(name))
    for name in (("pypi", "org"), ("pythonhosted", "org"), ("download", "pytorch", "org"), ("npmjs", "org"))
)
HOME_FOLDERS = r"(?<![\w.~-])/(?:" + "|".join(("home", "Users", "root")) + r")/\w"


def house_path(path: Path) -> str:
    return path.relative_to(HOUSE).as_posix()


def tops(path: Path) -> set[str]:
    """The top-level names of the modules that a file imports, at its head or later."""
    names = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return {name.partition(".")[0] for name in names}


@cache
def files_of_the_house() -> list[Path]:
    """Every file that git keeps or would keep."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=HOUSE,
        capture_output=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("not a git checkout: no telling which files belong to the project")
    paths = (HOUSE / name for name in listed.stdout.decode().split("\0") if name)
    return [path for path in paths if path.is_file()]


@pytest.mark.parametrize("path", MODULES, ids=house_path)
def test_imports_flow_from_ui_to_qa_to_index(path: Path) -> None:
    assert not tops(path) & FORBIDDEN[house_path(path).partition("/")[0]]
    assert not tops(path) & {"tests", "bench"}


@pytest.mark.parametrize("library", ONLY_THERE)
def test_each_engine_is_imported_in_its_own_place_only(library: str) -> None:
    users = [house_path(path) for path in MODULES if library in tops(path)]
    assert users
    assert [user for user in users if not fnmatch(user, ONLY_THERE[library])] == []


def test_importing_the_packages_loads_nothing_heavy() -> None:
    probe = f"import sys, {', '.join(PACKAGES)}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", probe], cwd=HOUSE, capture_output=True, text=True, check=True)
    assert HEAVY & set(done.stdout.split()) == set()


def test_an_exported_function_shares_its_name_with_no_module() -> None:
    for package in PACKAGES:
        exported = [
            element.value
            for node in ast.walk(ast.parse((HOUSE / package / "__init__.py").read_bytes()))
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
            for element in ast.walk(node.value)
            if isinstance(element, ast.Constant)
        ]
        assert exported, f"{package}/__init__.py says in __all__ what it exports"
        assert {path.stem for path in (HOUSE / package).glob("*.py")}.isdisjoint(exported)


def test_every_module_says_in_its_docstring_what_it_is_for() -> None:
    others = [path for folder in ("tests", "bench") for path in sorted((HOUSE / folder).rglob("*.py"))]
    silent = [
        house_path(path)
        for path in MODULES + others
        if not (ast.get_docstring(ast.parse(path.read_bytes())) or "").strip()
    ]
    assert silent == []


def test_no_file_names_a_package_registry_or_a_home_folder() -> None:
    unwanted = re.compile(f"{REGISTRIES}|{HOME_FOLDERS}".encode())
    found = [
        f"{house_path(path)}: {match.group().decode()}"
        for path in files_of_the_house()
        for match in unwanted.finditer(path.read_bytes())
    ]
    assert found == []


@pytest.mark.parametrize("package", PACKAGES)
def test_the_package_files_are_those_that_pyproject_names(package: str) -> None:
    patterns = tomllib.loads((HOUSE / "pyproject.toml").read_text("utf-8"))
    named = patterns["tool"]["setuptools"]["package-data"].get(package, [])
    folder = HOUSE / package
    here = [
        path.relative_to(folder).as_posix()
        for path in files_of_the_house()
        if path.is_relative_to(folder) and path.suffix != ".py"
    ]
    assert [name for name in here if not any(fnmatch(name, pattern) for pattern in named)] == []
    assert [pattern for pattern in named if not any(fnmatch(name, pattern) for name in here)] == []
    assert (folder / "__init__.py").is_file()
    assert [house_path(p) for p in MODULES if p.parent != folder and p.is_relative_to(folder)] == []


def test_constraints_pin_every_dependency_exactly() -> None:
    lines = (HOUSE / "constraints.txt").read_text("utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    exact = re.compile(r"([A-Za-z0-9._-]+)==[0-9][0-9a-z.]*(?:; [\w\s.<>='\"]+)?")
    assert [pin for pin in pins if not exact.fullmatch(pin)] == []
    assert pins[0].startswith("torch==")

    project = tomllib.loads((HOUSE / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    names = {re.split(r"[<>=!~;\[ ]", text)[0].lower() for text in wanted}
    assert names - {pin.partition("==")[0].lower() for pin in pins} == set()
