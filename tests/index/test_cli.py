"""python -m index: what each command prints, where, and how it exits."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from index import build, verify
from index.__main__ import main
from index.encoding.encoder import TokenEncoder
from index.storage.store import Store
from tests.conftest import BRIDGE, HARVEST, write
from tests.models import SmallModel
from tests.running import ROOT, python

FERRY = "The ferry\n\nThe ferry Skua sank off Port Ansel.\n"
SECONDS = r"\d+\.\d s"
ENCODER = r"int8 ONNX, mean cosine to the original 0\.99\d\d"


def said(capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    captured = capsys.readouterr()
    return captured.out, captured.err


@pytest.mark.usefixtures("encoder")
def test_build_reports_in_one_line_and_notes_on_stderr(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    index = str(tmp_path / "index")
    write(corpus, empty="", odd="date 2022-02-30 A day that is none\n\nText.\n")
    assert main(["build", str(corpus), "--index", index]) == 0
    out, err = said(capsys)
    summary = rf"{index}: 3 added, 0 changed, 0 removed, 0 unchanged, 1 skipped in {SECONDS}"
    assert re.fullmatch(rf"encoder: {ENCODER}\n{summary}\n", out)
    assert err == (
        "skipped: empty.txt: the file is empty; put the article's text in it.\n"
        "note: odd.txt: first line: '2022-02-30' is not a date; write it as YYYY-MM-DD. Kept without a date.\n"
    )

    (corpus / "empty.txt").unlink()
    assert main(["build", str(corpus), "--index", index, "--passage-tokens", "160"]) == 0
    out, err = said(capsys)
    assert out.startswith(f"{index}: 0 added, 0 changed, 0 removed, 3 unchanged, 0 skipped in ")
    assert main(["build", str(corpus), "--index", index, "--passage-tokens", "99"]) == 1
    out, err = said(capsys)
    assert (out, err.startswith(f"error: The index at {index} was made with passage tokens 160, not 99. ")) == (
        "",
        True,
    )


def test_add_and_remove_fail_if_a_file_was_refused(
    corpus: Path, index_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    index = str(index_path)
    out_folder = write(tmp_path / "out", ferry=FERRY, empty="")
    assert main(["add", str(out_folder / "ferry.txt"), "--index", index]) == 0
    out, err = said(capsys)
    assert re.fullmatch(rf"{index}: 1 added, 0 changed, 0 removed, 0 unchanged, 0 skipped in {SECONDS}\n", out)
    assert main(["add", str(out_folder / "empty.txt"), "--index", index]) == 1
    assert said(capsys)[1] == "skipped: empty.txt: the file is empty; put the article's text in it.\n"

    assert main(["remove", "ferry.txt", "nothing.txt", "--index", index]) == 1
    out, err = said(capsys)
    assert ": 0 added, 0 changed, 1 removed, 0 unchanged, 1 skipped in " in out
    assert err == "skipped: nothing.txt: the index has no article with this name.\n"
    assert sorted(path.name for path in corpus.iterdir()) == [".trash", "bridge.txt", "harvest.txt"]


@pytest.mark.usefixtures("original")
def test_an_exact_build_says_what_encodes(corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    index = str(tmp_path / "index")
    assert main(["build", str(corpus), "--index", index, "--exact"]) == 0
    out, err = said(capsys)
    first, second = out.splitlines()
    assert first == "encoder: sentence-transformers, because exact encoding was requested"
    assert second.startswith(f"{index}: 2 added, ")
    assert err == ""
    assert main(["status", "--index", index]) == 0
    assert f"\n{first}\n" in said(capsys)[0]


def test_a_build_that_makes_the_encoder_says_so_once(
    corpus: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    small_model: SmallModel,
) -> None:
    monkeypatch.setenv("CLIPPINGS_CACHE", str(tmp_path / "cache"))
    command = ["build", str(corpus), "--model", small_model(tmp_path), "--index"]
    done = python("-m", "index", *command, str(tmp_path / "one"))
    assert done.stderr == f"Making the encoder of {tmp_path / 'model'}, once on this machine …\n"
    assert done.returncode == 0
    assert re.match(rf"encoder: {ENCODER}\n", done.stdout)
    assert main([*command, str(tmp_path / "two")]) == 0
    assert caplog.messages == []


def test_status_says_what_the_index_holds(
    corpus: Path, index_path: Path, encoder: TokenEncoder, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["status", "--index", str(index_path)]) == 0
    described = [
        f"{index_path}: 2 articles, 2 passages, 11 sentences\n",
        f"corpus: {corpus}\n",
        f"model: all-MiniLM-L6-v2 (384 dimensions, {encoder.identity[:12]})\n",
        f"encoder: int8 ONNX, mean cosine to the original {encoder.recipe.cosine:.4f}\n",
        "passages: at most 160 tokens of clippings\n",
    ]
    assert said(capsys) == ("".join(described), "")
    assert main(["status", "--list", "--index", str(index_path)]) == 0
    articles = [
        "2022-05-11  harvest.txt  Plum growers fear for their harvest\n",
        "2022-03-04  bridge.txt  Old bridge over the Lim reopens after repairs\n",
    ]
    assert said(capsys)[0] == "".join(described + articles)


def test_verify_agrees_or_names_what_is_wrong(
    corpus: Path, index_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    index = str(index_path)
    assert main(["verify", "--index", index]) == 0
    out, err = said(capsys)
    counted = f"2 articles, 2 passages, 11 sentences read again in {SECONDS}"
    assert re.fullmatch(rf"{index}: all agree; {counted}, least cosine [01]\.\d{{4}}\n", out)
    assert err == ""
    write(corpus, bridge=BRIDGE + "More.\n")
    assert main(["verify", "--no-vectors", "--index", index]) == 1
    out, err = said(capsys)
    assert re.fullmatch(rf"{index}: 1 problems; {counted}\n", out)
    assert err == "wrong: bridge.txt has changed since it was indexed. Build again.\n"


@pytest.mark.parametrize("command", [["status"], ["verify"], ["add", "x.txt"], ["remove", "x.txt"]], ids=lambda c: c[0])
def test_without_an_index_every_command_says_how_to_make_one(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(command) == 1
    assert said(capsys) == (
        "",
        "error: There is no index at .index. Build it: python -m index build FOLDER --index .index\n",
    )
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_index_is_told_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "articles.db").write_bytes(b"no database " * 1000)
    for command in (["status"], ["verify"], ["build", str(write(tmp_path / "corpus", a=HARVEST))]):
        assert main([*command, "--index", str(tmp_path)]) == 1
        out, err = said(capsys)
        assert out == ""
        assert err.startswith(f"error: The index at {tmp_path} cannot be read (file is not a database). Delete ")
        assert err.count("\n") == 1


@pytest.mark.parametrize("arguments", [[], ["unheard-of"], ["build"], ["build", "x", "--passage-tokens", "many"]])
def test_wrong_usage_exits_2_and_shows_it(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    out, err = said(capsys)
    assert out == ""
    assert err.startswith("usage: python -m index")


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    out = said(capsys)[0]
    commands = [line.split()[0] for line in out.splitlines() if line.startswith("    ")]
    assert commands == ["build", "add", "remove", "status", "verify", "export"]


def test_a_folder_that_is_not_there_exits_1_from_the_shell_too(tmp_path: Path) -> None:
    done = python("-m", "index", "build", "nowhere", "--index", tmp_path / "index")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "error: There is no folder nowhere. Name the folder that holds your articles.\n"


SLOW = """
import sys, time
from index import __main__, builder, preparing
builder._BATCH_CHARS = 1  # every article is a transaction
real = preparing.encode
def slow(*arguments):
    time.sleep(0.3)
    return real(*arguments)
