"""The chat without a browser: its endpoints, what it does with the library, and what it refuses."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from index.errors import ClippingsError
from tests.browser_support import ARTICLES, FIRE, WATCHMAN, WHO, Serving, Site, free_port
from tests.running import python
from ui.__main__ import main


@pytest.fixture(scope="module")
def client(site: Site) -> Any:
    from gradio_client import Client

    return Client(site.url, verbose=False, analytics_enabled=False)


# Endpoints


def test_ask_answers_with_its_evidence(client: Any) -> None:
    said = client.predict(question=WHO, api_name="/ask")

    assert said["found"] is True
    assert 0 < said["confidence"] <= 1
    assert "Ruben Okafor" in said["text"]
    first = said["evidence"][0]
    at, answered = FIRE.index(WATCHMAN), FIRE.index(said["text"])
    assert isinstance(first["sentence"].pop("score"), float)
    assert first.pop("sentence") == {
        "text": WATCHMAN,
        "start": at,
        "end": at + len(WATCHMAN),
        "article": {
            "file": "fire.txt",
            "title": "Fire destroys the ferry terminal at Port Ansel",
            "date": "2023-03-04",
            "source": "Harbour Gazette",
            "url": None,
        },
    }
    span = {"text": said["text"], "start": answered, "end": answered + len(said["text"])}
    assert first == {"text": said["text"], "spans": [span], "context": None}


@pytest.mark.parametrize(
    ("question", "reason"),
    [("Who painted the ceiling of the Sistine Chapel?", "I found no"), ("And when?", "on its own")],
)
def test_ask_says_why_it_found_nothing(question: str, reason: str, client: Any) -> None:
    said = client.predict(question=question, api_name="/ask")
    assert (said["found"], said["text"], said["evidence"]) == (False, "", [])
    assert reason in said["reason"]


def test_retrieve_returns_the_nearest_sentences_best_first(client: Any) -> None:
    hits = client.predict(question=WHO, k=3, api_name="/retrieve")

    assert len(hits) == 3
    assert hits[0]["text"] == WATCHMAN
    assert FIRE[hits[0]["start"] : hits[0]["end"]] == WATCHMAN
    assert hits[0]["article"]["file"] == "fire.txt"
    assert hits[0]["score"] >= hits[1]["score"] >= hits[2]["score"]


def test_the_endpoints_restrict_by_date_and_source(client: Any) -> None:
    question = "What did the court rule about the name of the cheese?"

    def paths(**restriction: str) -> set[str]:
        hits = client.predict(question=question, api_name="/retrieve", **restriction)
        return {hit["article"]["file"] for hit in hits}

    assert paths(since="2023-01-01") == {"fire.txt"}
    assert paths(until="2022-12-31") == {"cheese.md"}
    assert paths(source="Upland Courier") == {"cheese.md"}
    said = client.predict(question=question, since="2022-01-01", api_name="/ask")
    assert said["undated_excluded"] == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"question": ""}, "question"),
        ({"question": "  \n "}, "question"),
        ({"question": "w" * 100_000}, "100,000"),
        ({"question": WHO, "since": "last week"}, "since: 'last week' is not a date; write it as YYYY-MM-DD"),
    ],
)
@pytest.mark.parametrize("name", ["/ask", "/retrieve"])
def test_what_cannot_be_asked_is_refused_with_a_message(
    client: Any, name: str, arguments: dict[str, str], message: str
) -> None:
    with pytest.raises(Exception, match=message) as refused:
        client.predict(api_name=name, **arguments)
    assert "Traceback" not in str(refused.value)


@pytest.mark.parametrize("k", [-1, 0, 101, 10**30, 2.5, "many", True, None])
def test_only_one_to_a_hundred_sentences_can_be_asked_for(client: Any, k: object) -> None:
    with pytest.raises(Exception, match=f"k: {k} sentences cannot be returned; ask for 1 to 100") as refused:
        client.predict(question=WHO, k=k, api_name="/retrieve")
    assert "Traceback" not in str(refused.value)


def test_as_many_sentences_as_can_be_asked_for_are_returned(client: Any) -> None:
    assert [len(client.predict(question=WHO, k=k, api_name="/retrieve")) for k in (1, 100)] == [1, 26]


def test_only_the_two_endpoints_are_named(client: Any) -> None:
    named = client.view_api(return_format="dict", print_info=False)["named_endpoints"]

    assert set(named) == {"/ask", "/retrieve"}


def test_many_can_ask_at_once(client: Any) -> None:
    jobs = [client.submit(question=WHO, k=1, api_name="/retrieve") for _ in range(16)]

    assert [job.result(timeout=60)[0]["text"] for job in jobs] == [WATCHMAN] * 16


def test_monitoring_and_run_history_are_off(site: Site) -> None:
    for path in ("monitoring", "monitoring/summary", "gradio_api/monitoring", "gradio_api/runs"):
        assert httpx.get(site.url + path).status_code >= 400
    config = httpx.get(f"{site.url}config").json()
    assert config["run_history"] is False
    assert config["analytics_enabled"] is False


def test_nothing_leaves_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, serving: Serving) -> None:
    called: list[object] = []
    connect, look_up = socket.socket.connect, socket.getaddrinfo

    def watched_connect(this: socket.socket, address: Any) -> None:
        if this.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in ("127.0.0.1", "::1"):
            called.append(address)
        connect(this, address)

    def watched_look_up(host: Any, *rest: Any, **more: Any) -> Any:
        if host not in ("127.0.0.1", "::1", "localhost", b"127.0.0.1", None):
            called.append(host)
        return look_up(host, *rest, **more)

    monkeypatch.setattr(socket.socket, "connect", watched_connect)
    monkeypatch.setattr(socket, "getaddrinfo", watched_look_up)
    with serving(tmp_path, ARTICLES, watched=True) as served:
        api = f"{served.url}gradio_api/call/ask"  # not through gradio_client, which does call others
        event = httpx.post(api, json={"data": [WHO, "", "", ""]}).json()["event_id"]
        assert "Ruben Okafor" in httpx.get(f"{api}/{event}").text
        time.sleep(1)

    assert called == []


# Starting


BUSY = """
import sys, threading
import ui.app, ui.examples
from qa import answer
from ui.__main__ import main

