"""Answer a question from the articles, with the sentences that are the evidence."""

from __future__ import annotations

from qa.answering import Answer, Evidence, answer
from qa.retriever import Hit, retrieve

__all__ = ["Answer", "Evidence", "Hit", "answer", "retrieve"]
