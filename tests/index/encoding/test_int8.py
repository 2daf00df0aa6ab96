"""Networks in int8: how near they are to the models they are made from, and what is done where that is not enough."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from index import build, open_index
from index.encoding import int8 as module
from index.encoding.encoder import Encoder, TokenEncoder
from index.encoding.int8 import SENTENCES, even_out, make_encoder
from index.encoding.loading import SHIPPED, open_encoder, provide_encoder
from index.encoding.recipe import DESCRIPTION, FOLDER, NETWORK, TOKENIZER, read_recipe
from index.encoding.sentence_transformer import Original, load_original
from index.encoding.windows import PassageText
from index.reading.articles import parse_article, read_article
from index.reading.files import scan
from index.reading.passages import split, split_sentences
from index.reading.tokens import load_encoding
from index.storage.store import Store
from qa import retrieve
from tests.conftest import BRIDGE, HARVEST
from tests.models import MAYOR, PROMPTS, QUESTIONS, SmallModel, inside
from tests.running import ROOT

pytestmark = pytest.mark.usefixtures("fresh")


def passages(text: str, name: str = "article.txt") -> list[PassageText]:
    """An article's passages as the builder makes them."""
    article = parse_article(text.encode(), name)
    return [
        PassageText(article.text[p.start : p.end], tuple((s.start - p.start, s.end - p.start) for s in p.sentences))
        for p in split(article, load_encoding(), 160)
    ]


def sentences_of(texts: list[PassageText]) -> list[str]:
    return [text.text[start:end] for text in texts for start, end in text.sentences]


def sentence_vectors(encoder: Encoder, texts: list[PassageText]) -> np.ndarray:
    return np.concatenate([vectors.sentences for vectors in encoder.encode_passages(texts)])


def in_torch(original: Original) -> Encoder:
    return original.encoder(original.recipe(int8=False))


def test_the_folder_holds_a_network_its_tokenizer_and_how_to_use_them(original: Original) -> None:
    assert inside(SHIPPED) == ["encoder.json", "model.onnx", "tokenizer.json"]
    said = json.loads((SHIPPED / DESCRIPTION).read_text("utf-8"))
    measured = said.pop("cosine")
    assert said == {
        "model": "all-MiniLM-L6-v2",
        "identity": original.recipe(int8=True).identity,
        "dimension": 384,
        "window": 254,
        "int8": True,
        "pooling": "mean",
        "prefix": [101],
        "suffix": [102],
        "query_prompt": "",
        "document_prompt": "",
        "remark": "",
        "hashes": {name: hashlib.sha256((SHIPPED / name).read_bytes()).hexdigest() for name in (NETWORK, TOKENIZER)},
    }
    assert 0.995 <= measured < 1
    assert str(read_recipe(SHIPPED)) == f"int8 ONNX, mean cosine to the original {measured:.4f}"
    assert (SHIPPED / NETWORK).stat().st_size < 25_000_000  # a quarter of the original
    tokenizer = json.loads((SHIPPED / TOKENIZER).read_text("utf-8"))
    assert (tokenizer["padding"], tokenizer["truncation"]) == (None, None)


def test_every_sentence_it_is_compared_on_stands_in_the_sample_articles() -> None:
    articles = [read_article(ROOT / "corpus" / name, name) for name in scan(ROOT / "corpus")]
    ours = {
        " ".join(article.text[sentence.start : sentence.end].split())
        for article in articles
        for sentence in split_sentences(article.text, article.body_start)
    }
    lines = SENTENCES.read_text(encoding="utf-8").splitlines()
    assert len(lines) == len(set(lines)) >= 64
    assert [line for line in lines if line not in ours] == []


def test_sentences_of_news_keep_their_vectors(encoder: TokenEncoder, original: Original) -> None:
    compared = set(SENTENCES.read_text(encoding="utf-8").splitlines())
    texts = [p for name in scan(ROOT / "corpus")[::8] for p in passages((ROOT / "corpus" / name).read_text("utf-8"))]
    real = sentences_of(texts)
    assert len(real) > 80
    assert len({" ".join(text.split()) for text in real} - compared) > 60  # not only those that make_encoder compares

    cosines = (sentence_vectors(encoder, texts) * sentence_vectors(in_torch(original), texts)).sum(axis=1)
    assert cosines.mean() >= 0.98
    assert cosines.min() >= 0.95


