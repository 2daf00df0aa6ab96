"""Build an index from a folder of articles, and keep it up to date.

Articles are read, split and encoded in batches. Each batch is one transaction, so an interrupted build
leaves only whole articles in the index, and the next build continues from there.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from index.creating import Plan, open_or_create
from index.encoding.encoder import Encoder
from index.encoding.loading import encoder_folder, index_encoder
from index.encoding.recipe import read_recipe
from index.errors import ArticleError, ClippingsError, LibraryError, ModelError
from index.preparing import encode_each
from index.reading import files
from index.reading.articles import Article, parse_article, read_article
from index.reading.header import UNDATED
from index.storage.lexical import Lexical, catch_up
from index.storage.locking import WAIT_SECONDS, BuildLock
from index.storage.rows import EncodedArticle
from index.storage.store import Store

_BATCH_CHARS = 400_000
"""Characters of text in one transaction: a few seconds of work, and enough to fill the model's batches."""

Progress = Callable[[int, int, str], None]
"""Called with the number of articles done, the total, and the path of the last one."""

PathLike = str | os.PathLike[str]


@dataclass(slots=True)
class BuildReport:
    """What a build, an addition or a removal did. Paths are relative to the corpus folder."""

    added: int = 0
    changed: int = 0
    removed: int = 0
    unchanged: int = 0
    skipped: list[tuple[str, str]] = field(default_factory=list)
    """Path and reason of each file that could not be indexed or removed."""
    failed: list[str] = field(default_factory=list)
    """The skipped files that a library failed on. What the index held of them is kept; a later build may succeed."""
    warnings: list[tuple[str, str]] = field(default_factory=list)
    """Path and warning of each indexed file with something that could not be read, such as its date."""
    paths: list[str] = field(default_factory=list)
    """The articles that were added or changed."""
    passages: int = 0
    sentences: int = 0
    """How many passages and sentences were encoded."""
    encoder: str = ""
    """A description of the encoder, if the index is new."""

    def __str__(self) -> str:
        counts = [("added", self.added), ("changed", self.changed), ("removed", self.removed)]
        counts += [("unchanged", self.unchanged), ("skipped", len(self.skipped))]
        return ", ".join(f"{count} {name}" for name, count in counts)


def build(
    corpus: PathLike,
    index: PathLike,
    *,
    model: str | None = None,
    encoding: str | None = None,
    passage_tokens: int | None = None,
    exact: bool = False,
    progress: Progress | None = None,
    wait: float = WAIT_SECONDS,
) -> BuildReport:
    """Make an index of a folder of articles, or bring it up to date.

    Only new and changed files are encoded. A file that cannot be read, or that a library fails on, is skipped and
    reported.

    Args:
        corpus: folder of ``.txt`` and ``.md`` files, including its subfolders. Hidden files and READMEs
            are left out.
        index: the index directory, made if it is missing.
        model: a sentence-transformers model, by hub name or folder. Stored in the index.
        encoding: ``clippings`` or one of tiktoken's encodings, to count the tokens of passages. Stored.
        passage_tokens: the most tokens in a passage, in that encoding. Stored.
        exact: whether to encode with sentence-transformers itself. Otherwise an int8 encoder is made from
            the model, which is several times faster. If that fails, sentence-transformers encodes. Stored.
        progress: called after every article.
        wait: seconds to wait for another process that is writing.

    Raises:
        IndexStateError: the index was made with other settings or from another folder.
        IndexBusyError: another process is writing.
        ClippingsError: the folder does not exist, the model cannot be loaded, or a library fails on every article.
    """
    corpus, directory = Path(corpus), Path(index)
    if not corpus.is_dir():
        raise ClippingsError(f"There is no folder {corpus}. Name the folder that holds your articles.")
    if directory.resolve() == corpus.resolve():
        raise ClippingsError(f"{corpus} cannot be both the folder of articles and the index; choose another --index.")
    plan = Plan(directory, corpus, model, encoding, passage_tokens, exact)
    with _locked(directory, wait, lambda: open_or_create(plan)) as store:
        new = not store.generation
        report = _Build(store, progress).folder(corpus)
        if new:
            with suppress(ModelError):  # the encoder is not in the index, because it could not be copied there
                report.encoder = str(read_recipe(encoder_folder(directory, store.settings.model_hash)))
        return report


