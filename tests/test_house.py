"""The rules of the house, checked: who imports whom, what loads late, what every file holds."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import tomllib
from fnmatch import fnmatch
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests.conftest import write
from tests.running import ROOT, python

PACKAGES = ("index", "qa", "ui")
MODULES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
FORBIDDEN = {"index": {"qa", "ui"}, "qa": {"ui"}, "ui": set[str]()}
"""Imports flow ui → qa → index, never back."""
ROOMS: dict[str, set[str]] = {"reading": set(), "encoding": set(), "storage": {"reading"}}
"""The rooms of the index, and which others each may import. The modules beside the rooms may import all of them."""
ONLY_THERE = {
    "faiss": ["index/storage/dense.py"],
    "gradio": ["ui/*.py"],
    "onnxruntime": ["index/encoding/int8.py", "index/encoding/runtime.py"],
    "sentence_transformers": ["index/encoding/sentence_transformer.py"],
    "tantivy": ["index/storage/analysis.py", "index/storage/lexical.py"],
    "tokenizers": ["index/encoding/sentence_transformer.py", "index/encoding/runtime.py"],
    "torch": ["index/encoding/int8.py", "index/encoding/sentence_transformer.py"],
    "transformers": ["index/encoding/sentence_transformer.py"],
}
FOR_MODELS = {"huggingface_hub", "onnx", "sentence_transformers", "torch", "transformers"}
"""What loads a model and makes an int8 network."""
FOR_BUILDING = FOR_MODELS | {"charset_normalizer", "filelock", "sentencex", "tiktoken", "tqdm"}
FOR_MEASURING = {"scipy", "sklearn"}
HEAVY = FOR_BUILDING | FOR_MEASURING | {"faiss", "gradio", "onnxruntime", "tantivy", "tokenizers"}

# Put together from pieces, so that this file holds none of what it looks for.
REGISTRIES = "|".join(
    re.escape(".".join(name))
    for name in (("pypi", "org"), ("pythonhosted", "org"), ("download", "pytorch", "org"), ("npmjs", "org"))
)
HOME_FOLDERS = r"(?<![\w.~-])/(?:" + "|".join(("home", "Users", "root")) + r")/\w"


def house_path(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


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
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("not a git checkout: no telling which files belong to the project")
    paths = (ROOT / name for name in listed.stdout.decode().split("\0") if name)
    return [path for path in paths if path.is_file()]


@pytest.mark.parametrize("path", MODULES, ids=house_path)
def test_imports_flow_from_ui_to_qa_to_index(path: Path) -> None:
    assert not tops(path) & FORBIDDEN[house_path(path).partition("/")[0]]
    assert not tops(path) & {"tests", "bench"}


def imported(path: Path) -> set[str]:
    """The modules of ``index`` that a file of it imports, at its head or later."""
    found = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= names & IN_INDEX.keys() or {node.module or ""}
    return found & IN_INDEX.keys()


IN_INDEX = {
    house_path(path).removesuffix(".py").removesuffix("/__init__").replace("/", "."): path
    for path in MODULES
    if house_path(path).startswith("index/")
}


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_of_the_index_imports_only_what_is_below_it(room: str) -> None:
    allowed = ("index.errors", f"index.{room}.", *(f"index.{below}." for below in ROOMS[room]))
    inside = {name: path for name, path in IN_INDEX.items() if name.startswith(f"index.{room}.")}
    assert inside
    wrong = {
        name: [other for other in imported(path) if not other.startswith(allowed)] for name, path in inside.items()
    }
    assert {name: others for name, others in wrong.items() if others} == {}


def test_the_modules_of_the_index_import_each_other_in_no_circle() -> None:
    TopologicalSorter({name: imported(path) - {name} for name, path in IN_INDEX.items() if name != "index"}).prepare()


@pytest.mark.parametrize("library", ONLY_THERE)
def test_each_engine_is_imported_in_its_own_place_only(library: str) -> None:
    users = [house_path(path) for path in MODULES if library in tops(path)]
    assert [place for place in ONLY_THERE[library] if not any(fnmatch(user, place) for user in users)] == []
    assert [user for user in users if not any(fnmatch(user, place) for place in ONLY_THERE[library])] == []


def loaded_by(probe: str, *arguments: str) -> set[str]:
    """The top-level modules that are loaded in a new process once it has run the probe."""
    code = f"{probe}\nimport sys\nprint('\\nLoaded:', *{{name.partition('.')[0] for name in sys.modules}})"
    done = python("-c", code, *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    _, _, names = done.stdout.rpartition("\nLoaded:")
    assert "sys" in names.split()
    return set(names.split())


def test_importing_the_packages_loads_nothing_heavy() -> None:
    assert loaded_by(f"import {', '.join(PACKAGES)}") & HEAVY == set()


TERMINAL = """
import runpy, sys
sys.argv[0] = "qa"
try:
    runpy.run_module("qa", run_name="__main__", alter_sys=True)
