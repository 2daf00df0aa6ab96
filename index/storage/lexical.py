"""The lexical index: BM25 over passages and over sentences, with tantivy.

Okapi BM25 as in Robertson and Zaragoza 2009, with tantivy's k1 = 1.2 and b = 0.75. Words of articles and
questions are lowercased, folded to ASCII and stemmed, so Vučić finds Vucic.
Everything here is made from the store and can be made again.
"""

from __future__ import annotations

import datetime
import json
import math
import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import tantivy

from index.storage.analysis import analyse, analyzer, composed
from index.storage.rows import Restriction, TextRow, source_key
from index.storage.store import Store

FORMAT = 1
_HEAP_BYTES = 64_000_000
_STATE = "state.json"
_FEW_IDS = 500
"""Up to this many ids, one query for each id takes half the time of one query for the set."""

Scored = dict[int, float]
"""Scores by passage or sentence id."""


class Lexical:
    """Two tantivy indexes, of passages and of sentences, kept in one folder or in memory.

    Args:
        folder: where the indexes are; ``None`` keeps them in memory. A folder that tantivy cannot open
            is emptied. ``generation`` is then -1 and everything has to be added, as it is after a
            change of format.

    One thread may write at a time. Searching meanwhile is safe and sees the last commit.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self.generation, self.last_passage, self.last_sentence = -1, 0, 0
        try:
            self._passages, self._sentences = self._open("passages"), self._open("sentences")
        except ValueError:
            if folder is None:
                raise
            shutil.rmtree(folder)
            self._passages, self._sentences = self._open("passages"), self._open("sentences")
        self._read_state()

    def _open(self, name: str) -> tantivy.Index:
        path = None
        if self._folder is not None:
            (self._folder / name).mkdir(parents=True, exist_ok=True)
            path = str(self._folder / name)
            if not tantivy.Index.exists(path):  # a state file left behind would make the new index look complete
                (self._folder / _STATE).unlink(missing_ok=True)
        index = tantivy.Index(_schema(), path=path)
        index.config_reader("manual")  # automatic would load what another index writes into the same folder
        index.register_tokenizer("news", analyzer())
        return index

    def _read_state(self) -> None:
        if self._folder is None:
            return
        try:
            state = json.loads((self._folder / _STATE).read_text())
        except (OSError, ValueError):
            return
        if state.get("format") == FORMAT:
            self.generation = state["generation"]
            self.last_passage, self.last_sentence = state["last_passage"], state["last_sentence"]

    @property
    def counts(self) -> tuple[int, int]:
        """How many passages and sentences can be found."""
        return self._passages.searcher().num_docs, self._sentences.searcher().num_docs

    def update(
        self,
        passages: Iterable[TextRow],
        sentences: Iterable[TextRow],
        removed_passages: Sequence[tuple[int, int]],
        removed_sentences: Sequence[tuple[int, int]],
        generation: int,
        rebuild: bool = False,
    ) -> None:
        """Add rows and remove id ranges (both ends included), in one commit for each of the two indexes.

        Adding a row again replaces it, so an interrupted update can be repeated. ``rebuild`` first removes
        all rows.
        """
        self.last_passage = _update(self._passages, passages, removed_passages, self.last_passage, rebuild)
        self.last_sentence = _update(self._sentences, sentences, removed_sentences, self.last_sentence, rebuild)
        self.generation = generation
        if self._folder is not None:
            state = {
                "format": FORMAT,
                "generation": generation,
                "last_passage": self.last_passage,
                "last_sentence": self.last_sentence,
            }
            temporary = self._folder / f"{_STATE}.{os.getpid()}"
            temporary.write_text(json.dumps(state))
            temporary.replace(self._folder / _STATE)

    def idf(self, terms: Iterable[str]) -> dict[str, float]:
        """BM25's inverse document frequency of each term over the sentences: higher for rarer terms."""
        searcher = self._sentences.searcher()
        total = searcher.num_docs
        weights = {}
        for term in set(terms):
            df = min(searcher.doc_freq("text", term), total)
            weights[term] = math.log(1 + (total - df + 0.5) / (df + 0.5))
        return weights

    def known(self, text: str) -> bool:
        """Whether any word of a text, as analysed, is in any sentence."""
        searcher = self._sentences.searcher()
        return any(searcher.doc_freq("text", term) for term in analyse(text))

    def search_passages(self, terms: Sequence[str], k: int, restriction: Restriction) -> Scored:
        """The ``k`` best passages for the terms and their BM25 scores."""
        return _search(self._passages, terms, k, restriction=restriction)

    def search_sentences(self, terms: Sequence[str], k: int, restriction: Restriction) -> Scored:
        """The ``k`` best sentences for the terms and their BM25 scores."""
        return _search(self._sentences, terms, k, restriction=restriction)

    def search_phrases(self, phrases: Sequence[str], k: int, restriction: Restriction) -> Scored:
        """The ``k`` best sentences that contain the words of every phrase, as analysed, in order."""
        schema = self._sentences.schema
        parts = []
        for phrase in phrases:
            words: list[str | tuple[int, str]] = list(analyse(phrase))
            if len(words) == 1:
                parts.append(tantivy.Query.term_query(schema, "text", words[0]))
            elif words:
                parts.append(tantivy.Query.phrase_query(schema, "text", words))
        if not parts:
            return {}
        query = tantivy.Query.boolean_query([(tantivy.Occur.Must, part) for part in parts])
        return _run(self._sentences, query, k, restriction)

    def search_similar(self, term: str, k: int = 20) -> Scored:
        """At most ``k`` passages with a word, as analysed, that differs from a term by one letter or a swap of two."""
        query = tantivy.Query.fuzzy_term_query(self._passages.schema, "text", term, 1, True)
        return _run(self._passages, query, k, None)

    def score_passages(self, terms: Sequence[str], ids: Sequence[int]) -> Scored:
        """BM25 scores of some passages. A passage with none of the terms is left out."""
        return _search(self._passages, terms, len(ids), ids=ids)

    def score_sentences(self, terms: Sequence[str], ids: Sequence[int]) -> Scored:
        """BM25 scores of some sentences. A sentence with none of the terms is left out."""
        return _search(self._sentences, terms, len(ids), ids=ids)