def index_articles(
    articles: Sequence[Article],
    corpus: PathLike,
    index: PathLike,
    *,
    exact: bool = False,
    progress: Progress | None = None,
    wait: float = WAIT_SECONDS,
) -> BuildReport:
    """Put articles that have been read already into an index. The index is made if it is missing.

    Args:
        articles: each with a different path. Their files are not read.
        corpus: the folder to record as their corpus folder.
        index, exact, progress, wait: as for ``build``.
    """
    plan = Plan(Path(index), Path(corpus), exact=exact)
    with _locked(plan.directory, wait, lambda: open_or_create(plan)) as store:
        return _Build(store, progress).run(articles)


def add(
    paths: PathLike | Iterable[PathLike],
    index: PathLike,
    *,
    progress: Progress | None = None,
    wait: float = WAIT_SECONDS,
) -> BuildReport:
    """Add one or more article files to an index, without looking at the rest of its corpus.

    A file from outside the corpus folder is first copied into it, so that folder and index agree. A file
    that cannot be read, or whose text is in the index already, is not kept: ``skipped`` reports it.
    A file of the corpus folder that is in the index already is read again.
    """
    directory = Path(index)
    copies: list[Article] = []
    with _opened(directory, wait) as store, _kept_if_indexed(copies, store):
        items: dict[str, Article | str] = {}
        refused = []
        for path in map(Path, [paths] if isinstance(paths, str | os.PathLike) else paths):
            try:
                placed_file = files.place(path, store.corpus)
            except ArticleError as error:
                refused.append((str(path), str(error)))
                continue
            items.setdefault(placed_file.name, placed_file.article or placed_file.name)
            if placed_file.article and placed_file.copied:
                copies.append(placed_file.article)
        report = _Build(store, progress).run(list(items.values()))
        report.skipped[:0] = refused
        return report


def add_text(
    text: str,
    index: PathLike,
    *,
    title: str = "",
    date: str = "",
    source: str = "",
    wait: float = WAIT_SECONDS,
) -> BuildReport:
    """Write a pasted article into the corpus folder and add it. ``date`` is in the form YYYY-MM-DD.

    Raises:
        ArticleError: there is no text, it is too long, or ``date`` is not a date.
    """
    data = files.compose(text, title, date, source)
    article = parse_article(data, "The pasted text")
    if article.warning:
        raise ArticleError(article.warning.removesuffix(UNDATED))
    directory = Path(index)
    with _opened(directory, wait) as store:
        name = files.write(data, title or article.text[article.body_start :].strip()[:60], store.corpus)
        article = replace(article, path=name)
        with _kept_if_indexed([article], store):
            return _Build(store, None).run([article])


def remove(names: str | Iterable[str], index: PathLike, *, wait: float = WAIT_SECONDS) -> BuildReport:
    """Remove one or more articles by path. Each file moves to ``.trash`` in the corpus folder.

    A name that is not in the index is reported in ``skipped``.
    """
    directory = Path(index)
    with _opened(directory, wait) as store:
        report = BuildReport()
        names = list(dict.fromkeys([names] if isinstance(names, str) else names))
        known = store.known(names)
        ids = []
        for name in names:
            if name in known:
                files.trash(store.corpus, name)
                ids.append(known[name][0])
            else:
                report.skipped.append((name, f"{name}: the index has no article with this name."))
        if ids:
            store.apply([], ids)
            catch_up(Lexical(directory / "lexical"), store)
        report.removed = len(ids)
        return report


@contextmanager
def _opened(directory: Path, wait: float) -> Iterator[Store]:
    """An existing index, locked for one change and checkpointed afterwards."""
    Store.open(directory).close()  # fails before the lock would create a folder with a wrong name
    with _locked(directory, wait, lambda: Store.open(directory)) as store:
        yield store


@contextmanager
def _locked(directory: Path, wait: float, open_store: Callable[[], Store]) -> Iterator[Store]:
    """A store that nobody else changes, checkpointed afterwards."""
    with BuildLock(directory, wait):
        store = open_store()
        try:
            files.sweep(store.corpus)
            yield store
        finally:
            store.checkpoint()
            store.close()


@contextmanager
def _kept_if_indexed(copies: Sequence[Article], store: Store) -> Iterator[None]:
    """Delete copies from the corpus folder that did not get into the index, for any reason.

    Nobody would notice them there, and every later build would try them again.
    """
    try:
        yield
    finally:
        known = store.known(copy.path for copy in copies)
        for copy in copies:
            if copy.path not in known or known[copy.path][1] != copy.hash:
                (store.corpus / copy.path).unlink(missing_ok=True)