def test_the_sentence_nearest_to_a_question_stays_the_same(encoder: TokenEncoder, original: Original) -> None:
    texts = passages(BRIDGE) + passages(HARVEST)
    sentences = sentences_of(texts)
    assert len(sentences) == 11
    for made in (encoder, in_torch(original)):
        scores = made.encode_questions(list(QUESTIONS)) @ sentence_vectors(made, texts).T
        assert [sentences[at] for at in scores.argmax(axis=1)] == list(QUESTIONS.values())


def test_a_network_too_far_from_its_model_is_refused(
    corpus: Path, tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch, small_model: SmallModel
) -> None:
    name = small_model(tmp_path)
    index = tmp_path / "index"
    with monkeypatch.context() as patch:
        patch.setattr(module, "LEAST_COSINE", 1.1)
        report = build(corpus, index, model=name)

    recipe = read_recipe(index / FOLDER)
    assert (recipe.int8, recipe.cosine, recipe.hashes) == (False, None, {})
    assert recipe.remark.startswith("the int8 network is not close enough: mean cosine 0.99")
    assert recipe.remark.endswith(" below 1.1")
    assert report.encoder == f"sentence-transformers, because {recipe.remark}"
    assert recipe.identity == load_original(name).recipe(int8=False).identity
    assert inside(index / FOLDER) == ["encoder.json"]
    own = load_original(name)
    assert_stored(index, in_torch(own))
    library = open_index(index)
    question = "Who is the mayor?"
    np.testing.assert_allclose(
        library.encoder.encode_question(question), own.encode([question], question=True)[0], atol=1e-5
    )
    assert retrieve(question, library, k=1)[0].text == MAYOR
    library.close()

    # What was refused is not taken for made: as soon as it is good enough, it is made.
    (tmp_path / "second").mkdir()
    assert provide_encoder(name, tmp_path / "second")[1].int8
    assert [path.name for path in own_cache.rglob("*.onnx")] == [NETWORK]


def test_a_model_that_int8_cannot_keep_stays_in_torch(tmp_path: Path, small_model: SmallModel) -> None:
    original = load_original(small_model(tmp_path, spread=4.0))
    folder = tmp_path / "encoder"
    folder.mkdir()
    recipe = make_encoder(original, folder)
    assert not recipe.int8
    assert recipe.remark.startswith("the int8 network is not close enough: mean cosine 0.")
    assert recipe.remark.endswith(" below 0.99")
    assert inside(folder) == ["encoder.json"]


TEXTS = [
    "The works cost 3.4 million euros, said the mayor, Ana Vukić.",
    "Floods had washed away the middle pier in November 2020.",
    "Who paid?",
    "Penguins live in the south, far from any frost or plum blossom.",
]


@pytest.mark.parametrize(
    ("pooling", "prompts", "int8"),
    [("mean", None, True), ("cls", None, True), ("mean", PROMPTS, True), ("max", None, False)],
    ids=["mean", "cls", "prompts", "max"],
)
def test_another_model_gives_the_vectors_that_it_gives_in_its_library(
    pooling: str, prompts: Mapping[str, str] | None, int8: bool, tmp_path: Path, small_model: SmallModel
) -> None:
    from sentence_transformers import SentenceTransformer

    name = small_model(tmp_path, pooling, prompts)
    folder = tmp_path / "encoder"
    folder.mkdir()
    recipe = make_encoder(load_original(name), folder)
    assert recipe == read_recipe(folder)
    assert (recipe.int8, recipe.model, recipe.dimension) == (int8, name, 64)
    if int8:
        assert recipe.cosine is not None
        assert 0.99 <= recipe.cosine < 1
        assert (recipe.remark, inside(folder)) == ("", [DESCRIPTION, NETWORK, TOKENIZER])
    else:
        assert str(recipe) == "sentence-transformers, because the model does more than pool token vectors"
        assert inside(folder) == [DESCRIPTION]

    own = SentenceTransformer(name, device="cpu")
    made = open_encoder(folder, recipe)
    documents = own.encode_document(TEXTS, normalize_embeddings=True)
    found = np.stack([v.passage for v in made.encode_passages([PassageText(text, ()) for text in TEXTS])])
    assert_each_is_nearest_to_itself(found, documents)
    questions = own.encode_query(TEXTS, normalize_embeddings=True)
    assert_each_is_nearest_to_itself(made.encode_questions(TEXTS), questions)
    if prompts:  # a question is not encoded as a document is
        assert ((documents * questions).sum(axis=1) < 0.98).all()
    if pooling != "mean" or prompts:  # sentences apart, as texts of their own
        (whole,) = made.encode_passages([as_sentences(TEXTS)])
        assert_each_is_nearest_to_itself(whole.sentences, documents)