preparing.encode = slow
sys.exit(__main__.main(sys.argv[1:]))
"""


@pytest.mark.usefixtures("encoder")
def test_a_build_that_is_interrupted_says_so_and_the_next_one_goes_on(tmp_path: Path) -> None:
    corpus, index = tmp_path / "corpus", tmp_path / "index"
    write(corpus, **{f"story{n:02}": f"Story {n}\n\nThe parcel number {n} arrived.\n" for n in range(40)})
    command = [sys.executable, "-c", SLOW, "build", str(corpus), "--index", str(index)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        end = time.monotonic() + 60
        while time.monotonic() < end and not committed(index) and process.poll() is None:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)

    assert (process.returncode, out) == (130, "")
    assert err == "\nStopped. Finished articles are kept; run the same command again to continue.\n"
    kept = committed(index)
    assert 0 < kept < 40
    assert sorted(path.name for path in index.iterdir() if "-wal" in path.name or path.name == "build.json") == []
    report = build(corpus, index)
    assert (report.unchanged, report.added) == (kept, 40 - kept)
    assert verify(index, vectors=False).problems == []


def committed(index: Path) -> int:
    """How many articles an index holds, which may not exist yet."""
    if not (index / "articles.db").exists():
        return 0
    store = Store.open(index)
    try:
        return store.counts()[0]
    finally:
        store.close()
