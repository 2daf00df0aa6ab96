"""The encoder, in int8 and in torch: passage, sentence and question vectors, its window, and its folder."""

from __future__ import annotations

import json
import shutil
import threading
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from index.encoding import loading as module
from index.encoding.encoder import Encoder, TokenEncoder
from index.encoding.loading import SHIPPED, load_encoder, open_encoder, preload
from index.encoding.recipe import Recipe, read_recipe, write_recipe
from index.encoding.sentence_transformer import Original
from index.errors import ModelError
from tests.models import COST, FLOOD, LEAD, passage
from tests.running import together

pytestmark = pytest.mark.usefixtures("encoder")


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


@pytest.fixture(scope="module")
def in_torch(original: Original) -> TokenEncoder:
    """The default model, its network run by torch."""
    made = original.encoder(original.recipe(int8=False))
    assert isinstance(made, TokenEncoder)
    return made


@pytest.fixture(scope="module", params=["int8", "in_torch"])
def either(request: pytest.FixtureRequest, encoder: TokenEncoder, in_torch: TokenEncoder) -> TokenEncoder:
    return encoder if request.param == "int8" else in_torch


def assert_same(found: np.ndarray, expected: np.ndarray) -> None:
    """Two ways to the same vectors."""
    np.testing.assert_allclose(found, expected, atol=2e-5)


def test_a_passage_has_the_vector_that_sentence_transformers_gives_its_text(
    either: TokenEncoder, original: Original
) -> None:
    passages = [passage(LEAD, COST, FLOOD), passage(COST), passage("Zašto je most bio zatvoren?")]
    found = np.stack([v.passage for v in either.encode_passages(passages)])
    expected = original.model.encode([p.text for p in passages], normalize_embeddings=True)

    assert found.shape == (3, either.dimension) == (3, 384)
    assert found.dtype == np.float32
    least = 0.98 if either.recipe.int8 else 0.9999
    assert [cosine(a, b) > least for a, b in zip(found, expected, strict=True)] == [True] * 3
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)


def test_a_question_has_the_vector_of_a_passage_of_its_words(either: TokenEncoder, original: Original) -> None:
    question = "Who paid for the bridge?"
    vector = either.encode_question(question)

    assert cosine(vector, original.model.encode(question)) > (0.98 if either.recipe.int8 else 0.9999)
    np.testing.assert_allclose(vector, either.encode_passages([passage(question)])[0].passage, atol=1e-6)
    assert either.encode_questions([question, LEAD]).shape == (2, 384)
    assert either.encode_questions([]).shape == (0, 384)
    assert either.encode_passages([]) == []


def test_a_sentence_has_the_mean_of_its_own_tokens_vectors(either: TokenEncoder, original: Original) -> None:
    import torch

    of = passage(LEAD, COST, FLOOD)
    tokens = original.model.tokenizer(of.text, return_offsets_mapping=True, return_tensors="pt")
    offsets = tokens.pop("offset_mapping")[0].tolist()
    if either.recipe.int8:
        ((_, hidden),) = either._forward([tokens["input_ids"][0].tolist()])
    else:
        with torch.inference_mode():
            hidden = original.model[0].auto_model(**tokens).last_hidden_state[0].numpy()
    found = either.encode_passages([of])[0].sentences

    assert found.shape == (3, 384)
    for row, (start, end) in zip(found, of.sentences, strict=True):
        own = [i for i, (a, b) in enumerate(offsets) if start <= a < b <= end]
        assert len(own) > 10
        np.testing.assert_allclose(row, hidden[own].mean(axis=0) / np.linalg.norm(hidden[own].mean(axis=0)), atol=1e-5)


def test_a_sentence_knows_its_neighbours(either: TokenEncoder) -> None:
    alone = either.encode_passages([passage(COST)])[0].sentences[0]
    among = either.encode_passages([passage(LEAD, COST)])[0].sentences[1]

    assert 0.5 < cosine(alone, among) < 0.97


def test_neither_order_nor_company_changes_a_vector(either: TokenEncoder) -> None:
    passages = [passage(*[LEAD] * n, COST) for n in (7, 1, 3)] + [passage("Yes."), passage(FLOOD, COST)]
    together = either.encode_passages(passages)
    backwards = either.encode_passages(passages[::-1])[::-1]

    for one, found, again in zip(passages, together, backwards, strict=True):
        alone = either.encode_passages([one])[0]
        assert len(found.sentences) == len(one.sentences)
        for other in (found, again):
            assert_same(other.passage, alone.passage)
            assert_same(other.sentences, alone.sentences)


