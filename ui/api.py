"""The endpoints /ask and /retrieve: answers as plain JSON, for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gradio as gr

from index.errors import ClippingsError, QuestionError
from qa import answer, retrieve
from ui.desk import parse_day

if TYPE_CHECKING:
    from collections.abc import Callable

    from index.library import Library

MAX_HITS = 100
"""The most sentences that /retrieve returns."""


def endpoints(library: Library) -> tuple[Callable[..., dict[str, Any]], Callable[..., list[dict[str, Any]]]]:
    """The functions behind /ask and /retrieve. Their annotations become the endpoints' documentation."""

    def ask(question: str, since: str = "", until: str = "", source: str = "") -> dict[str, Any]:
        """The answer to one question, with the sentences that say so. Dates are YYYY-MM-DD."""
        try:
            result = answer(
                question,
                library,
                since=parse_day(since, "since"),
                until=parse_day(until, "until"),
                source=source or None,
            )
        except ClippingsError as error:
            raise gr.Error(str(error), print_exception=False) from error
        return result.to_dict()

    def find(question: str, k: int = 5, since: str = "", until: str = "", source: str = "") -> list[dict[str, Any]]:
        """The 1 to 100 sentences nearest to the question, best first. Dates are YYYY-MM-DD."""
        try:
            hits = retrieve(
                question,
                library,
                k=_how_many(k),
                since=parse_day(since, "since"),
                until=parse_day(until, "until"),
                source=source or None,
            )
        except ClippingsError as error:
            raise gr.Error(str(error), print_exception=False) from error
        return [hit.to_dict() for hit in hits]

    return ask, find


def _how_many(k: object) -> int:
    """The number of sentences to return. Raises QuestionError unless it is a whole number from 1 to ``MAX_HITS``."""
    if not isinstance(k, int) or isinstance(k, bool) or not 1 <= k <= MAX_HITS:
        raise QuestionError(f"k: {str(k)[:40]} sentences cannot be returned; ask for 1 to {MAX_HITS}.")
    return k
