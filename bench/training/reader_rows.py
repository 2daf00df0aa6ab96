"""Make the rows to train the reader on: questions with windows of text, in one group per question."""

from __future__ import annotations

import itertools
import json
import random
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from index.reading.articles import Article
from index.reading.passages import split
from index.reading.tokens import load_encoding
from qa.clipping import clip
from qa.measuring.datasets import read_questions
from qa.question import read_question
from qa.retriever import search

if TYPE_CHECKING:
    from index.library import Library


OWN_QUESTIONS = Path(__file__).with_name("reader_questions.jsonl")
"""Our own questions about the radio stories: file, question, and where the answer is in the file."""
OWN_PARAGRAPHS = Path(__file__).with_name("reader_paragraphs.jsonl")
"""Our own paragraphs, each with some questions and where their answers are in it."""
CLIPPING_QUESTIONS = Path(__file__).with_name("clipping_questions.jsonl")
"""Our own questions about long articles: collection, file, kind, question, the sentence that answers, the answers."""
MORE: dict[str, tuple[int, int]] = {
    "onestopqa": (1770, 2),
    "tydiqa-en": (1200, 1),
    "quoref": (400, 2),
    "clapnq-dev": (584, 1),
    "timeqa-human": (400, 1),
    "afriqa-en": (400, 1),
    "selqa": (400, 1),
    "belebele-en": (314, 1),
    "qadiscourse-wikinews": (400, 1),
    "qasrl-wikinews": (250, 1),
}
"""For each public source: the most questions, drawn at random, and the most windows without an answer of each."""
LATER = ("tarnvale",)
"""The collections that were written after stage 5."""
HELD_OUT = 150
"""The least number of questions about long articles that are kept for measuring, with all others about their articles.
"""
YES_NO = "boolq"
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
    inside: bool = False
    """Whether the answer is only somewhere in the span."""


Group = list[Row]
"""The rows of one question: first the one that answers, if any, then the others, the most similar first."""