except SystemExit as end:
    assert not end.code
"""
FROM_PYTHON = """
import sys
from index import open_index
from qa import answer, retrieve
library = open_index(sys.argv[1])
assert retrieve(sys.argv[2], library)[0].text == answer(sys.argv[2], library).evidence[0].hit.text == sys.argv[3]
"""
COST = ("What did the works cost?", "The works cost 3.4 million euros.")


def test_asking_loads_nothing_that_only_building_and_the_chat_need(index_path: Path) -> None:
    asking = {"faiss", "onnxruntime", "tantivy", "tokenizers"}
    for found in (
        loaded_by(TERMINAL, COST[0], "--index", str(index_path)),
        loaded_by(TERMINAL, "--json", COST[0], "--index", str(index_path)),
        loaded_by(FROM_PYTHON, str(index_path), *COST),
    ):
        assert found & HEAVY == asking


ADDING = """
import sys
from index import add
report = add([sys.argv[2]], sys.argv[1])
assert (report.added, report.skipped) == (1, [])
"""


def test_adding_an_article_loads_nothing_that_only_models_need(index_path: Path, tmp_path: Path) -> None:
    ferry = write(tmp_path / "out", ferry="The ferry\n\nThe ferry Skua sank off Port Ansel.\n") / "ferry.txt"
    found = loaded_by(ADDING, str(index_path), str(ferry))
    assert "onnxruntime" in found
    assert found & FOR_MODELS == set()


def test_an_exported_function_shares_its_name_with_no_module() -> None:
    for package in PACKAGES:
        exported = [
            element.value
            for node in ast.walk(ast.parse((ROOT / package / "__init__.py").read_bytes()))
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
            for element in ast.walk(node.value)
            if isinstance(element, ast.Constant)
        ]
        assert exported, f"{package}/__init__.py says in __all__ what it exports"
        assert {path.stem for path in (ROOT / package).glob("*.py")}.isdisjoint(exported)


def test_every_module_says_in_its_docstring_what_it_is_for() -> None:
    others = [path for folder in ("tests", "bench") for path in sorted((ROOT / folder).rglob("*.py"))]
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


def test_the_package_files_are_those_that_pyproject_names() -> None:
    named = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]["package-data"]
    patterns = {f"{package.replace('.', '/')}/{name}" for package, names in named.items() for name in names}
    here = [
        house_path(path)
        for path in files_of_the_house()
        if house_path(path).partition("/")[0] in PACKAGES and path.suffix != ".py"
    ]
    assert [name for name in here if not any(fnmatch(name, pattern) for pattern in patterns)] == []
    assert [pattern for pattern in patterns if not any(fnmatch(name, pattern) for name in here)] == []


def test_every_folder_of_modules_is_a_package_of_at_most_a_dozen() -> None:
    folders = {path.parent for path in MODULES}
    assert [house_path(folder) for folder in folders if not (folder / "__init__.py").is_file()] == []
    rooms = {house_path(f): [p for p in f.iterdir() if p.suffix == ".py" and p.stem[:2] != "__"] for f in folders}
    assert [folder for folder, modules in rooms.items() if len(modules) > (12 if folder != "qa" else 17)] == []


def test_constraints_pin_every_dependency_exactly() -> None:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    exact = re.compile(r"([A-Za-z0-9._-]+)==[0-9][0-9a-z.]*(?:; [\w\s.<>='\"]+)?")
    assert [pin for pin in pins if not exact.fullmatch(pin)] == []
    assert pins[0].startswith("torch==")

    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = [
        *project["dependencies"],
        *(text for extra in project["optional-dependencies"].values() for text in extra),
    ]
    names = {re.split(r"[<>=!~;\[ ]", text)[0].lower() for text in wanted} - {project["name"]}
    assert names - {pin.partition("==")[0].lower() for pin in pins} == set()


@pytest.mark.parametrize(
    ("target", "wanted"),
    [("chat", "--editable '.[ui]' )"), ("test", "--editable '.[dev]' )"), ("bench", "--editable '.[dev]' )")],
)
def test_what_make_runs_from_nothing_is_sound_shell(target: str, wanted: str, tmp_path: Path) -> None:
    planned = subprocess.run(
        ["make", "--dry-run", f"VENV={tmp_path / 'none'}", target],
        cwd=ROOT,
        env={key: value for key, value in os.environ.items() if not key.startswith("MAKE")},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert wanted in planned
    checked = subprocess.run(["sh", "-n"], input=planned, capture_output=True, text=True, check=False)
    assert checked.stderr == ""
