"""Encoders of models: what int8 keeps, that the default one ships, that others are made once, and never mixed."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from index import build, open_index, verify
from index.encoding import int8 as module
from index.encoding import loading
from index.encoding.encoder import Encoder, TokenEncoder
from index.encoding.int8 import SENTENCES, make_encoder
from index.encoding.loading import SHIPPED, load_encoder, open_encoder, provide_encoder
from index.encoding.recipe import DEFAULT_MODEL, DESCRIPTION, FOLDER, NETWORK, TOKENIZER, Recipe, read_recipe
from index.encoding.sentence_transformer import Original, load_original
from index.encoding.windows import PassageText
from index.errors import IndexStateError, ModelError
from index.library import Library
from index.reading.articles import parse_article, read_article
from index.reading.files import scan
from index.reading.passages import split, split_sentences
from index.reading.tokens import load_encoding
from index.storage.store import Store
from qa import retrieve
from tests.conftest import BRIDGE, HARVEST, ROOT
from tests.models import PROMPTS, small_model

pytestmark = pytest.mark.model

MAYOR = "Engineers replaced 212 of its\nblocks, the mayor, Ana Vukić, said."
QUESTIONS = {
    "Who is the mayor?": MAYOR,
    "What did the works cost?": "The works cost 3.4 million euros.",
    "When was the pier washed away?": (
        "Floods in November 2020 had washed away the middle pier, and lorries were sent over the mountain road instead."
    ),
    "How many farms were hit by the frost?": "About 600 farms are hit.",
    "How large a crop is expected?": (
        "The cooperative’s head, Petar Ilić, expects a crop of 9,000 tonnes instead of the usual 25,000."
    ),
    "Does insurance cover hail and frost?": "Insurance covers hail but not frost.",
}


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a new process: no encoder is loaded."""
    monkeypatch.setattr(loading, "ENCODERS", loading.Encoders())


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache that is empty."""
    folder = tmp_path / "own cache"
    monkeypatch.setenv("CLIPPINGS_CACHE", str(folder))
    return folder


@pytest.fixture
def small_index(corpus: Path, tmp_path: Path) -> Path:
    """An index of the two articles that was made with a small model, and so has an encoder of its own."""
    build(corpus, tmp_path / "small index", model=small_model(tmp_path))
    return tmp_path / "small index"


@pytest.fixture
def small_answers(small_index: Path) -> list[str]:
    """The first sentences that it gives."""
    library = open_index(small_index)
    found = answers(library)
    library.close()
    return found


@pytest.fixture
def no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """No model can be loaded, as where the packages for building are not installed."""

    def missing(name: str = DEFAULT_MODEL) -> Original:
        raise ModelError(f"No {name} here.")

    monkeypatch.setattr("index.encoding.sentence_transformer.load_original", missing)


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


def inside(folder: Path) -> list[str]:
    """Names of all that is in a folder, hidden ones too."""
    return sorted(path.name for path in folder.iterdir())


def answers(library: Library) -> list[str]:
    return [retrieve(question, library, k=1)[0].text for question in QUESTIONS]


# The default model


def test_the_folder_holds_a_network_its_tokenizer_and_how_to_use_them(encoder_folder: Path, original: Original) -> None:
    assert inside(encoder_folder) == ["encoder.json", "model.onnx", "tokenizer.json"]
    said = json.loads((encoder_folder / DESCRIPTION).read_text("utf-8"))
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
        "hashes": {
            name: hashlib.sha256((encoder_folder / name).read_bytes()).hexdigest() for name in (NETWORK, TOKENIZER)
        },
    }
    assert 0.995 <= measured < 1
    assert str(read_recipe(encoder_folder)) == f"int8 ONNX, mean cosine to the original {measured:.4f}"
    assert (encoder_folder / NETWORK).stat().st_size < 25_000_000  # a quarter of the original


def test_the_tokenizer_neither_pads_nor_cuts(encoder_folder: Path) -> None:
    tokenizer = json.loads((encoder_folder / TOKENIZER).read_text("utf-8"))
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
    assert len({" ".join(text.split()) for text in real} - compared) > 60  # not only those of the export's own test

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


# Once per machine


def test_an_index_of_the_default_model_holds_no_encoder_and_loads_no_model(
    corpus: Path, tmp_path: Path, own_cache: Path, no_model: None
) -> None:
    index = tmp_path / "index"
    report = build(corpus, index)
    assert (report.added, report.encoder) == (2, str(read_recipe(SHIPPED)))
    assert inside(index) == ["articles.db", "build.lock", "lexical"]
    assert not own_cache.exists()
    library = open_index(index)
    assert library.encoder.identity == library.store.settings.model_hash == read_recipe(SHIPPED).identity
    assert answers(library) == list(QUESTIONS.values())
    library.close()


def test_a_model_is_exported_once_and_again_if_what_was_kept_is_damaged(
    tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exported: list[str] = []

    def noting(original: Original, folder: Path) -> Recipe:
        exported.append(original.name)
        return make_encoder(original, folder)

    monkeypatch.setattr(module, "make_encoder", noting)
    name = small_model(tmp_path)
    indexes = [tmp_path / "one", tmp_path / "two", tmp_path / "three"]
    for index in indexes:
        index.mkdir()
    first = provide_encoder(name, indexes[0])[1]
    (kept,) = own_cache.iterdir()
    assert provide_encoder(name, indexes[1])[1] == first
    assert exported == [name]

    network = (kept / NETWORK).read_bytes()
    (kept / NETWORK).write_bytes(network[: len(network) // 2])
    folder, again = provide_encoder(name, indexes[2])
    assert exported == [name] * 2
    assert again.identity == first.identity
    load_encoder(folder, again.identity)
    assert list(own_cache.iterdir()) == [kept]  # nothing half made is left
    open_encoder(kept, read_recipe(kept))


def test_another_process_may_make_the_same_encoder_meanwhile_and_be_faster(
    tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = small_model(tmp_path)
    indexes = [tmp_path / "slow", tmp_path / "fast"]
    for index in indexes:
        index.mkdir()

    def slowly(original: Original, folder: Path) -> Recipe:
        monkeypatch.setattr(module, "make_encoder", make_encoder)
        provide_encoder(name, indexes[1])
        return make_encoder(original, folder)

    monkeypatch.setattr(module, "make_encoder", slowly)
    provide_encoder(name, indexes[0])
    (kept,) = own_cache.iterdir()
    identities = set()
    for folder in (kept, *(index / FOLDER for index in indexes)):
        identities.add(open_encoder(folder, read_recipe(folder)).identity)
    assert len(identities) == 1


@pytest.mark.parametrize(
    "how",
    [
        "a file",
        "a folder below a file",
        "not to be written",
    ],
)
def test_without_a_place_to_keep_it_an_encoder_is_made_all_the_same(
    how: str, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "place"
    if how == "not to be written":  # chmod would not stop root
        real = os.access
        monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != place and real(path, mode))
    else:
        place.write_text("mine")
    monkeypatch.setenv("CLIPPINGS_CACHE", str(place / "below" if "below" in how else place))
    name = small_model(tmp_path)
    assert build(corpus, tmp_path / "index", model=name).added == 2

    assert place.read_text() == "mine" if place.is_file() else inside(place) == []
    assert read_recipe(tmp_path / "index" / FOLDER).int8
    assert verify(tmp_path / "index").problems == []


def test_what_is_kept_where_nothing_can_be_written_is_used(
    tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = small_model(tmp_path)
    for index in ("one", "two"):
        (tmp_path / index).mkdir()
    first = provide_encoder(name, tmp_path / "one")[1]
    real = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != own_cache and real(path, mode))
    monkeypatch.setattr(module, "make_encoder", None)  # it is not made again
    assert provide_encoder(name, tmp_path / "two")[1] == first


def test_what_a_killed_process_left_beside_an_encoder_goes(tmp_path: Path, own_cache: Path) -> None:
    index = tmp_path / "index"
    for name in ("old", "new"):
        (index / f".{FOLDER}-{name}").mkdir(parents=True)
        (index / f".{FOLDER}-{name}" / NETWORK).write_text("half")
    os.utime(index / f".{FOLDER}-old", (0, 0))
    provide_encoder(small_model(tmp_path), index)
    assert inside(index) == [f".{FOLDER}-new", FOLDER]  # the new one may still be filled


def test_an_index_whose_encoder_cannot_be_put_back_is_asked_with_that_of_the_machine(
    small_index: Path, small_answers: list[str]
) -> None:
    shutil.rmtree(small_index / FOLDER)
    (small_index / FOLDER).write_text("in the way")  # chmod would not stop root
    loading.ENCODERS.opened.clear()
    library = open_index(small_index)
    assert answers(library) == small_answers
    library.close()
    assert (small_index / FOLDER).read_text() == "in the way"
    assert [name for name in inside(small_index) if name.startswith(".")] == []


# Where int8 is not good enough


def test_a_network_too_far_from_its_model_is_refused(
    corpus: Path, tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
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
    np.testing.assert_allclose(library.encode_question(question), own.encode([question], question=True)[0], atol=1e-5)
    assert retrieve(question, library, k=1)[0].text == MAYOR
    library.close()

    # What was refused is not taken for made: as soon as it is good enough, it is made.
    (tmp_path / "second").mkdir()
    assert provide_encoder(name, tmp_path / "second")[1].int8
    assert [path.name for path in own_cache.rglob("*.onnx")] == [NETWORK]


def test_a_model_that_int8_cannot_keep_stays_in_torch(tmp_path: Path) -> None:
    original = load_original(small_model(tmp_path, spread=4.0))
    folder = tmp_path / "encoder"
    folder.mkdir()
    recipe = make_encoder(original, folder)
    assert not recipe.int8
    assert recipe.remark.startswith("the int8 network is not close enough: mean cosine 0.")
    assert recipe.remark.endswith(" below 0.99")
    assert inside(folder) == ["encoder.json"]


# Other models


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
    pooling: str, prompts: Mapping[str, str] | None, int8: bool, tmp_path: Path
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


def test_a_model_may_bear_any_name(
    corpus: Path, tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.move(small_model(tmp_path), tmp_path / "a name: of “its” own\n")
    monkeypatch.chdir(tmp_path)
    name = "./a name: of “its” own\n"
    build(corpus, tmp_path / "index", model=name)
    assert read_recipe(tmp_path / "index" / FOLDER).int8
    assert len(inside(own_cache)) == 1


# An index and its encoder


def damage(how: str, folder: Path, other: Path) -> None:
    """Do something to an index's encoder; ``other`` is that of another model's index."""
    network = folder / NETWORK
    if how == "deleted":
        shutil.rmtree(folder)
    elif how == "truncated":
        network.write_bytes(network.read_bytes()[:9_999])
    elif how == "another network":
        shutil.copy(other / NETWORK, network)
    elif how == "undescribed":
        (folder / DESCRIPTION).unlink()
    else:
        shutil.rmtree(folder)
        shutil.copytree(other, folder)


DAMAGES = ["deleted", "truncated", "another network", "undescribed", "another encoder"]


@pytest.fixture(scope="module")
def other_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The encoder of another model's index."""
    home = tmp_path_factory.mktemp("other")
    return provide_encoder(small_model(home, seed=8), home)[0]