class Spying:
    """An encoder of the same network, noting the rows that go through it, special tokens and all."""

    def __init__(self, encoder: TokenEncoder) -> None:
        self.rows: list[list[int]] = []
        self._real = encoder._forward
        self.encoder = TokenEncoder(encoder.recipe, encoder._tokenizer, self._forward)

    def _forward(self, rows: Any) -> Any:
        self.rows += rows
        return self._real(rows)


def test_a_long_passage_is_cut_between_sentences_and_nothing_is_lost(either: TokenEncoder) -> None:
    sentences = [
        f"In village number {n} the river rose by {n} centimetres, and the school stayed shut." for n in range(40)
    ]
    of = passage(*sentences)
    spying = Spying(either)
    found = spying.encoder.encode_passages([of])[0]

    bare = either._tokenizer.encode(of.text, add_special_tokens=False).ids
    windows = spying.rows
    period = bare[-1]
    assert [len(row) for row in windows] == [14 * 17 + 2, 14 * 17 + 2, 12 * 17 + 2]
    assert [i for row in windows for i in row[1:-1]] == bare
    assert {(row[0], row[-1]) for row in windows} == {(101, 102)}  # [CLS] and [SEP]
    assert [row[-2] for row in windows] == [period] * 3  # each window ends as a sentence does
    # A window is a passage of its own sentences: the first one's are what they would be without the others.
    expected = either.encode_passages([passage(*sentences[:14])])[0]
    assert_same(found.sentences[:14], expected.sentences)
    assert found.sentences.shape == (40, 384)
    assert np.isfinite(found.sentences).all()
    last = either.encode_passages([passage(*sentences[28:])])[0]
    assert_same(found.sentences[28:], last.sentences)


def test_an_endless_sentence_is_cut_between_words_and_its_end_counts(either: TokenEncoder) -> None:
    words = " ".join(["provocation"] * 4_997 + ["plum", "blossom", "frost"])
    spying = Spying(either)
    found = spying.encoder.encode_passages([passage(words)])[0]

    bare = either._tokenizer.encode(words, add_special_tokens=False)
    windows = spying.rows
    assert len(bare.ids) == 2 * 4_997 + 3
    assert [i for row in windows for i in row[1:-1]] == bare.ids
    assert [len(row) for row in windows] == [256] * 39 + [93]
    first_pieces = {bare.ids[0], bare.ids[-3], bare.ids[-2], bare.ids[-1]}
    assert {row[1] for row in windows} <= first_pieces  # no word is cut in two
    assert found.sentences.shape == (1, 384)
    np.testing.assert_allclose(np.linalg.norm(found.sentences), 1, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(found.passage), 1, atol=1e-5)