begun = threading.Event()

def answered(samples, library):
    for _ in range(40):
        answer("Which night watchman saw flames above the ticket hall?", library)
        begun.set()
    return []

real = ui.app.serve
def serve(*values, **named):
    begun.wait()  # the examples are being checked when the port turns out to be taken
    return real(*values, **named)

ui.examples.answered = answered
ui.app.serve = serve
sys.exit(main())
"""


@pytest.mark.parametrize("command", [["-m", "ui"], ["-c", BUSY]], ids=["as it comes", "while examples are checked"])
def test_a_port_in_use_is_said_with_the_way_out_and_nothing_else(command: list[str], site: Site) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = python(*command, "--port", str(port), "--index", site.library.path)

    advice = f"Use another: make chat PORT={port + 1}, or python -m ui --port {port + 1}"
    assert done.stderr == f"Port {port} on 127.0.0.1 cannot be used. {advice}\n"
    assert (done.returncode, done.stdout) == (1, "")


def test_a_missing_index_is_said_with_what_to_run(tmp_path: Path) -> None:
    done = python("-m", "ui", "--index", tmp_path / "none")

    assert done.returncode == 1
    assert "python -m index" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.usefixtures("encoder")  # main begins to load it
@pytest.mark.parametrize(("named", "meant"), [("elsewhere/mine", "elsewhere/mine"), ("", ".index")])
def test_without_an_index_named_the_default_one_is_opened(
    named: str, meant: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(path: Path) -> None:
        raise ClippingsError(f"No index at {path}.")

    monkeypatch.setattr("ui.__main__.open_index", refuse)
    monkeypatch.setenv("CLIPPINGS_INDEX", named)

    assert main([]) == 1
    assert capsys.readouterr().err == f"No index at {meant}.\n"


@pytest.mark.parametrize("port", ["0", "65536", "-1", "http", "²"])
def test_what_is_no_port_is_said(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([f"--port={port}"])
    assert ended.value.code == 2
    assert f"{port!r} is not a port; give a number from 1 to 65535" in capsys.readouterr().err


def test_a_host_that_is_not_ours_is_said(site: Site) -> None:
    done = python("-m", "ui", "--host", "192.0.2.1", "--port", str(free_port()), "--index", site.library.path)

    assert done.returncode == 1
    assert "on 192.0.2.1 cannot be used" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_command_serves_until_it_is_interrupted(site: Site) -> None:
    port = free_port()
    command = [sys.executable, "-m", "ui", "--port", str(port), "--index", str(site.library.path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        try:
            assert running.stdout
            assert running.stdout.readline().startswith(f"Clippings is at http://127.0.0.1:{port}/")
            assert "Clippings" in httpx.get(f"http://127.0.0.1:{port}/").text
        finally:
            running.send_signal(2)
            _, errors = running.communicate(timeout=60)
    assert running.returncode == 0
    assert "Traceback" not in errors