def as_sentences(texts: list[str]) -> PassageText:
    text = " ".join(texts)
    return PassageText(text, tuple((text.index(one), text.index(one) + len(one)) for one in texts))


def assert_each_is_nearest_to_itself(found: np.ndarray, expected: np.ndarray) -> None:
    cosines = found @ expected.T
    assert np.diag(cosines).min() >= 0.98
    assert cosines.argmax(axis=1).tolist() == list(range(len(expected)))


def assert_stored(index: Path, encoder: Encoder) -> None:
    """An index of the two articles holds this encoder's vectors, as exact as float16 is."""
    store = Store.open(index)
    texts = passages(BRIDGE) + passages(HARVEST)
    expected = encoder.encode_passages(texts)
    ids, vectors = next(iter(store.vectors_after(0)))
    rows = store.passage_rows(ids.tolist())
    assert [rows[id_].start for id_ in ids.tolist()] == [BRIDGE.index("The stone"), HARVEST.index("Late")]
    np.testing.assert_allclose(vectors, np.stack([v.passage for v in expected]), atol=1e-3)
    _, sentences = store.sentences_of(ids.tolist())
    np.testing.assert_allclose(sentences, np.concatenate([v.sentences for v in expected]), atol=1e-3)
    store.close()


def test_an_index_may_be_built_with_the_model_itself(
    corpus: Path, tmp_path: Path, original: Original, fresh: dict[str, Encoder]
) -> None:
    index = tmp_path / "index"
    report = build(corpus, index, exact=True)
    recipe = read_recipe(index / FOLDER)
    assert report.encoder == str(recipe) == "sentence-transformers, because exact encoding was requested"
    assert not recipe.int8
    assert recipe.identity == original.recipe(int8=False).identity != original.recipe(int8=True).identity
    assert inside(index / FOLDER) == ["encoder.json"]
    assert_stored(index, in_torch(original))
    assert build(corpus, index).unchanged == 2  # it goes on as it was begun
    assert read_recipe(index / FOLDER) == recipe
    shutil.rmtree(index / FOLDER)
    fresh.clear()
    library = open_index(index)  # and gets it again
    assert [retrieve(question, library, k=1)[0].text for question in QUESTIONS] == list(QUESTIONS.values())
    assert not library.encoder.recipe.int8
    library.close()
    assert read_recipe(index / FOLDER) == recipe
    assert inside(index / FOLDER) == ["encoder.json"]


@pytest.mark.usefixtures("small_model")  # it loads torch
def test_an_attention_that_is_built_otherwise_is_left_as_it_is() -> None:
    import torch
    from transformers import DebertaV2Config, DebertaV2Model

    torch.manual_seed(7)
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    network = DebertaV2Model(DebertaV2Config(vocab_size=50, **sizes)).eval()
    inputs = {"input_ids": torch.arange(20)[None]}
    with torch.no_grad():
        before = network(**inputs).last_hidden_state
        weights = network.encoder.layer[0].intermediate.dense.weight.clone()
        even_out(network, [inputs])
        after = network(**inputs).last_hidden_state
    np.testing.assert_allclose(after, before, atol=1e-5)
    assert not torch.equal(network.encoder.layer[0].intermediate.dense.weight, weights)  # this is as in BERT
