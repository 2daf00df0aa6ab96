"""Hits and answers as plain JSON values, for programs: the terminal's ``--json`` and the chat's endpoints."""

from __future__ import annotations

from typing import Any

from index.reading.articles import Article
from qa.answering import Answer, Evidence, Span
from qa.retriever import Hit


def article_row(article: Article) -> dict[str, Any]:
    """What a program needs to name an article; its text is not repeated.

    Not "path": gradio's clients take a row with that for a file to download.
    """
    return {
        "file": article.path,
        "title": article.title,
        "date": article.date.isoformat() if article.date else None,
        "source": article.source,
        "url": article.url,
    }


def hit_row(hit: Hit) -> dict[str, Any]:
    """A sentence with its place, ``[start, end)`` in the article's text."""
    return {
        "text": hit.text,
        "start": hit.start,
        "end": hit.end,
        "score": round(hit.score, 4),
        "article": article_row(hit.article),
    }


def span_row(article: Article, span: Span) -> dict[str, Any]:
    """A piece of an article's text with its place."""
    start, end = span
    return {"text": article.text[start:end], "start": start, "end": end}


def evidence_row(evidence: Evidence) -> dict[str, Any]:
    """An exact answer with its place, further ones of its sentence, that sentence, and what it is read with."""
    article = evidence.hit.article
    return {
        **span_row(article, (evidence.start, evidence.end)),
        "more": [span_row(article, span) for span in evidence.more],
        "sentence": hit_row(evidence.hit),
        "context": span_row(article, evidence.context) if evidence.context else None,
    }


def answer_row(answer: Answer) -> dict[str, Any]:
    """An answer with its evidence, or with the reason and the nearest sentences."""
    return {
        "question": answer.question,
        "found": answer.found,
        "text": answer.text,
        "confidence": round(answer.confidence, 4),
        "reason": answer.reason,
        "evidence": [evidence_row(evidence) for evidence in answer.evidence],
        "contradicting": [evidence_row(evidence) for evidence in answer.contradicting],
        "nearest": [hit_row(hit) for hit in answer.nearest],
        "undated_excluded": answer.undated_excluded,
    }
