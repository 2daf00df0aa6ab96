"""Prepare articles for the store: split them into passages, and encode these."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from index.encoding.encoder import Encoder
from index.encoding.windows import PassageText
from index.errors import ArticleError, ClippingsError, IndexStateError, LibraryError, blamed_on
from index.reading.articles import Article
from index.reading.passages import Passage, split
from index.reading.tokens import load_encoding
from index.storage.rows import EncodedArticle, Settings


def encode_each(
    articles: Sequence[Article], settings: Settings, encoder: Encoder
) -> list[EncodedArticle | ArticleError]:
    """Each article encoded, or the error. All together; one by one only if a library fails on the batch.

    Raises:
        ClippingsError: a library fails on each of several articles in the same way, so it is not their fault.
    """
    if not articles:
        return []
    try:
        with blamed_on(articles[0].path):
            return [*encode(articles, settings, encoder)]
    except ArticleError as error:
        if len(articles) == 1:
            return [error]
    results = [result for article in articles for result in encode_each([article], settings, encoder)]
    reasons = {result.reason if isinstance(result, LibraryError) else None for result in results}
    if len(reasons) == 1 and (reason := reasons.pop()):
        raise ClippingsError(
            f"Encoding fails on each of {len(articles)} articles in the same way ({reason}), so the articles are not "
            "the cause. The index keeps what it has. Close other programs if memory is short, and try again."
        )
    return results


def encode(articles: Sequence[Article], settings: Settings, encoder: Encoder) -> list[EncodedArticle]:
    """Split articles and encode their passages. All together, so that the model's batches are full."""
    counter = load_encoding(settings.encoding)
    if counter.fingerprint != settings.encoding_hash:
        raise IndexStateError(
            f"The token vocabulary {settings.encoding!r} is not the one that this index was made with, so passages "
            "would be split differently. Build a new index in another directory."
        )
    split_articles = [split(article, counter, settings.passage_tokens) for article in articles]
    texts = [
        _text_of(article, passage)
        for article, passages in zip(articles, split_articles, strict=True)
        for passage in passages
    ]
    vectors = iter(encoder.encode_passages(texts))
    encoded = []
    for article, passages in zip(articles, split_articles, strict=True):
        article_vectors = [next(vectors) for _ in passages]
        encoded.append(
            EncodedArticle(
                article,
                passages,
                np.stack([v.passage for v in article_vectors]),
                np.concatenate([v.sentences for v in article_vectors]),
            )
        )
    return encoded


def _text_of(article: Article, passage: Passage) -> PassageText:
    through = article.through(passage.start, passage.end)
    return PassageText(through.text, tuple(through.in_text((s.start, s.end)) for s in passage.sentences))