@pytest.mark.parametrize("how", DAMAGES)
def test_an_encoder_that_is_damaged_is_made_again_from_what_the_machine_keeps(
    how: str, small_index: Path, small_answers: list[str], other_encoder: Path
) -> None:
    before = {name: (small_index / FOLDER / name).read_bytes() for name in inside(small_index / FOLDER)}
    damage(how, small_index / FOLDER, other_encoder)
    loading.ENCODERS.opened.clear()
    library = open_index(small_index)
    assert answers(library) == small_answers
    assert library.encoder.identity == library.store.settings.model_hash
    library.close()
    assert inside(small_index) == ["articles.db", "build.lock", "encoder", "lexical"]
    assert {name: (small_index / FOLDER / name).read_bytes() for name in inside(small_index / FOLDER)} == before
    assert verify(small_index).problems == []


@pytest.mark.parametrize("how", DAMAGES)
def test_an_encoder_that_cannot_be_made_again_is_told_and_no_other_is_used(
    how: str, small_index: Path, other_encoder: Path, own_cache: Path, no_model: None
) -> None:
    damage(how, small_index / FOLDER, other_encoder)
    loading.ENCODERS.opened.clear()
    library = open_index(small_index)
    with pytest.raises(ModelError) as caught:
        retrieve("Who is the mayor?", library)
    library.close()
    folder = small_index / FOLDER
    why = {
        "deleted": f"The encoder in {folder} is missing or damaged (",
        "truncated": f"The encoder in {folder} is damaged (",
        "another network": f"The encoder in {folder} is damaged (model.onnx).",
        "undescribed": f"The encoder in {folder} is missing or damaged (",
    }
    other = f"The encoder in {folder} ({read_recipe(other_encoder).model}) is not the one that the index was made with."
    said = str(caught.value)
    assert said.startswith(why.get(how, other))
    assert f" It cannot be made again: No {library.store.settings.model} here." in said
    assert "\n" not in said


