"""Make the rows to train the reader on: questions with windows of text, in one group per question."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from index.reading.articles import Article
from index.reading.passages import split
from index.reading.tokens import load_encoding
from qa.measuring.datasets import read_questions
from qa.question import read_question
from qa.retriever import search

if TYPE_CHECKING:
    from index.library import Library


OWN_QUESTIONS = Path(__file__).with_name("reader_questions.jsonl")
"""Our own questions about the radio stories: file, question, and where the answer is in the file."""
OWN_PARAGRAPHS = Path(__file__).with_name("reader_paragraphs.jsonl")
"""Our own paragraphs, each with some questions and where their answers are in it."""
READ = ("reddit", "amazon_reviews", "fairytaleqa")
SENTENCES = "qamr"
SHARE = 0.5
"""The share of the questions of ``read`` that also have a window that does not answer."""
MISSING = 0.15
"""The share of the questions of ``sentences`` whose window leaves out the answering sentence."""
SEED = 7


class Row(NamedTuple):
    """A question and a window. The answer is ``text[start:end]``; ``start`` is -1 if there is none."""

    question: str
    text: str
    start: int = -1
    end: int = -1


Group = list[Row]
"""The rows of one question: first the one that answers, if any, then the others, the most similar first."""


def rows_of_all(folder: Path, news: Path, library: Library) -> dict[str, list[Group]]:
    """The groups of each part. ``folder`` has the files of ``READ`` and ``SENTENCES``."""
    rng = random.Random(SEED)
    return {
        "read": [group for name in READ for group in _squad_groups(folder / f"{name}.json", rng)],
        "sentences": list(_sentence_groups(folder / f"{SENTENCES}.json", rng)),
        "paragraphs": list(_paragraph_groups(OWN_PARAGRAPHS)),
        "news": list(_news_groups([*_news_questions(news), *_own_questions()], library)),
    }


def _squad_groups(path: Path, rng: random.Random) -> Iterator[Group]:
    texts: list[str] = []
    answered: list[tuple[str, int, int, int]] = []  # question, number of its window, start and end there
    for context, questions in itertools.groupby(_squad_questions(path), key=lambda row: row[0]):
        windows, first = _windows_of(Article(path="", text=context, hash="")), len(texts)
        texts += [context[low:high] for low, high in windows]
        for _, question, start, end in questions:
            holding = [n for n, (low, high) in enumerate(windows) if low <= start and end <= high]
            answered += [(question, first + n, start - windows[n][0], end - windows[n][0]) for n in holding]
    near = _nearest(texts)
    for question, at, start, end in answered:
        answer = texts[at][start:end].lower()
        others = [n for n in near(question) if n != at and answer not in texts[n].lower()]
        chosen = others[:1] if rng.random() < SHARE else []
        yield [Row(question, texts[at], start, end), *(Row(question, texts[n]) for n in chosen)]


def _squad_questions(path: Path) -> Iterator[tuple[str, str, int, int]]:
    """Context, question, and start and end of its first answer."""
    for entry in read_questions(path):
        for qa in entry["qas"]:
            for answer in qa["answers"][:1]:
                start, end = answer["answer_start"], answer["answer_start"] + len(answer["text"])
                if entry["context"][start:end] == answer["text"]:
                    yield entry["context"], qa["question"].strip(), start, end


def _sentence_groups(path: Path, rng: random.Random) -> Iterator[Group]:
    """Each sentence among up to four others: those nearest to the question, and random ones."""
    questions = list(_squad_questions(path))
    sentences = sorted({context for context, *_ in questions})
    near = _nearest(sentences)
    for context, question, start, end in questions:
        answer = context[start:end].lower()
        candidates = [sentences[n] for n in near(question)][:3] + rng.sample(sentences, rng.randint(0, 2))
        others = list(dict.fromkeys(text for text in candidates if text != context and answer not in text.lower()))[:4]
        if rng.random() < MISSING and len(others) > 1:
            yield [Row(question, " ".join(others))]
            continue
        place = rng.randint(0, len(others))
        before = "".join(f"{text} " for text in others[:place])
        text = " ".join([*others[:place], context, *others[place:]])
        yield [Row(question, text, len(before) + start, len(before) + end)]


def _paragraph_groups(path: Path) -> Iterator[Group]:
    """For each question, the windows of its paragraph, the answering one first, then the nearest of others."""
    entries = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    windows = [_windows_of(Article(path="", text=entry["text"], hash="")) for entry in entries]
    texts = [entry["text"][low:high] for entry, spans in zip(entries, windows, strict=True) for low, high in spans]
    near = _nearest(texts)
    for entry, spans in zip(entries, windows, strict=True):
        own = [entry["text"][low:high] for low, high in spans]
        for item in entry["questions"]:
            question, start, end = item["question"], item.get("start", -1), item.get("end", -1)
            answering = [
                Row(question, entry["text"][a:b], start - a, end - a) for a, b in spans if a <= start < end <= b
            ]
            answer = entry["text"][start:end].lower() if answering else None
            if start >= 0 and not answering:
                continue
            others = [*own, *(texts[n] for n in near(question) if texts[n] not in own)]
            others = [text for text in others if not answering or text != answering[0].text]
            yield answering + [Row(question, text) for text in others if answer is None or answer not in text.lower()]


def _nearest(texts: Sequence[str]) -> Callable[[str], list[int]]:
    """A function from a question to the numbers of the four best texts by BM25."""
    import re

    import tantivy

    builder = tantivy.SchemaBuilder()
    builder.add_unsigned_field("id", indexed=True, fast=True)
    builder.add_text_field("text", tokenizer_name="en_stem")
    index = tantivy.Index(builder.build())
    writer = index.writer(64_000_000, 1)
    for n, text in enumerate(texts):
        document = tantivy.Document()
        document.add_unsigned("id", n)
        document.add_text("text", text)
        writer.add_document(document)
    writer.commit()
    writer.wait_merging_threads()
    index.reload()
    searcher = index.searcher()

    def near(question: str) -> list[int]:
        words = sorted(set(re.findall(r"\w+", question.lower())))
        terms = [(tantivy.Occur.Should, index.parse_query(f'"{word}"', ["text"])) for word in words]
        hits = searcher.search(tantivy.Query.boolean_query(terms), 4).hits
        return [int(number or 0) for number in searcher.fast_field_values("id", [address for _, address in hits])]

    return near


Place = tuple[str, str, int, int]
"""A question, the name of the answering file or "", and start and end of the answer in it."""


def _news_questions(path: Path) -> Iterator[Place]:
    for entry in json.loads(path.read_text(encoding="utf-8"))["data"]:
        for paragraph in entry["paragraphs"]:
            context = paragraph["context"].replace("\r\n", "\n")
            for qa in paragraph["qas"]:
                if qa["is_impossible"]:
                    yield qa["question"], "", -1, -1
                    continue
                answer = qa["answers"][0]
                start = answer["answer_start"]
                if context[start : start + len(answer["text"])] != answer["text"]:
                    start = context.find(answer["text"], max(0, start - 30))
                yield qa["question"], entry["title"], start, start + len(answer["text"])


def _own_questions() -> Iterator[Place]:
    for line in OWN_QUESTIONS.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        yield row["question"], row.get("file", "") if "start" in row else "", row.get("start", -1), row.get("end", -1)


def _news_groups(places: Sequence[Place], library: Library) -> Iterator[Group]:
    """For each question, its passage, and the best 8 of the 12 passages found by the index that do not answer."""
    names = {Path(article.path).name: article.id for article in library.articles()}
    for question, name, start, end in places:
        near = [(article.id, place, article.text[slice(*place)]) for article, place in _near(question, library)]
        if not name:
            yield from [[Row(question, text) for _, _, text in near[:8]]] if near else []
            continue
        article = library.article(names[name])
        assert article is not None
        answering = [span for span in _windows_of(article) if span[0] <= start and end <= span[1]]
        answer = article.text[start:end].lower()
        for low, high in answering:
            others = [text for id_, place, text in near if (id_, place) != (article.id, (low, high))]
            rows = [Row(question, text) for text in others if answer not in text.lower()]
            yield [Row(question, article.text[low:high], start - low, end - low), *rows[:8]]


def _windows_of(article: Article) -> list[tuple[int, int]]:
    return [(passage.start, passage.end) for passage in split(article, load_encoding())]


def _near(question: str, library: Library) -> Iterator[tuple[Article, tuple[int, int]]]:
    """The 12 passages of the best sentences by the fused score."""
    seen: set[tuple[int | None, tuple[int, int]]] = set()
    for hit in search(read_question(question), library.follow(), 60):
        key = hit.article.id, hit.passage
        if key not in seen and len(seen) < 12:
            seen.add(key)
            yield hit.article, hit.passage