class _Build:
    """One run over articles: reads them, compares them with the store, encodes what differs, commits in batches."""

    def __init__(self, store: Store, progress: Progress | None) -> None:
        self._store = store
        self._corpus = store.corpus
        self._progress = progress
        self._report = BuildReport()
        self._lexical = Lexical(store.directory / "lexical")
        self._known: dict[str, tuple[int, str]] = {}
        self._done = 0

    @property
    def _encoder(self) -> Encoder:
        settings = self._store.settings
        return index_encoder(self._store.directory, settings.model, settings.model_hash)

    def folder(self, corpus: Path) -> BuildReport:
        """Make the index hold exactly the folder's articles."""
        names = files.scan(corpus)
        self._known = self._store.known()
        present = set(names)
        missing = [id_ for path, (id_, _) in self._known.items() if path not in present]
        if missing:  # first, so that a renamed file does not count as a copy of itself
            self._store.apply([], missing)
            self._report.removed += len(missing)
            self._known = self._store.known()
        return self._run(names)

    def run(self, items: Sequence[str | Article]) -> BuildReport:
        """Bring some files of the corpus folder up to date in the index, given by name or as articles."""
        self._known = self._store.known(map(_name, items))
        return self._run(items)

    def _run(self, items: Sequence[str | Article]) -> BuildReport:
        for batch in self._batches(items):
            self._commit(batch)
        catch_up(self._lexical, self._store)
        return self._report

    def _batches(self, items: Sequence[str | Article]) -> Iterator[list[Article]]:
        batch: list[Article] = []
        texts: dict[str, str] = {}
        size = 0
        self._total = len(items)
        for item in items:
            article = self._to_encode(item, texts)
            if article is None:
                self._report_progress(_name(item))
                continue
            batch.append(article)
            texts[article.text] = article.path
            size += len(article.text)
            if size >= _BATCH_CHARS:
                yield batch
                batch, texts, size = [], {}, 0
        if batch:
            yield batch

    def _to_encode(self, item: str | Article, batch_texts: dict[str, str]) -> Article | None:
        """The article if it has to be encoded; None if it is unchanged or skipped."""
        name = _name(item)
        try:
            article = read_article(self._corpus / item, item) if isinstance(item, str) else item
        except ArticleError as error:
            self._skip(name, error)
            return None
        if name in self._known and self._known[name][1] == article.hash:
            self._report.unchanged += 1
            self._warn(article)
            return None
        same = [path for path in self._store.same_text(article) if path != name and self._still_has(path, article)]
        same += [batch_texts[article.text]] if article.text in batch_texts else []
        if same:
            why = f"{name}: the same text as {same[0]}, which is in the index; delete one of the two."
            self._skip(name, ArticleError(why))
            return None
        return article

    def _still_has(self, name: str, article: Article) -> bool:
        """Whether the file of a stored article still has this text. It may have changed and not be read yet."""
        try:
            return read_article(self._corpus / name, name).text == article.text
        except ArticleError:
            return False

    def _skip(self, name: str, error: ArticleError) -> None:
        """Report a file as skipped. Its old version is removed from the index, unless it is a library that fails."""
        self._report.skipped.append((name, str(error)))
        if isinstance(error, LibraryError):
            self._report.failed.append(name)
        elif name in self._known:
            self._store.apply([], [self._known.pop(name)[0]])
            self._report.removed += 1

    def _warn(self, article: Article) -> None:
        if article.warning:
            self._report.warnings.append((article.path, article.warning))

    def _commit(self, batch: Sequence[Article]) -> None:
        encoded: list[EncodedArticle] = []
        for article, result in zip(batch, encode_each(batch, self._store.settings, self._encoder), strict=True):
            if isinstance(result, ArticleError):
                self._skip(article.path, result)
                self._report_progress(article.path)
            else:
                encoded.append(result)
        if not encoded:
            return
        self._store.apply(encoded)
        catch_up(self._lexical, self._store)
        for encoded_article in encoded:
            path = encoded_article.article.path
            self._warn(encoded_article.article)
            self._report.paths.append(path)
            self._report.passages += len(encoded_article.passage_vectors)
            self._report.sentences += len(encoded_article.sentence_vectors)
            if path in self._known:
                self._report.changed += 1
            else:
                self._report.added += 1
            self._report_progress(path)

    def _report_progress(self, name: str) -> None:
        self._done += 1
        if self._progress:
            self._progress(self._done, self._total, name)


def _name(item: str | Article) -> str:
    return item if isinstance(item, str) else item.path