def rows_of_all(folder: Path, news: Path, library: Library, more: Path, long: Library) -> dict[str, list[Group]]:
    """The groups of each part.

    Args:
        folder: the files of ``READ`` and ``SENTENCES``.
        news: questions about the stories.
        library: an index of the stories.
        more: the files of ``MORE``.
        long: an index of the collections of ``CLIPPING_QUESTIONS``, each in its own folder.
    """
    rng = random.Random(SEED)
    clippings, held_out = _hold_out(list(_clipping_questions()))
    later = [question for question in clippings if question.path.split("/")[0] in LATER]
    earlier = [question for question in clippings if question not in later]
    return {
        "clippings": list(_clipping_groups(earlier, long)),
        "later": list(_clipping_groups(later, long)),
        "held out": list(_clipping_groups(held_out, long)),
        "more": [group for name in MORE for group in _more_groups(more / f"{name}.jsonl", *MORE[name], rng)],
        "yes-no": list(_yes_no_groups(more / f"{YES_NO}.jsonl")),
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


def _more_groups(path: Path, count: int, others: int, rng: random.Random) -> Iterator[Group]:
    """For each question of a public source, the windows of its text, the answering one first, then the nearest others.

    The nearest windows come from articles with other titles, since a source may have one article in several versions.
    """
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    rows = [row for row in rows if row["yes_no"] is None and row.get("filled", 1)]
    chosen = rng.sample(rows, min(count, len(rows)))
    windows = {(row.get("title") or "", row["context"]): list[str]() for row in chosen}
    articles = {key: _titled(*key) for key in windows}
    passages = {key: _windows_of(article) for key, article in articles.items()}
    for key, own in windows.items():
        own += [clip(articles[key], place).window.text for place in passages[key]]
    texts = [(title, text) for (title, _), own in windows.items() for text in own]
    near = _nearest([text for _, text in texts])
    for row in chosen:
        key = row.get("title") or "", row["context"]
        answers, article = row["answers"], articles[key]
        nearest = [texts[n] for n in near(row["question"])]
        own = windows[key]
        candidates = own + [text for title, text in nearest if (title or text) != key[0] and text not in own]
        if not answers:
            yield [Row(row["question"], text) for text in candidates[: others + 1]]
            continue
        start = article.body_start + answers[0]["start"]
        end = start + len(answers[0]["text"])
        inside = row.get("granularity") == "sentence"
        for place in passages[key]:
            clipping = clip(article, place)
            span = clipping.in_window((start, end))
            if span is not None:
                answering = Row(row["question"], clipping.window.text, *span, inside)
                yield [answering, *_without(answers[0]["text"], row["question"], candidates, answering)[:others]]
                break


def _yes_no_groups(path: Path) -> Iterator[Group]:
    """Questions for yes or no, each with its text, which decides it somewhere."""
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        text = f"{row.get('title') or ''}\n{row['context']}".strip()
        start = len(text) - len(row["context"])
        yield [Row(row["question"], text, start, len(text), True)]


def _titled(title: str, text: str) -> Article:
    """An article with a title, or without one if it is empty."""
    head = f"{title}\n\n" if title else ""
    return Article(path="", text=head + text, title_end=len(title), body_start=len(head))


def _without(answer: str, question: str, texts: Sequence[str], answering: Row) -> list[Row]:
    """Rows of the windows that do not have the words of the answer."""
    words = re.compile(rf"(?<!\w){re.escape(answer)}(?!\w)", re.IGNORECASE)
    return [Row(question, text) for text in texts if text != answering.text and not words.search(text)]


class LongQuestion(NamedTuple):
    """One of our questions about long articles."""

    path: str
    """Path of the article in the index."""
    question: str
    """A follow-up comes after the question before it."""
    sentence: str
    """Empty if the article does not answer."""
    answers: tuple[str, ...]
    kind: str


def _clipping_questions() -> Iterator[LongQuestion]:
    for line in CLIPPING_QUESTIONS.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        question = " ".join([*row.get("history", ()), row["question"]])
        path = f"{row['collection']}/{row['file']}"
        yield LongQuestion(path, question, row.get("sentence", ""), tuple(row.get("answers", ())), row["kind"])


def _hold_out(questions: Sequence[LongQuestion]) -> tuple[list[LongQuestion], list[LongQuestion]]:
    """The questions to train on, and all questions about random articles until there are ``HELD_OUT``."""
    paths = sorted({one.path for one in questions if one.path.split("/")[0] not in LATER})
    random.Random(SEED).shuffle(paths)
    held: set[str] = set()
    while sum(question.path in held for question in questions) < HELD_OUT:
        held.add(paths.pop())
    return [q for q in questions if q.path not in held], [q for q in questions if q.path in held]


def _clipping_groups(questions: Sequence[LongQuestion], library: Library) -> Iterator[Group]:
    """For each question, its window, then other windows of its article and windows of other articles in turn.

    These are windows that the index finds; of its own article also others, if it finds few.
    """
    ids = {article.path: article.id for article in library.articles()}
    for path, question, sentence, answers, kind in questions:
        article = library.article(ids[path])
        assert article is not None
        near = [(other.id == article.id, clip(other, place).window.text) for other, place in _near(question, library)]
        places = _windows_of(article)
        own = [clip(article, place) for place in places]
        found = [text for is_own, text in near if is_own]
        of_article = list(dict.fromkeys([*found, *(clipping.window.text for clipping in own)]))[: max(4, len(found))]
        of_others = [text for is_own, text in near if not is_own]
        texts = [text for pair in itertools.zip_longest(of_article, of_others) for text in pair if text is not None]
        if not sentence:
            yield [Row(question, text) for text in texts[:9]]
            continue
        answer = next((answer for answer in answers if answer in sentence), sentence)
        start = article.text.index(sentence) + sentence.index(answer)
        inside = kind == "yes-no" and len(answer.split()) > 20  # longer than an answer may be
        # The header is in all windows of its article. If it answers, a window that was found comes first.
        holding = [one for one, (low, high) in zip(own, places, strict=True) if low <= start < high] or own
        for clipping in sorted(holding, key=lambda clipping: clipping.window.text not in found):
            span = clipping.in_window((start, start + len(answer)))
            if span is not None:
                answering = Row(question, clipping.window.text, *span, inside)
                yield [answering, *_without(answer, question, texts, answering)[:8]]
                break


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
        near = [(found.id, place, clip(found, place).window.text) for found, place in _near(question, library)]
        if not name:
            yield from [[Row(question, text) for _, _, text in near[:8]]] if near else []
            continue
        article = library.article(names[name])
        assert article is not None
        for place in _windows_of(article):
            clipping = clip(article, place)
            span = clipping.in_window((start, end))
            if span is not None and place[0] <= start:
                others = [text for id_, other, text in near if (id_, other) != (article.id, place)]
                answering = Row(question, clipping.window.text, *span)
                yield [answering, *_without(article.text[start:end], question, others, answering)[:8]]


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
