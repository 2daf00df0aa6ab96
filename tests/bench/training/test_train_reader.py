"""What the reader learns by: the right places of a group of windows, or "no answer"."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from bench.training.reader_rows import Row  # noqa: E402
from bench.training.train_reader import Example, loss_of, tensors_of  # noqa: E402


def loss(logits: list[list[float]], rows: list[list[list[int]]]) -> float:
    """The loss of groups of windows of four tokens, each given by the tokens that are right."""
    groups = [[Example([1] * 4, [0] * 4, right, right) for right in group] for group in rows]
    given = tensors_of(groups)
    return float(loss_of(torch.tensor(logits), given["mask"], given["firsts"], given["groups"]))


def test_one_window_is_learnt_as_usual() -> None:
    logits = [[0.5, 1.0, -1.0, 2.0]]
    usual = torch.nn.functional.cross_entropy
    assert loss(logits, [[[3]]]) == pytest.approx(float(usual(torch.tensor(logits), torch.tensor([3]))))
    assert loss(logits, [[[]]]) == pytest.approx(float(usual(torch.tensor(logits), torch.tensor([0]))))


def test_windows_of_a_question_compete_and_those_of_others_do_not() -> None:
    right, wrong = [0.0, 9.0, 0.0, 0.0], [0.0, 0.0, 0.0, 9.0]
    alone = loss([right], [[[1]]])
    assert alone < 0.01
    assert loss([right, wrong], [[[1], []]]) == pytest.approx(torch.log(torch.tensor(2.0)).item(), abs=0.01)
    assert loss([right, wrong], [[[1]], [[3]]]) == pytest.approx(alone)


def test_any_of_several_places_may_be_right() -> None:
    logits = [[0.0, 3.0, 3.0, 0.0]]
    assert loss(logits, [[[1, 2]]]) == pytest.approx(loss(logits, [[[1]]]) - torch.log(torch.tensor(2.0)).item())
    assert loss([[0.0, 0.0, 0.0, -200.0]], [[[3]]]) == pytest.approx(200, abs=2)  # far off, and still a number


def test_an_answer_inside_a_span_begins_and_ends_anywhere_in_it() -> None:
    from tokenizers import Tokenizer

    from bench.training.train_reader import example_of
    from index.encoding.loading import SHIPPED
    from index.encoding.recipe import TOKENIZER

    tokenizer = Tokenizer.from_file(str(SHIPPED / TOKENIZER))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    text = "Floods came. The works cost much."
    exact, inside = (example_of(Row("What cost much?", text, 13, 32, loose), tokenizer) for loose in (False, True))
    assert (len(exact.firsts), len(exact.lasts)) == (1, 1)
    assert inside.firsts == inside.lasts == list(range(exact.firsts[0], exact.lasts[0] + 1))
    assert example_of(Row("What cost much?", text), tokenizer).firsts == []