def catch_up(lexical: Lexical, store: Store) -> None:
    """Bring the lexical index up to date with the store: from its last generation, or from the beginning."""
    generation = store.generation
    if lexical.generation == generation:
        return
    removed = store.removals_since(lexical.generation)
    # BM25 counts removed rows until tantivy merges them away, so after many removals start from the beginning.
    rebuild = not 0 <= lexical.generation < generation or len(removed) > 0.1 * store.counts()[0]
    lexical.update(
        store.passages_after(0 if rebuild else lexical.last_passage),
        store.sentences_after(0 if rebuild else lexical.last_sentence),
        [r.passages for r in removed],
        [r.sentences for r in removed],
        generation,
        rebuild,
    )


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_unsigned_field("id", indexed=True, fast=True)
    builder.add_text_field("text", tokenizer_name="news", index_option="position")
    builder.add_integer_field("date", indexed=True, fast=True)
    builder.add_text_field("source", tokenizer_name="raw", index_option="basic")
    return builder.build()


def _update(
    index: tantivy.Index, rows: Iterable[TextRow], removed: Sequence[tuple[int, int]], last: int, rebuild: bool
) -> int:
    """Apply one update to one index. Returns the highest id that the index now has."""
    writer = index.writer(heap_size=_HEAP_BYTES, num_threads=1)
    if rebuild:
        writer.delete_all_documents()
        last = 0
    for first, final in removed:
        query = tantivy.Query.range_query(
            index.schema, "id", tantivy.FieldType.Unsigned, first, final, use_inverted_index=True
        )
        writer.delete_documents_by_query(query)
    # Of an interrupted update, either nothing or everything was committed. Remove it before repeating the update.
    if index.searcher().num_docs and not rebuild:
        query = tantivy.Query.range_query(index.schema, "id", tantivy.FieldType.Unsigned, last + 1, None)
        writer.delete_documents_by_query(query)
    for row in rows:
        document = tantivy.Document()
        document.add_unsigned("id", row.id)
        document.add_text("text", composed(row.text))
        if row.date is not None:
            document.add_integer("date", row.date.toordinal())
        if row.source is not None:
            document.add_text("source", source_key(row.source))
        writer.add_document(document)
        last = max(last, row.id)
    writer.commit()
    index.reload()  # before merging, so that the rows can be found now
    writer.wait_merging_threads()
    return last


def _search(
    index: tantivy.Index,
    terms: Sequence[str],
    k: int,
    restriction: Restriction | None = None,
    ids: Sequence[int] | None = None,
) -> Scored:
    if not terms or k <= 0:
        return {}
    schema = index.schema
    words = tantivy.Query.boolean_query(
        [(tantivy.Occur.Should, tantivy.Query.term_query(schema, "text", term, "freq")) for term in terms]
    )
    if ids is not None:
        only_ids = tantivy.Query.const_score_query(_any_of(schema, ids), 0.0)
        words = tantivy.Query.boolean_query([(tantivy.Occur.Must, words), (tantivy.Occur.Must, only_ids)])
    return _run(index, words, k, restriction)


def _any_of(schema: tantivy.Schema, ids: Sequence[int]) -> tantivy.Query:
    if len(ids) > _FEW_IDS:
        return tantivy.Query.term_set_query(schema, "id", list(ids))
    return tantivy.Query.boolean_query(
        [(tantivy.Occur.Should, tantivy.Query.term_query(schema, "id", id_, "basic")) for id_ in ids]
    )


def _run(index: tantivy.Index, query: tantivy.Query, k: int, restriction: Restriction | None) -> Scored:
    if restriction:
        query = tantivy.Query.boolean_query(
            [(tantivy.Occur.Must, query), *((tantivy.Occur.Must, f) for f in _filters(index.schema, restriction))]
        )
    searcher = index.searcher()
    hits = searcher.search(query, limit=k, count=False).hits
    ids: list[Any] = searcher.fast_field_values("id", [address for _, address in hits])
    return {int(id_): float(score) for (score, _), id_ in zip(hits, ids, strict=True)}


def _filters(schema: tantivy.Schema, restriction: Restriction) -> list[tantivy.Query]:
    filters = []
    if restriction.by_date:
        earliest = (restriction.since or datetime.date.min).toordinal()
        latest = (restriction.until or datetime.date.max).toordinal()
        filters.append(tantivy.Query.range_query(schema, "date", tantivy.FieldType.Integer, earliest, latest))
    if restriction.source is not None:
        filters.append(tantivy.Query.term_query(schema, "source", source_key(restriction.source), "basic"))
    return [tantivy.Query.const_score_query(f, 0.0) for f in filters]
