"""Read files of questions with known answers.

A file in SQuAD form contains the paragraphs that its questions are about. A ``.jsonl`` file has one question
per line, about the articles of a folder. A list of ``{"question": …}`` has no articles: its questions count as
unanswerable.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from index.errors import ClippingsError
from index.reading.articles import Article

if TYPE_CHECKING:
    from index.library import Library

LINES = ".jsonl"
"""The suffix of files whose questions are about the articles of a folder."""

Gold = tuple[int, int, int]
"""An article's id, and ``[start, end)`` of an acceptable answer in its text."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One question of a file, with its gold answers as offsets into stored articles."""

    id: str
    question: str
    answerable: bool
    golds: tuple[Gold, ...] = ()
    """Where the acceptable answers are, in the file's order. Empty if the question is unanswerable."""
    answers: tuple[str, ...] = ()
    """The acceptable answers, each once."""
    kind: str = ""
    """The file's word for what the question asks for, or for why nothing answers it. Empty if there is none."""


def read_questions(path: Path) -> list[dict[str, Any]]:
    """The paragraphs of a file with their questions. A file without paragraphs gives one entry without context.

    A line of a ``.jsonl`` is ``{"id", "question", "kind", "file", "sentence", "answer"}``. It can also have "also", a
    list of other places with an answer, each ``{"file", "sentence", "answer"}``. If nothing answers, the line is
    ``{"id", "question", "kind", "impossible": true}``. Questions without an id are numbered.

    Returns:
        ``{"context", "qas"}``, the questions in SQuAD form with their "kind", which may be empty. An answer is at an
        offset of the context ("text" and "answer_start"), or in a sentence of a file ("text", "file", "sentence").

    Raises:
        ClippingsError: the file cannot be read, or has another form.
    """
    if path.suffix == LINES:
        return [{"context": None, "qas": list(_read_lines(path))}]
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(data, list):
            return [{"context": None, "qas": [_unanswerable(row, number) for number, row in enumerate(data)]}]
        return [_entry(paragraph) for entry in data["data"] for paragraph in entry["paragraphs"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ClippingsError(
            f"{path} has no questions in SQuAD form (data[].paragraphs[].context and .qas[].question): {error}"
        ) from error


def _read_lines(path: Path) -> Iterator[dict[str, Any]]:
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, ValueError) as error:
        raise ClippingsError(f"{path} cannot be read: {error}") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            yield _unanswerable(row, number) if row.get("impossible") else _answerable(row, number)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ClippingsError(
                f'{path}, line {number} is not a question with "file", "sentence" and "answer", or with '
                f'"impossible": {error}'
            ) from error


def _unanswerable(row: dict[str, Any], number: int) -> dict[str, Any]:
    question = {"id": str(row.get("id", number)), "question": _text(row, "question"), "kind": str(row.get("kind", ""))}
    return {**question, "is_impossible": True, "answers": []}


def _answerable(row: dict[str, Any], number: int) -> dict[str, Any]:
    answers = [
        {"text": _text(place, "answer"), "file": _text(place, "file"), "sentence": _text(place, "sentence")}
        for place in (row, *row.get("also", []))
    ]
    return {**_unanswerable(row, number), "is_impossible": False, "answers": answers}


def _text(row: dict[str, Any], key: str) -> str:
    value = row[key]
    if not isinstance(value, str) or not value:
        raise TypeError(f"{key!r} is not text")
    return value


def _entry(paragraph: dict[str, Any]) -> dict[str, Any]:
    """A paragraph with its newlines normalised as in an article, and its answers' offsets adjusted."""
    context = paragraph["context"]
    qas = [
        {
            "id": str(qa["id"]),
            "question": qa["question"],
            "kind": str(qa.get("kind", "")),
            "is_impossible": bool(qa.get("is_impossible")),
            "answers": [
                {"text": a["text"], "answer_start": a["answer_start"] - context.count("\r\n", 0, a["answer_start"])}
                for a in qa.get("answers", [])
            ],
        }
        for qa in paragraph["qas"]
    ]
    return {"context": context.replace("\r\n", "\n").replace("\r", "\n"), "qas": qas}


def asked_of(library: Library, entries: Sequence[dict[str, Any]]) -> Iterator[Asked]:
    """The questions of a file's paragraphs, with their gold answers as offsets into a library's articles.

    Raises:
        ClippingsError: a paragraph's context is not an article of the library, or an answer is not where the file says.
    """
    ids = {path: id_ for path, (id_, _) in library.store.known().items()}
    by_text: dict[str, int] = {}
    for entry in entries:
        context = entry["context"]
        if context is not None and context not in by_text:
            by_text[context] = ids[_article_path(library, context)]
        for qa in entry["qas"]:
            id_, question, kind = qa["id"], qa["question"], qa["kind"]
            if qa["is_impossible"]:
                yield Asked(id_, question, answerable=False, kind=kind)
                continue
            if context is None:
                golds = [_gold(library, ids, answer, id_) for answer in qa["answers"]]
            else:
                spans = [(answer["answer_start"], len(answer["text"])) for answer in qa["answers"]]
                golds = [(by_text[context], start, start + length) for start, length in spans]
            answers = dict.fromkeys(answer["text"] for answer in qa["answers"])
            yield Asked(id_, question, True, tuple(golds), tuple(answers), kind)


def _article_path(library: Library, context: str) -> str:
    """The path of the article whose text is the context."""
    paths = library.store.same_text(article_of(context, ""))
    if not paths:
        raise ClippingsError(
            f"The context that begins {context[:60]!r} is not an article of {library.path}. "
            "Without --library, each context becomes an article of an index made for this evaluation."
        )
    return paths[0]


def _gold(library: Library, ids: dict[str, int], answer: dict[str, str], question: str) -> Gold:
    """Where an answer is: inside its sentence in the body of its file. ``question`` is an id, for errors."""
    file, sentence, text = answer["file"], answer["sentence"], answer["text"]
    article = library.article(ids[file]) if file in ids else None
    if article is None:
        raise ClippingsError(f"Question {question} is about {file}, which is not an article of {library.path}.")
    start, inside = article.text.find(sentence, article.body_start), sentence.find(text)
    if start < 0:
        raise ClippingsError(f"Question {question}: the body of {file} does not contain {sentence!r}.")
    if inside < 0:
        raise ClippingsError(f"Question {question}: the sentence in {file} does not contain {text!r}.")
    return ids[file], start + inside, start + inside + len(text)


def is_gold(asked: Asked, article: int | None, start: int, end: int) -> bool:
    """Whether an acceptable answer begins in the sentence ``[start, end)`` of the article."""
    return any(gold == article and start <= answer_start < end for gold, answer_start, _ in asked.golds)


def spread(questions: list[Asked], limit: int | None) -> list[Asked]:
    """At most ``limit`` of the questions, evenly spread."""
    if limit is None or len(questions) <= limit:
        return questions
    return [questions[i * len(questions) // limit] for i in range(limit)]


def index_of(entries: Sequence[dict[str, Any]], folder: Path, exact: bool = False) -> Library:
    """Make an index in which every distinct context is an article without a header."""
    from index.builder import index_articles
    from index.library import open_index

    contexts = list(dict.fromkeys(entry["context"] for entry in entries if entry["context"] is not None))
    articles = [article_of(context, f"{number:06}.txt") for number, context in enumerate(contexts)]
    index_articles(articles, folder, folder / "index", exact=exact)
    return open_index(folder / "index")


def article_of(context: str, name: str) -> Article:
    """A context as an article that is all body, so that the offsets of its answers are valid."""
    return Article(path=name, text=context, hash=name)