def test_a_damaged_shipped_encoder_says_to_install_again(
    index_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = Path(shutil.copytree(SHIPPED, tmp_path / "minilm"))
    (copy / NETWORK).write_bytes(b"")
    monkeypatch.setattr(loading, "SHIPPED", copy)
    loading.ENCODERS.opened.clear()
    library = open_index(index_path)
    with pytest.raises(ModelError, match=r"^The encoder in .*minilm is damaged \(.*\)\. Install Clippings again\.$"):
        library.encode_question("Who is the mayor?")
    library.close()


def test_weights_that_changed_under_their_name_are_refused(corpus: Path, tmp_path: Path) -> None:
    index = tmp_path / "index"
    name = small_model(tmp_path)
    build(corpus, index, model=name)
    small_model(tmp_path, seed=8)
    loading.ENCODERS.opened.clear()
    with_its_own = open_index(index)
    assert retrieve("Who is the mayor?", with_its_own, k=1)[0].text == MAYOR  # the index holds what it needs
    with_its_own.close()

    shutil.rmtree(index / FOLDER)
    loading.ENCODERS.opened.clear()
    library = open_index(index)
    with pytest.raises(ModelError) as caught:
        library.encode_question("Who is the mayor?")
    library.close()
    assert str(caught.value).endswith(
        f" It cannot be made again: The model {name!r} is no longer the one that the index at {index} was made with. "
        "Build a new index in another directory."
    )
    assert not (index / FOLDER).exists()


# Without the export


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


def test_an_index_may_be_built_with_the_model_itself(corpus: Path, tmp_path: Path, original: Original) -> None:
    index = tmp_path / "index"
    report = build(corpus, index, exact=True)
    recipe = read_recipe(index / FOLDER)
    assert report.encoder == str(recipe) == "sentence-transformers, because exact encoding was requested"
    assert not recipe.int8
    assert recipe.identity == original.recipe(int8=False).identity != original.recipe(int8=True).identity
    assert inside(index / FOLDER) == ["encoder.json"]
    assert_stored(index, in_torch(original))
    assert build(corpus, index).unchanged == 2  # it goes on as it was begun
    assert not read_recipe(index / FOLDER).int8


def test_an_index_made_in_int8_does_not_become_an_exact_one(corpus: Path, tmp_path: Path) -> None:
    index = tmp_path / "index"
    build(corpus, index)
    with pytest.raises(IndexStateError, match=r"int8 encoder\. For exact encoding, build a second index"):
        build(corpus, index, exact=True)
    assert build(corpus, index).unchanged == 2


def test_an_index_of_the_model_itself_gets_it_again(corpus: Path, tmp_path: Path) -> None:
    index = tmp_path / "index"
    build(corpus, index, exact=True)
    before = read_recipe(index / FOLDER)
    shutil.rmtree(index / FOLDER)
    loading.ENCODERS.opened.clear()
    library = open_index(index)
    assert answers(library) == list(QUESTIONS.values())
    assert not library.encoder.recipe.int8
    library.close()
    assert read_recipe(index / FOLDER) == before
    assert inside(index / FOLDER) == ["encoder.json"]