@pytest.mark.parametrize("nothing", ["\u200b\u200b", "\u200d", "\x01\x02", ""])
def test_a_sentence_without_a_token_has_a_finite_vector(nothing: str, either: TokenEncoder) -> None:
    alone = either.encode_passages([passage(nothing)])[0]
    among = either.encode_passages([passage(LEAD, nothing, COST)])[0]
    long = either.encode_passages([passage(*[LEAD] * 30, nothing, COST)])[0]

    assert np.isfinite(alone.passage).all()
    assert alone.sentences.tolist() == [alone.passage.tolist()]  # it takes its passage's
    np.testing.assert_allclose(among.sentences[1], among.passage, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(among.sentences, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(long.sentences, axis=1), 1, atol=1e-5)
    plain = either.encode_passages([passage(LEAD, COST)])[0]
    np.testing.assert_allclose(among.sentences[[0, 2]], plain.sentences, atol=1e-5)


def test_eight_threads_at_once_get_what_each_gets_alone(either: TokenEncoder) -> None:
    questions = [
        f"What did the {who} say about the bridge?"
        for who in "mayor driver priest guard nurse judge pilot cook".split()
    ]
    alone = [either.encode_question(question) for question in questions]
    found: dict[int, list[np.ndarray]] = {}
    start = threading.Barrier(8)

    def ask(n: int) -> None:
        start.wait()
        found[n] = [either.encode_question(questions[n]) for _ in range(5)]

    together(*[partial(ask, n) for n in range(8)])
    for n, vector in enumerate(alone):
        np.testing.assert_allclose(np.stack(found[n]), np.stack([vector] * 5), atol=1e-5)


# Its folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the default model's encoder, to damage."""
    return Path(shutil.copytree(SHIPPED, tmp_path / "encoder"))


def test_an_encoder_is_loaded_once_wherever_it_lies(encoder: TokenEncoder, folder: Path) -> None:
    assert load_encoder(SHIPPED) is encoder
    assert load_encoder(folder) is encoder
    assert load_encoder(SHIPPED.parent / "none", encoder.identity) is encoder


@pytest.fixture
def named(folder: Path) -> str:
    """The identity of the folder's encoder, here one that no thread of an earlier test can be loading just now."""
    recipe = replace(read_recipe(folder), identity=f"of {folder}")
    write_recipe(recipe, folder)
    return recipe.identity


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The folders of the encoders that are opened from now on."""
    folders: list[Path] = []

    def noting(path: Path, recipe: Recipe) -> Encoder:
        folders.append(path)
        return open_encoder(path, recipe)

    monkeypatch.setattr(module, "open_encoder", noting)
    return folders


def test_threads_that_ask_at_once_load_one_encoder(
    folder: Path, named: str, fresh: dict[str, Encoder], opened: list[Path]
) -> None:
    found: list[Encoder] = []
    together(*[lambda: found.append(load_encoder(folder))] * 8)
    assert opened.count(folder) == 1
    assert found == [fresh[named]] * 8


def preloaded(index: Path) -> None:
    """Wait until an index's encoder has been loaded, or could not be."""
    before = set(threading.enumerate())
    preload(index)
    for thread in set(threading.enumerate()) - before:
        if thread.name == "encoder":
            thread.join()


def test_an_encoder_can_be_loaded_before_it_is_wanted(
    folder: Path, named: str, fresh: dict[str, Encoder], opened: list[Path]
) -> None:
    preloaded(folder.parent)
    assert opened.count(folder) == 1
    assert load_encoder(folder) is fresh[named]
    assert opened.count(folder) == 1


def test_an_encoder_that_cannot_be_loaded_beforehand_is_told_to_who_asks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    preloaded(tmp_path)
    assert capsys.readouterr().err == ""
    with pytest.raises(ModelError, match="is missing or damaged"):
        load_encoder(tmp_path / "encoder")


def test_another_encoder_than_the_one_wanted_is_refused(folder: Path) -> None:
    with pytest.raises(ModelError) as caught:
        load_encoder(folder, "0" * 64)
    assert str(caught.value) == (
        f"The encoder in {folder} (all-MiniLM-L6-v2) is not the one that the index was made with."
    )


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "encoder.json"])
@pytest.mark.parametrize("damage", ["deleted", "emptied", "truncated", "overwritten"])
def test_a_damaged_folder_is_told(name: str, damage: str, folder: Path, fresh: dict[str, Encoder]) -> None:
    path = folder / name
    data = path.read_bytes()
    if damage == "deleted":
        path.unlink()
    else:
        path.write_bytes({"emptied": b"", "truncated": data[: len(data) // 2], "overwritten": b"\x00" * 999}[damage])
    with pytest.raises(ModelError) as caught:
        load_encoder(folder)
    said = str(caught.value)
    assert said.startswith(f"The encoder in {folder} is {'missing or ' if name == 'encoder.json' else ''}damaged (")
    assert said.endswith(").")
    assert said.count("\n") == 0
    assert fresh == {}


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json"])
def test_a_file_that_was_changed_and_still_opens_is_told_by_its_hash(name: str, folder: Path) -> None:
    path = folder / name
    if name == "model.onnx":
        path.write_bytes(flipped(path.read_bytes()))
    else:
        path.write_text(json.dumps(json.loads(path.read_text("utf-8"))), encoding="utf-8")  # other white space
    with pytest.raises(ModelError) as caught:
        open_encoder(folder, read_recipe(folder))
    assert str(caught.value) == f"The encoder in {folder} is damaged ({name})."


def flipped(data: bytes) -> bytes:
    """The same with one bit of a weight changed: in the middle lie the word vectors."""
    at = len(data) // 2
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


@pytest.mark.parametrize("said", ["[]", "{}", '{"model": "all-MiniLM-L6-v2"}', '{"colour": "red"}', "null"])
def test_a_description_of_another_form_is_told(said: str, folder: Path) -> None:
    (folder / "encoder.json").write_text(said)
    with pytest.raises(ModelError, match="is missing or damaged"):
        read_recipe(folder)
