"""python -m qa: what it prints, and its exit status."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from index.__main__ import main as index_main
from qa.__main__ import main
from tests.conftest import BRIDGE

COST = "The works cost 3.4 million euros."
QUESTION = "What did the works cost?"


def test_the_answer_is_printed_marked_with_its_source(index_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--index", str(index_path), *QUESTION.split()]) == 0  # words need no quoting
    printed = " ".join(capsys.readouterr().out.split())
    assert printed.startswith(f"? {QUESTION} ")
    assert "[[The works cost **3.4 million euros**.]] Two thirds of it" in printed
    start = BRIDGE.index(COST)
    assert f"(Test Wire, 2022-03-04, bridge.txt:{start}-{start + len(COST)})" in printed


def test_a_misspelt_question_says_how_it_was_taken(index_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--index", str(index_path), "What did the repairs of the brigde cost?"]) == 0
    assert "taken as: What did the repairs of the bridge cost?" in capsys.readouterr().out


def test_json(index_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--json", "-k", "2", QUESTION, "--index", str(index_path)]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["found"], said["text"]) == (True, "3.4 million euros")
    assert len(said["evidence"]) == 2
    first = said["evidence"][0]
    (span,) = first["spans"]
    assert BRIDGE[span["start"] : span["end"]] == span["text"] == first["text"] == said["text"]
    assert first["sentence"]["text"] == COST
    assert first["sentence"]["article"] == {
        "file": "bridge.txt",
        "title": "Old bridge over the Lim reopens after repairs",
        "date": "2022-03-04",
        "source": "Test Wire",
        "url": None,
    }


def test_several_questions_on_standard_input(
    index_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{QUESTION}\n\n{'x' * 3000}\nwhat destroyed the plum blossom\n"))
    assert main(["--json", "--index", str(index_path)]) == 1
    printed = capsys.readouterr()
    first, second = map(json.loads, printed.out.splitlines())
    assert first["evidence"][0]["sentence"]["text"] == COST
    assert second["evidence"][0]["sentence"]["text"].startswith("Late frost")
    assert printed.err.startswith("error: The question has 3,000 characters")


def test_restrictions(index_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([QUESTION, "--since", "2022-05-01", "--index", str(index_path)]) == 0
    assert "Test Wire" not in capsys.readouterr().out
    with pytest.raises(SystemExit) as exit_:
        main([QUESTION, "--since", "May", "--index", str(index_path)])
    assert exit_.value.code == 2
    assert "'May' is not a date; write it as YYYY-MM-DD" in capsys.readouterr().err


@pytest.mark.usefixtures("encoder")
def test_no_index_says_what_to_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([QUESTION, "--index", str(tmp_path / "none")]) == 1
    said = capsys.readouterr().err
    assert "There is no index at" in said
    assert "python -m index build" in said
    assert not (tmp_path / "none").exists()


def test_text_cannot_steer_the_terminal(corpus: Path, index_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from index import add

    (corpus / "bad.txt").write_text("The lighthouse keeper \x1b[31mpainted\x1b[0m everything red.\n")
    add([corpus / "bad.txt"], index_path)
    main(["What did the lighthouse keeper paint?", "--index", str(index_path)])
    assert "\x1b" not in capsys.readouterr().out


@pytest.mark.usefixtures("encoder")
def test_evaluate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from tests.questions import squad

    assert main(["evaluate", "--json", str(squad(tmp_path / "small.json"))]) == 0
    assert json.loads(capsys.readouterr().out)["sentence"]["fused"]["MRR"] == 1.0
    assert main(["evaluate", str(tmp_path / "none.json")]) == 1
    assert "has no questions in SQuAD form" in capsys.readouterr().err


def test_fit_fails_at_once_if_it_cannot_write(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "none" / "numbers.json"
    assert main(["fit", "--dev", "none.json", "--out", str(out)]) == 1
    assert capsys.readouterr().err == f"error: {out} cannot be written: No such file or directory.\n"


@pytest.mark.parametrize(
    ("module", "package"),
    [("faiss", "clippings"), ("torch.nn", "'clippings[models]'"), ("scipy", "'clippings[evaluate]'")],
)
def test_a_missing_package_is_named_with_the_extra_that_brings_it(
    module: str, package: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object) -> None:
        raise ModuleNotFoundError(name=module)

    monkeypatch.setattr("qa.__main__._ask", missing)
    monkeypatch.setattr("index.__main__._status", missing)
    for run, words in ((main, [QUESTION]), (index_main, ["status"])):
        assert run(words) == 1
        assert capsys.readouterr().err == f"error: this needs {module}. Run: pip install {package}\n"


@pytest.mark.parametrize("command", ["evaluate", "fit"])
def test_measuring_names_the_extra_that_it_takes(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.metrics", None)
    files = {"evaluate": ["none.json"], "fit": ["--dev", "none.json"]}
    assert main([command, *files[command]]) == 1
    assert capsys.readouterr().err == "error: this needs sklearn.metrics. Run: pip install 'clippings[evaluate]'\n"
