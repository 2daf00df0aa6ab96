"""What a question asks for, told by the learnt classifier."""

from __future__ import annotations

import numpy as np
import pytest

from index.encoding.encoder import TokenEncoder
from qa.intent import Intent, intents_of


@pytest.mark.parametrize(
    ("question", "intent"),
    [
        ("Who repaired the old bridge?", Intent.FACT),
        ("bridge", Intent.FACT),
        ("how many farms were hit by frost", Intent.FACT),
        ("Was the bridge closed for a year?", Intent.YES_NO),
        ("did the mayor resign", Intent.YES_NO),
        ("Do you know when the bridge opened?", Intent.FACT),
        ("What did the mayor say about the repairs?", Intent.QUOTE),
        ("Which countries have signed the treaty?", Intent.LIST),
        ("timeline of the repairs of the bridge", Intent.OVERVIEW),
        ("What do we know about the plum harvest?", Intent.OVERVIEW),
        ("Which articles are about the bridge?", Intent.ARTICLES),
        ("Who is the mayor at the moment?", Intent.LATEST),
        ("hello", Intent.TALK),
        ("thanks a lot!", Intent.TALK),
        ("what can you do", Intent.TALK),
    ],
)
def test_the_most_probable_intent(question: str, intent: Intent, encoder: TokenEncoder) -> None:
    found = intents_of(question, encoder.encode_question(question))
    assert max(found, key=found.__getitem__) is intent
    assert sum(found.values()) == pytest.approx(1)


def test_with_another_models_vectors_every_question_asks_for_a_fact() -> None:
    found = intents_of("hello", np.zeros(64, np.float32))
    assert found.pop(Intent.FACT) == 1
    assert set(found.values()) == {0}
