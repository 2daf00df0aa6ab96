"""verify(): check that the files, the store, the vectors, FAISS and tantivy agree."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from index.builder import Progress
from index.errors import ArticleError, blamed_on
from index.library import Library, open_index
from index.preparing import encode_each
from index.reading import files
from index.reading.articles import Article, read_article
from index.reading.passages import Passage, split
from index.reading.tokens import load_encoding
from index.storage.analysis import analyse
from index.storage.rows import EncodedArticle, Restriction, Settings

LEAST_COSINE, LEAST_COSINE_EXACT = 0.999, 0.95
"""The lowest cosine of two encodings of one text that counts as equal. The int8 network encodes each text by itself,
so only float16 rounding differs. With exact encoding, the other texts in the batch matter too."""

_BATCH = 64


@dataclass(slots=True)
class Verification:
    """What ``verify`` has checked, and the problems that it found."""

    articles: int = 0
    passages: int = 0
    sentences: int = 0
    least_cosine: float = 1.0
    """The lowest cosine between a stored vector and that of the same text encoded again."""
    problems: list[str] = field(default_factory=list)
    """A message for each problem, with the fix. Empty if everything agrees."""


def verify(index: str | os.PathLike[str], *, vectors: bool = True, progress: Progress | None = None) -> Verification:
    """Read everything again and compare it with what the index holds.

    Args:
        index: the index directory.
        vectors: whether to encode every article again. This is slow, and the only part that needs the
            model.
        progress: called after every article.

    Raises:
        IndexStateError: the index is missing or cannot be opened.
    """
    library = open_index(index)
    try:
        result = Verification()
        result.problems += _folder(library)
        _articles(library, result, vectors, progress)
        result.problems += _derived(library, result)
        return result
    finally:
        library.close()


def _folder(library: Library) -> Iterator[str]:
    """Differences between the corpus folder, if there is one, and the stored articles."""
    if library.store.exported:
        return
    if not library.corpus.is_dir():
        yield f"The corpus folder {library.corpus} is missing."
        return
    build = f"python -m index build {library.corpus} --index {library.path}"
    known = library.store.known()
    names = set(files.scan(library.corpus))
    for name in sorted(names - set(known)):
        try:
            article = read_article(library.corpus / name, name)
        except ArticleError:
            continue  # a build reports it
        if not library.store.same_text(article):
            yield f"{name} is not in the index. Run: {build}"
    for name in sorted(set(known) - names):
        yield f"{name} is in the index but not in the folder. Run: {build}"


def _articles(library: Library, result: Verification, vectors: bool, progress: Progress | None) -> None:
    """Compare every stored article with its file, its sentences and its vectors."""
    store = library.store
    infos = store.articles()
    least = LEAST_COSINE if not vectors or library.encoder.recipe.int8 else LEAST_COSINE_EXACT
    present = set() if store.exported or not library.corpus.is_dir() else set(files.scan(library.corpus))
    for at in range(0, len(infos), _BATCH):
        articles = [article for info in infos[at : at + _BATCH] if (article := store.article(info.id))]
        encoded = encode_each(articles, store.settings, library.encoder) if vectors else [None] * len(articles)
        for article, encoded_article in zip(articles, encoded, strict=True):
            name = article.path
            try:
                if name in present and read_article(library.corpus / name, name).hash != article.hash:
                    result.problems.append(f"{name} has changed since it was indexed. Build again.")
            except ArticleError as error:
                result.problems.append(str(error))
            passages = None
            try:
                if isinstance(encoded_article, ArticleError):
                    raise encoded_article
                passages = encoded_article.passages if encoded_article else _split(article, store.settings)
            except ArticleError as error:
                result.problems.append(str(error))
            passage_ids = store.passages_of(article.id or 0)
            rows, sentence_vectors = store.sentences_of(passage_ids)
            stored_rows = store.passage_rows(passage_ids)
            stored_passages = [(stored_rows[id_].start, stored_rows[id_].end) for id_ in passage_ids]
            stored_sentences = [(row.start, row.end) for row in rows]
            if passages is not None and (
                stored_passages != [(p.start, p.end) for p in passages]
                or stored_sentences != [(s.start, s.end) for p in passages for s in p.sentences]
            ):
                result.problems.append(f"{name}: splitting it again gives other sentences. Build a new index.")
            elif isinstance(encoded_article, EncodedArticle):
                pairs = [(np.stack([stored_rows[id_].vector for id_ in passage_ids]), encoded_article.passage_vectors)]
                pairs.append((sentence_vectors, encoded_article.sentence_vectors))
                lowest = float(np.concatenate([_cosines(a, b) for a, b in pairs]).min())
                result.least_cosine = float(np.minimum(result.least_cosine, lowest))
                if not lowest >= least:  # NaN counts as wrong
                    result.problems.append(f"{name}: encoding it again gives other vectors. Build a new index.")
            result.articles += 1
            result.passages += len(passage_ids)
            result.sentences += len(rows)
            if progress:
                progress(result.articles, len(infos), name)


def _split(article: Article, settings: Settings) -> Sequence[Passage]:
    with blamed_on(article.path):
        return split(article, load_encoding(settings.encoding), settings.passage_tokens)


def _derived(library: Library, result: Verification) -> Iterator[str]:
    """Differences between the store and the search indexes that are made from it."""
    advice = f"Delete {Path(library.path) / 'lexical'}: it is made again from the store."
    ids = library.store.passage_ids(Restriction())
    if not np.array_equal(library.dense.ids(), ids):
        yield "FAISS holds other passages than the store. Open the index again."
    else:
        for block, vectors in library.store.vectors_after(0):
            dense_vectors = np.stack([library.dense.vector(int(id_)) for id_ in block])
            if not np.allclose(dense_vectors, vectors, equal_nan=True):
                yield "FAISS holds other vectors than the store. Open the index again."
                break
    counts = (result.passages, result.sentences)
    if library.lexical.counts != counts:
        yield f"tantivy holds {library.lexical.counts} passages and sentences, the store {counts}. {advice}"
    missing = sum(1 for row in library.store.sentences_after(0) if not _findable(library, row.id, row.text))
    if missing:
        yield f"tantivy does not find {missing} sentences by their own words. {advice}"


def _findable(library: Library, id_: int, text: str) -> bool:
    terms = analyse(text)
    return not terms or id_ in library.lexical.score_sentences(terms[:1], [id_])


def _cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return np.asarray((a * b).sum(axis=1) / np.maximum(lengths, 1e-12))
