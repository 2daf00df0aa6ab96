"""The README is true: its code and commands run as they stand, its files exist, its make targets too."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from index.encoding.encoder import TokenEncoder
from tests.running import ROOT, python

README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def commands(start: str) -> list[str]:
    lines = [line.split("  #")[0].strip() for block in blocks("sh") for line in block.splitlines()]
    return [line for line in lines if line.startswith(start)]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, encoder: TokenEncoder) -> Path:
    """A folder as a user has it: the articles, and nothing built yet."""
    folder = tmp_path_factory.mktemp("desk")
    shutil.copytree(ROOT / "corpus", folder / "corpus")
    return folder


def run(arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return python(*arguments, cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)})


def test_the_python_runs_and_prints_what_its_comments_say(desk: Path) -> None:
    (code,) = blocks("python")
    done = run(["-c", code], desk)
    assert (done.returncode, done.stderr) == (0, "")
    for line in code.splitlines():
        if match := re.search(r"^print\(.*\) +# (.+)$", line):
            assert match.group(1) in done.stdout


def test_every_terminal_command_runs(desk: Path) -> None:
    found = commands("python -m")
    assert len(found) >= 6
    for command in found:
        if command.startswith("python -m ui"):
            continue
        arguments = re.findall(r'"[^"]*"|\S+', command)[1:]
        done = run([argument.strip('"') for argument in arguments], desk)
        assert done.returncode == 0, (command, done.stderr)
        assert done.stdout, command


def test_the_chat_command_serves_a_page(desk: Path) -> None:
    (command,) = commands("python -m ui")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    arguments = command.split()[1:]
    arguments[arguments.index("--port") + 1] = port
    run(["-m", "index", "build", "corpus"], desk)
    chat = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=desk,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(240):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as page:
                    assert b"Clippings" in page.read()
                return
            except OSError:
                assert chat.poll() is None, "the chat has ended"
                time.sleep(0.25)
        pytest.fail("the chat did not come up in a minute")
    finally:
        chat.terminate()
        chat.wait(timeout=30)


def test_its_make_targets_are_there() -> None:
    for command in commands("make"):
        done = subprocess.run(
            ["make", "-n", *command.split()[1:]], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr


def test_the_files_it_names_exist_and_none_is_forgotten() -> None:
    table = README.partition("## The files of the house")[2].partition("\n## ")[0]
    named: set[str] = set()
    for cell in re.findall(r"^\| (`[^|]+) \|", table, re.MULTILINE):
        folder = ""
        for name in re.findall(r"`([^`]+)`", cell):
            folder = name.rpartition("/")[0] or folder
            named.add(name if "/" in name else f"{folder}/{name}")
    assert all((ROOT / name).exists() for name in named), sorted(named)
    for package in ("index", "qa"):
        modules = {f"{package}/{path.name}" for path in (ROOT / package).glob("*.py") if not path.name.startswith("__")}
        assert modules - named <= {f"{package}/errors.py", f"{package}/parameters.py"}


def test_its_links_and_pictures_exist() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).is_file(), target
