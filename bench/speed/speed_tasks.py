"""The tasks of bench_speed.py, each run in its own process: a task measures one thing and prints a JSON value.

    python bench/speed/speed_tasks.py TASK ARGUMENT…

Each task imports only what it needs, before its clock starts. So a cold start does not include the imports of others.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # as index/encoding/runtime.py does

ROOT = Path(__file__).parents[2]
ENCODER = ROOT / "index" / "encoding" / "minilm"
CALLS = 200
"""Questions to a warm process. WARM_UP more are asked first and do not count."""
WARM_UP = 20
ADDITIONS = 9
SENTENCES = 20
"""Sentences in the article that is added."""
WINDOW, BATCH = 256, 8
"""The most tokens of a text, and texts of a batch, for the bare network."""
GIVE_UP_SECONDS = 120.0


def prepare(index: str, texts_file: str, questions_file: str, *squad_files: str) -> dict[str, int]:
    """Write the texts of an index's passages, and ``CALLS`` questions to ask: evenly spread, or repeated."""
    from index.storage.store import Store
    from qa.measuring.datasets import read_questions
    from ui.examples import read_samples

    texts = [row.text for row in Store.open(Path(index)).passages_after(0)]
    questions = [qa["question"] for file in squad_files for entry in read_questions(Path(file)) for qa in entry["qas"]]
    questions = questions or [sample.question for sample in read_samples()]
    step = max(1, len(questions) // CALLS)
    Path(texts_file).write_text(json.dumps(texts), encoding="utf-8")
    Path(questions_file).write_text(
        json.dumps([questions[i * step % len(questions)] for i in range(CALLS)]), encoding="utf-8"
    )
    return {"passages": len(texts), "questions": min(len(questions), CALLS)}


def bare(texts_file: str, questions_file: str) -> dict[str, float]:
    """The floor of encoding: only tokenise, sort by length, run the shipped network, and pool."""
    import numpy as np
    import onnxruntime
    from tokenizers import Tokenizer

    tokenizer: Any = Tokenizer.from_file(str(ENCODER / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(WINDOW)
    session = onnxruntime.InferenceSession(str(ENCODER / "model.onnx"))

    def encode(texts: Sequence[str]) -> list[Any]:
        rows = sorted((encoding.ids for encoding in tokenizer.encode_batch(texts)), key=len)
        vectors = []
        for at in range(0, len(rows), BATCH):
            batch = rows[at : at + BATCH]
            lengths = np.array([[len(row)] for row in batch])
            ids = np.array([row + [0] * (len(batch[-1]) - len(row)) for row in batch], np.int64)
            mask = (np.arange(len(batch[-1])) < lengths).astype(np.int64)
            hidden = session.run(None, {"input_ids": ids, "attention_mask": mask})[0]
            means = (hidden * mask[:, :, None]).sum(axis=1) / lengths
            vectors.append(means / np.linalg.norm(means, axis=1, keepdims=True))
        return vectors

    texts, questions = read(texts_file), read(questions_file)
    encode(texts[:32])
    start = time.perf_counter()
    encode(texts)
    rate = len(texts) / (time.perf_counter() - start)
    return {"bare": rate, "bare_p50": p50_p95(lambda question: encode([question]), questions)[0]}


def torch(texts_file: str, questions_file: str, vectors_file: str) -> dict[str, float]:
    """The usual way: sentence-transformers and a flat FAISS index. Keeps the vectors for ``torch_cold``."""
    import numpy as np

    encode = sentence_transformer()
    texts, questions = read(texts_file), read(questions_file)
    encode(texts[:32])
    start = time.perf_counter()
    vectors = encode(texts)
    rate = len(texts) / (time.perf_counter() - start)
    np.save(vectors_file, vectors)
    search = flat(vectors)
    p50, p95 = p50_p95(lambda question: search(encode([question]), 5), questions)
    return {"torch": rate, "torch_p50": p50, "torch_p95": p95}


def torch_cold(question: str, texts_file: str, vectors_file: str) -> str:
    """One question the usual way, over stored vectors. It is timed from outside, imports included."""
    import numpy as np

    encode, search = sentence_transformer(), flat(np.load(vectors_file))
    _, positions = search(encode([question]), 5)
    return read(texts_file)[int(positions[0][0])]


def parts(question: str, index: str, started: str) -> dict[str, float]:
    """Milliseconds of each part of a cold question. ``started`` is when its process started (``time.monotonic``)."""
    marks = [float(started), time.monotonic()]
    import faiss  # noqa: F401
    import onnxruntime  # noqa: F401
    import tantivy  # noqa: F401
    import tokenizers  # noqa: F401

    from index import open_index
    from qa import answer

    marks.append(time.monotonic())
    library = open_index(index)
    marks.append(time.monotonic())
    _ = library.encoder
    marks.append(time.monotonic())
    answer(question, library)
    marks.append(time.monotonic())
    names = ("python", "imports", "opening", "encoder", "answer")
    return {f"part_{name}": 1000 * (marks[i + 1] - marks[i]) for i, name in enumerate(names)}


def warm(index: str, questions_file: str) -> dict[str, float]:
    """Milliseconds of questions to a process that has answered some before."""
    from index import open_index
    from qa import answer, retrieve

    library, questions = open_index(index), read(questions_file)
    retrieve_p50, retrieve_p95 = p50_p95(lambda question: retrieve(question, library), questions)
    answer_p50, answer_p95 = p50_p95(lambda question: answer(question, library), questions)
    return {
        "retrieve_p50": retrieve_p50,
        "retrieve_p95": retrieve_p95,
        "answer_p50": answer_p50,
        "answer_p95": answer_p95,
    }


def page(index: str) -> dict[str, float]:
    """Seconds from starting the chat until its page accepts typing, in a browser that is already running."""
    sys.path.append(str(ROOT))  # tests is not an installed package
    from tests.browser_support import chromium, free_port
    from tests.install_browser import find_browser

    if not find_browser():
        return {}
    from playwright.sync_api import Error

    with chromium() as browser:
        view, port = browser.new_page(), free_port()
        start = time.perf_counter()
        command = [sys.executable, "-m", "ui", "--port", str(port), "--index", index]
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            while server.poll() is None and time.perf_counter() - start < GIVE_UP_SECONDS:
                with contextlib.suppress(Error):  # the server does not listen yet
                    view.goto(f"http://127.0.0.1:{port}/")
                    break
                time.sleep(0.05)
            view.locator(".opening").wait_for()
            view.locator("#question textarea").click(trial=True)  # visible, enabled, and not covered
            return {"page": time.perf_counter() - start}
        finally:
            server.terminate()
            server.wait()


def adding(index: str) -> dict[str, list[float]]:
    """Milliseconds to add an article that a thread keeps searching for. Changes the index and its corpus folder."""
    from index import add, open_index
    from index.preparing import encode
    from index.reading.articles import parse_article

    library = open_index(index)
    figures: dict[str, list[float]] = {"add": [], "add_call": [], "add_encode": []}
    for number in range(ADDITIONS + 1):
        word = f"Zyxwoland{number}"
        paragraphs = [*islice(sample_sentences(), SENTENCES - 1), f"It began in {word}."]
        data = "\n\n".join(["date 2024-05-01 Sample sentences", *paragraphs]).encode()
        start = time.perf_counter()
        encode([parse_article(data, "an article")], library.store.settings, library.encoder)
        encoded_s = time.perf_counter() - start
        file = library.corpus / f"added-{number}.txt"
        file.write_bytes(data)
        returned_s, found_s = until_found(word, library, partial(add, [file], index))
        if number:  # the first one also loads what adding needs
            for name, seconds in zip(figures, (found_s, returned_s, encoded_s), strict=True):
                figures[name].append(1000 * seconds)
    return figures


def quality(file: str, corpus: str = "", int8: str = "", original: str = "") -> dict[str, float]:
    """R@1, R@5 and MRR of the fused ranking with the int8 encoder, with sentence-transformers, and the difference.

    With ``corpus``, its index ``int8`` is searched, and another index, ``original``, that is made here. Otherwise
    every context of the file becomes an article.
    """
    from index import build, open_index
    from qa.measuring.evaluation import evaluate
    from qa.measuring.report import summary

    if corpus:
        build(corpus, original, exact=True)
    figures: dict[str, float] = {}
    stages = []
    for exact, index in ((False, int8), (True, original)):
        library = open_index(index) if corpus else None
        measured = summary(next(evaluate([Path(file)], library, exact=exact)))
        stages.append(measured["sentence"]["fused"])
    for name in ("R@1", "R@5", "MRR"):
        heading = f"{Path(file).stem}, {measured['questions']} questions, {name}"
        ours, theirs = (stage[name] for stage in stages)
        figures |= {f"{heading}, int8": ours, f"{heading}, original": theirs, f"{heading}, difference": ours - theirs}
    return figures


def read(file: str) -> list[str]:
    """The texts in a JSON file."""
    texts: list[str] = json.loads(Path(file).read_text(encoding="utf-8"))
    return texts


def p50_p95(ask: Callable[[str], object], questions: Sequence[str]) -> tuple[float, float]:
    """The median and the 95th percentile of a call in milliseconds, after warming up."""
    milliseconds = []
    for question in [*questions[:WARM_UP], *questions]:
        start = time.perf_counter()
        ask(question)
        milliseconds.append(1000 * (time.perf_counter() - start))
    counted = sorted(milliseconds[WARM_UP:])
    return counted[len(counted) // 2], counted[len(counted) * 95 // 100]


def sentence_transformer() -> Callable[[Sequence[str]], Any]:
    """A function that encodes texts with the packaged model in sentence-transformers, to normalised vectors."""
    from sentence_transformers import SentenceTransformer

    from index.encoding.sentence_transformer import packaged_model

    model = SentenceTransformer(str(packaged_model()), device="cpu")
    return lambda texts: model.encode(texts, normalize_embeddings=True, show_progress_bar=False)


def flat(vectors: Any) -> Callable[[Any, int], Any]:
    """The search function of a flat FAISS index."""
    import faiss

    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    search: Callable[[Any, int], Any] = index.search
    return search


def sample_sentences() -> Iterator[str]:
    """Sentences of the sample articles, in order."""
    from index.reading.articles import read_article
    from index.reading.files import scan
    from index.reading.passages import split_sentences

    for name in scan(ROOT / "corpus"):
        article = read_article(ROOT / "corpus" / name, name)
        for sentence in split_sentences(article.text, article.body_start):
            yield article.text[sentence.start : sentence.end]


def until_found(word: str, library: Any, change: Callable[[], Any]) -> tuple[float, float]:
    """Seconds until a change returns, and until a thread that searches all the time finds the word."""
    from qa import retrieve

    asked_once = threading.Event()
    found_at: list[float] = []

    def ask() -> None:
        begun = time.perf_counter()
        while not found_at and time.perf_counter() - begun < GIVE_UP_SECONDS:
            hits = retrieve(f"Where is {word}?", library)
            if any(word in hit.text for hit in hits):
                found_at.append(time.perf_counter())
            asked_once.set()

    reader = threading.Thread(target=ask)
    reader.start()
    asked_once.wait()
    start = time.perf_counter()
    report = change()
    returned = time.perf_counter() - start
    reader.join()
    if not found_at or report.sentences != SENTENCES:
        raise SystemExit(f"The added article was not found, or does not have {SENTENCES} sentences: {report}.")
    return returned, found_at[0] - start


TASKS: dict[str, Callable[..., Any]] = {
    task.__name__: task for task in (prepare, bare, torch, torch_cold, parts, warm, page, adding, quality)
}

if __name__ == "__main__":
    print(json.dumps(TASKS[sys.argv[1]](*sys.argv[2:])))
