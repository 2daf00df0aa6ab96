"""What encoders and readers are tested with: passages, and small models of random weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from index.encoding.sentence_transformer import packaged_model
from index.encoding.windows import PassageText

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
SmallModel = Callable[..., str]
PROMPTS = {"query": "query: ", "document": "a passage of news: "}


def make_model(
    folder: Path,
    pooling: str = "mean",
    prompts: Mapping[str, str] | None = None,
    *,
    seed: int = 7,
    spread: float = 0.15,
) -> str:
    """Make a model of two layers, 64 dimensions and 64 tokens, and return its folder.

    Args:
        folder: for it and what it is made from.
        pooling: how token vectors become a text's.
        prompts: before questions and documents.
        seed: of its weights.
        spread: how large they are. With the default, texts get vectors well apart and int8 keeps them; 4.0 is
            more than int8 can keep.
    """
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import AutoTokenizer, BertConfig, BertModel

    torch.manual_seed(seed)
    tokenizer = AutoTokenizer.from_pretrained(packaged_model())
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=128,
        initializer_range=spread,
    )
    BertModel(config).save_pretrained(folder / "bert")
    tokenizer.save_pretrained(folder / "bert")
    transformer = Transformer(str(folder / "bert"), max_seq_length=64)
    model = SentenceTransformer(
        modules=[transformer, Pooling(64, pooling)], device="cpu", prompts=dict(prompts) if prompts else None
    )
    model.save(str(folder / "model"))
    return str(folder / "model")


def inside(folder: Path) -> list[str]:
    """Names of all that is in a folder, hidden ones too."""
    return sorted(path.name for path in folder.iterdir())
