"""Train the reader from the embedded MiniLM, and write what qa/reader.py opens.

    python bench/train_reader.py rows --library INDEX --train FOLDER --news train-news.json --out ROWS
    python bench/train_reader.py train 1 ROWS --out FIRST
    python bench/train_reader.py train 2 ROWS --init FIRST --out SECOND        (and so on to the last stage)
    python bench/train_reader.py export LAST

A row is a question, a window of text, and where in it the answer stands, or that it does not. The rows of
one question are a group, and the network learns over all windows of a group at once where the answer
stands, "no answer" being one more place (shared normalisation: Clark & Gardner 2018, section 3.2): scores of
different windows mean the same, which ranking sentences of many passages needs. Groups come in four parts:

- ``read``: questions in SQuAD form, each with its passage, half of them with one that BM25 finds beside it;
- ``sentences``: questions about one sentence, asked of it among others of the same collection;
- ``paragraphs``: our own paragraphs and questions, with near misses;
- ``news``: questions about the radio stories, given and our own, each with the passages that an asked index
  of them all brings up.

docs/reader.md holds the figures, curve and seed of the weights that ship.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from index.articles import Article
from index.passages import split
from index.tokens import load_encoding
from qa.datasets import read_questions
from qa.question import read_question
from qa.retriever import search

if TYPE_CHECKING:
    import torch

    from index.library import Library

OWN_QUESTIONS = Path(__file__).with_name("reader_questions.jsonl")
"""Questions of our own about the radio stories: file, question, and where the answer stands in the file."""
OWN_PARAGRAPHS = Path(__file__).with_name("reader_paragraphs.jsonl")
"""Paragraphs of our own, and for each some questions and where the answers stand in it."""
READ = ("reddit", "amazon_reviews", "fairytaleqa")
SENTENCES = "qamr"
SHARE = 0.5
"""Of the questions of ``read``, how many also have a window that does not answer."""
MISSING = 0.15
"""Of the questions of ``sentences``, how many are asked of others only."""
SEED = 7
MAX_TOKENS = 256
BATCH_TOKENS = 3000
"""Of one step, padding included."""
RATE = 1e-4
STAGES: dict[int, dict[str, tuple[float, int]]] = {
    1: {"read": (0.8, 1), "sentences": (0.3, 0)},
    2: {"news": (2, 3), "read": (0.08, 1)},
    3: {"read": (0.3, 0), "sentences": (0.15, 0), "news": (0.3, 1)},
    4: {"paragraphs": (1.5, 2), "news": (1, 3), "read": (0.08, 1), "sentences": (0.03, 0)},
}
"""By stage and part: how often its questions are gone over, and with how many windows at most that do not answer,
other ones in each pass."""
QUIET = 0.99
"""The share of a layer's input channels that keep their size in int8."""
CALIBRATED = 60
"""Of our own paragraphs, how many tell how large the channels become."""
DROPOUT = {1: 0.0, 2: 0.0, 3: 0.1, 4: 0.0}


class Row(NamedTuple):
    """A question and a window; the answer is ``text[start:end]``, and ``start`` is -1 where there is none."""

    question: str
    text: str
    start: int = -1
    end: int = -1


Group = list[Row]
"""The rows of one question: the one that answers first, if any does, the others by likeness."""


# Rows


def rows_of_all(folder: Path, news: Path, library: Library) -> dict[str, list[Group]]:
    """The groups of each part; ``folder`` holds the files of ``READ`` and ``SENTENCES``."""
    rng = random.Random(SEED)
    return {
        "read": [group for name in READ for group in _squad_groups(folder / f"{name}.json", rng)],
        "sentences": list(_sentence_groups(folder / f"{SENTENCES}.json", rng)),
        "paragraphs": list(_paragraph_groups(OWN_PARAGRAPHS)),
        "news": list(_news_groups([*_news_questions(news), *_own_questions()], library)),
    }


def _squad_groups(path: Path, rng: random.Random) -> Iterator[Group]:
    texts: list[str] = []
    asked: list[tuple[str, int, int, int]] = []  # question, number of its window, start and end there
    for context, questions in itertools.groupby(_squad_questions(path), key=lambda found: found[0]):
        windows, first = _windows_of(Article(path="", text=context, hash="")), len(texts)
        texts += [context[low:high] for low, high in windows]
        for _, question, start, end in questions:
            holding = [n for n, (low, high) in enumerate(windows) if low <= start and end <= high]
            asked += [(question, first + n, start - windows[n][0], end - windows[n][0]) for n in holding]
    near = _nearest(texts)
    for question, at, start, end in asked:
        answer = texts[at][start:end].lower()
        others = [n for n in near(question) if n != at and answer not in texts[n].lower()]
        beside = others[:1] if rng.random() < SHARE else []
        yield [Row(question, texts[at], start, end), *(Row(question, texts[n]) for n in beside)]


def _squad_questions(path: Path) -> Iterator[tuple[str, str, int, int]]:
    """Context, question, and where its first answer starts and ends."""
    for entry in read_questions(path):
        for qa in entry["qas"]:
            for answer in qa["answers"][:1]:
                start, end = answer["answer_start"], answer["answer_start"] + len(answer["text"])
                if entry["context"][start:end] == answer["text"]:
                    yield entry["context"], qa["question"].strip(), start, end


def _sentence_groups(path: Path, rng: random.Random) -> Iterator[Group]:
    """Each sentence among up to four others, the nearest two to the question and chance ones."""
    asked = list(_squad_questions(path))
    sentences = sorted({context for context, *_ in asked})
    near = _nearest(sentences)
    for context, question, start, end in asked:
        answer = context[start:end].lower()
        found = [sentences[n] for n in near(question)][:3] + rng.sample(sentences, rng.randint(0, 2))
        others = list(dict.fromkeys(text for text in found if text != context and answer not in text.lower()))[:4]
        if rng.random() < MISSING and len(others) > 1:
            yield [Row(question, " ".join(others))]
            continue
        place = rng.randint(0, len(others))
        before = "".join(f"{text} " for text in others[:place])
        text = " ".join([*others[:place], context, *others[place:]])
        yield [Row(question, text, len(before) + start, len(before) + end)]


def _paragraph_groups(path: Path) -> Iterator[Group]:
    """For each question the windows of its paragraph, the answering one first, then the nearest of others."""
    entries = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    windows = [_windows_of(Article(path="", text=entry["text"], hash="")) for entry in entries]
    texts = [entry["text"][low:high] for entry, found in zip(entries, windows, strict=True) for low, high in found]
    near = _nearest(texts)
    for entry, found in zip(entries, windows, strict=True):
        own = [entry["text"][low:high] for low, high in found]
        for asked in entry["questions"]:
            question, start, end = asked["question"], asked.get("start", -1), asked.get("end", -1)
            answering = [
                Row(question, entry["text"][a:b], start - a, end - a) for a, b in found if a <= start < end <= b
            ]
            answer = entry["text"][start:end].lower() if answering else None
            if start >= 0 and not answering:
                continue
            others = [*own, *(texts[n] for n in near(question) if texts[n] not in own)]
            others = [text for text in others if not answering or text != answering[0].text]
            yield answering + [Row(question, text) for text in others if answer is None or answer not in text.lower()]


def _nearest(texts: Sequence[str]) -> Callable[[str], list[int]]:
    """A function from a question to the numbers of the four texts that BM25 finds best."""
    import re

    import tantivy

    builder = tantivy.SchemaBuilder()
    builder.add_unsigned_field("id", indexed=True, fast=True)
    builder.add_text_field("text", tokenizer_name="en_stem")
    index = tantivy.Index(builder.build())
    writer = index.writer(64_000_000, 1)
    for n, text in enumerate(texts):
        document = tantivy.Document()
        document.add_unsigned("id", n)
        document.add_text("text", text)
        writer.add_document(document)
    writer.commit()
    writer.wait_merging_threads()
    index.reload()
    searcher = index.searcher()

    def near(question: str) -> list[int]:
        words = sorted(set(re.findall(r"\w+", question.lower())))
        terms = [(tantivy.Occur.Should, index.parse_query(f'"{word}"', ["text"])) for word in words]
        hits = searcher.search(tantivy.Query.boolean_query(terms), 4).hits
        return [int(number or 0) for number in searcher.fast_field_values("id", [address for _, address in hits])]

    return near


Place = tuple[str, str, int, int]
"""A question, the name of the answering file or nothing, and where the answer stands in it."""


def _news_questions(path: Path) -> Iterator[Place]:
    for entry in json.loads(path.read_text(encoding="utf-8"))["data"]:
        for paragraph in entry["paragraphs"]:
            context = paragraph["context"].replace("\r\n", "\n")
            for qa in paragraph["qas"]:
                if qa["is_impossible"]:
                    yield qa["question"], "", -1, -1
                    continue
                answer = qa["answers"][0]
                start = answer["answer_start"]
                if context[start : start + len(answer["text"])] != answer["text"]:
                    start = context.find(answer["text"], max(0, start - 30))
                yield qa["question"], entry["title"], start, start + len(answer["text"])


def _own_questions() -> Iterator[Place]:
    for line in OWN_QUESTIONS.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        yield row["question"], row.get("file", "") if "start" in row else "", row.get("start", -1), row.get("end", -1)


def _news_groups(places: Sequence[Place], library: Library) -> Iterator[Group]:
    """For each question its passage, and of the 12 that the index brings up the best 8 that do not answer."""
    names = {Path(article.path).name: article.id for article in library.articles()}
    for question, name, start, end in places:
        near = [(article.id, place, article.text[slice(*place)]) for article, place in _near(question, library)]
        if not name:
            yield from [[Row(question, text) for _, _, text in near[:8]]] if near else []
            continue
        article = library.article(names[name])
        assert article is not None
        found = [place for place in _windows_of(article) if place[0] <= start and end <= place[1]]
        answer = article.text[start:end].lower()
        for low, high in found:
            others = [text for id_, place, text in near if (id_, place) != (article.id, (low, high))]
            rows = [Row(question, text) for text in others if answer not in text.lower()]
            yield [Row(question, article.text[low:high], start - low, end - low), *rows[:8]]


def _windows_of(article: Article) -> list[tuple[int, int]]:
    return [(passage.start, passage.end) for passage in split(article, load_encoding())]


def _near(question: str, library: Library) -> Iterator[tuple[Article, tuple[int, int]]]:
    """The 12 passages of the best sentences by the fused score."""
    seen: set[tuple[int | None, tuple[int, int]]] = set()
    for hit in search(read_question(question, library), library, 60):
        key = hit.article.id, hit.passage
        if key not in seen and len(seen) < 12:
            seen.add(key)
            yield hit.article, hit.passage


# Training


def groups_to_train(stage: int, parts: dict[str, list[Group]]) -> list[Group]:
    """The groups of a stage: of each part as many passes as it wants, each with the next windows that do not answer."""
    rng = random.Random(SEED + stage)
    groups: list[Group] = []
    for part, (passes, windows) in STAGES[stage].items():
        for turn in range(math.ceil(passes)):
            of_this_turn = parts[part]
            if passes - turn < 1:
                of_this_turn = rng.sample(of_this_turn, int((passes - turn) * len(of_this_turn)))
            for group in of_this_turn:
                known = 1 if group[0].start >= 0 else 0
                others = group[known:]
                rest = others[turn * windows :] + others[: turn * windows]
                groups.append(group[:known] + rest[: max(windows, 1 - known)])
    rng.shuffle(groups)
    return groups


class Example(NamedTuple):
    """A row as the network sees it; ``first`` and ``last`` are 0 where nothing answers."""

    ids: list[int]
    types: list[int]
    first: int
    last: int


def example_of(row: Row, tokenizer: Any) -> Example:
    """Token ids of question and window, and the tokens at which the answer begins and ends."""
    pair = tokenizer.encode(row.question, row.text)
    tokens = [
        at
        for at, ((start, end), sequence) in enumerate(zip(pair.offsets, pair.sequence_ids, strict=True))
        if sequence == 1 and row.start >= 0 and end > row.start and start < row.end
    ]
    return Example(pair.ids, pair.type_ids, tokens[0] if tokens else 0, tokens[-1] if tokens else 0)


def batches_of(examples: Sequence[Sequence[Example]]) -> list[list[int]]:
    """Positions of the groups of each step: like lengths together, the steps in an order by chance."""
    longest = [max(len(example.ids) for example in group) for group in examples]
    found: list[list[int]] = []
    for begin in range(0, len(examples), 2000):
        batch: list[int] = []
        rows = 0
        for at in sorted(range(begin, min(begin + 2000, len(examples))), key=lambda at: longest[at]):
            if batch and (rows + len(examples[at])) * longest[at] > BATCH_TOKENS:
                found.append(batch)
                batch, rows = [], 0
            batch.append(at)
            rows += len(examples[at])
        found += [batch] if batch else []
    random.Random(SEED).shuffle(found)
    return found


def loss_of(logits: torch.Tensor, mask: torch.Tensor, wanted: torch.Tensor, groups: torch.Tensor) -> torch.Tensor:
    """Mean over groups of minus the logarithm of the right place's probability, among all places of the group.

    A place is a token of any window of the group, scored by its logit minus that of the window's first token, or "no
    answer", scored 0. With one window in each group it is the usual loss.

    Args:
        logits: of each token to be the start, or the end, of the answer, shape (rows, tokens).
        mask: which tokens there are, same shape.
        wanted: the right token of each row, shape (rows,); 0 where the window does not answer.
        groups: the number of each row's group, from 0 on, shape (rows,).
    """
    import torch

    scores = (logits - logits[:, :1]).masked_fill(mask == 0, -torch.inf)[:, 1:]
    count = int(groups.max()) + 1
    highest = torch.zeros(count).scatter_reduce(0, groups, scores.detach().amax(1), "amax")
    summed = torch.zeros(count).index_add(0, groups, (scores - highest[groups, None]).exp().sum(1))
    total = highest + (summed + (-highest).exp()).log()
    right = torch.zeros(count).index_add(0, groups, logits.gather(1, wanted[:, None])[:, 0] - logits[:, 0])
    return (total - right).mean()


def train(stage: int, file: Path, start_from: str | None, out: Path) -> None:
    """Train one stage and save the network, as transformers does, and its curve."""
    import torch
    from tokenizers import Tokenizer
    from transformers import BertForQuestionAnswering

    from index.original import packaged_model

    torch.manual_seed(SEED)
    tokenizer = Tokenizer.from_file(str(packaged_model() / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_TOKENS, strategy="only_second")
    network = BertForQuestionAnswering.from_pretrained(
        start_from or str(packaged_model()), hidden_dropout_prob=DROPOUT[stage], attention_probs_dropout_prob=0.0
    )
    network.bert.embeddings.requires_grad_(False)  # words that the questions lack keep their places among the others
    kept = json.loads(file.read_text(encoding="utf-8"))
    parts = {part: [[Row(*row) for row in group] for group in groups] for part, groups in kept.items()}
    examples = [[example_of(row, tokenizer) for row in group] for group in groups_to_train(stage, parts)]
    plan = batches_of(examples)
    tokens = sum(len(example.ids) for group in examples for example in group)
    print(f"{len(examples)} groups, {sum(map(len, examples))} rows, {tokens} tokens", flush=True)
    learnt = [parameter for parameter in network.parameters() if parameter.requires_grad]
    weights = [
        {"params": [p for p in learnt if p.ndim > 1], "weight_decay": 0.01},
        {"params": [p for p in learnt if p.ndim <= 1], "weight_decay": 0.0},
    ]
    optimiser = torch.optim.AdamW(weights, lr=RATE)
    network.train()
    curve, started, seen, average = [], time.monotonic(), 0, 0.0
    for step, batch in enumerate(plan):
        for each in optimiser.param_groups:
            each["lr"] = RATE * min(1, step / 100) * (1 - step / len(plan))
        rows = [example for at in batch for example in examples[at]]
        groups = torch.tensor([n for n, at in enumerate(batch) for _ in examples[at]])
        longest = max(len(row.ids) for row in rows)
        ids, types, mask = (torch.zeros(len(rows), longest, dtype=torch.long) for _ in range(3))
        for n, row in enumerate(rows):
            length = len(row.ids)
            ids[n, :length], types[n, :length], mask[n, :length] = torch.tensor(row.ids), torch.tensor(row.types), 1
        said = network(input_ids=ids, attention_mask=mask, token_type_ids=types)
        firsts, lasts = torch.tensor([row.first for row in rows]), torch.tensor([row.last for row in rows])
        starts, ends = (
            loss_of(said.start_logits, mask, firsts, groups),
            loss_of(said.end_logits, mask, lasts, groups),
        )
        loss = (starts + ends) / 2
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        seen += int(mask.sum())
        average = loss.item() if step == 0 else 0.99 * average + 0.01 * loss.item()
        if (step + 1) % 100 == 0:
            spent = time.monotonic() - started
            curve.append({"step": step + 1, "of": len(plan), "loss": round(average, 4), "seconds": round(spent)})
            print(f"{step + 1}/{len(plan)} loss {average:.3f}, {seen / spent:.0f} tokens/s", flush=True)
            network.save_pretrained(out)  # a training that is stopped has taught something
    network.save_pretrained(out)
    (out / "curve.json").write_text(json.dumps(curve), encoding="utf-8")


def export(folder: Path, target: Path) -> None:
    """Write the int8 network and its tokenizer, and print the hashes that qa/reader.py wants.

    What comes into the feed-forward layers has a few channels many times as large as the others, which would leave
    these only a few of int8's steps. So those channels are divided before, and their weights multiplied, which
    changes nothing else (Xiao et al. 2023, SmoothQuant, section 4).
    """
    import torch
    from tokenizers import Tokenizer
    from transformers import BertForQuestionAnswering

    from index.encoder import sha256
    from index.exporting import write_int8
    from index.original import packaged_model
    from qa.reader import NETWORK, TOKENIZER

    class Evened(torch.nn.Module):  # type: ignore[misc]
        def __init__(self, linear: torch.nn.Linear, highest: torch.Tensor) -> None:
            super().__init__()
            factors = (highest / highest.quantile(QUIET)).clamp(min=1.0)
            self.register_buffer("divided", 1 / factors)
            linear.weight.data *= factors
            self.linear = linear

        def forward(self, given: torch.Tensor) -> torch.Tensor:
            said: torch.Tensor = self.linear(given * self.divided)
            return said

    class Spans(torch.nn.Module):  # type: ignore[misc]
        def __init__(self, network: torch.nn.Module) -> None:
            super().__init__()
            self.network = network

        def forward(self, *inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            ids, mask, types = inputs
            said = self.network(input_ids=ids, attention_mask=mask, token_type_ids=types)
            return said.start_logits, said.end_logits

    tokenizer = Tokenizer.from_file(str(packaged_model() / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    tokenizer.save(str(target / TOKENIZER))
    entries = [json.loads(line) for line in OWN_PARAGRAPHS.read_text(encoding="utf-8").splitlines()[:CALIBRATED]]
    pairs = [tokenizer.encode(entry["questions"][0]["question"], entry["text"]) for entry in entries]
    inputs = [[torch.tensor([row]) for row in (pair.ids, pair.attention_mask, pair.type_ids)] for pair in pairs]
    network = BertForQuestionAnswering.from_pretrained(str(folder), attn_implementation="eager").eval()
    highest: dict[torch.nn.Module, torch.Tensor] = {}

    def look(layer: torch.nn.Module, given: tuple[torch.Tensor, ...]) -> None:
        here = given[0].detach().abs().flatten(0, 1).amax(0)
        highest[layer] = torch.maximum(highest.get(layer, here), here)

    layers = [(of, of.dense) for block in network.bert.encoder.layer for of in (block.intermediate, block.output)]
    looking = [dense.register_forward_pre_hook(look) for _, dense in layers]
    with torch.no_grad():
        for given in inputs:
            Spans(network)(*given)
    for hook in looking:
        hook.remove()
    for of, dense in layers:
        of.dense = Evened(dense, highest[dense])
    names = ("input_ids", "attention_mask", "token_type_ids")
    example = [torch.cat([one[:, :20], other[:, :20]]) for one, other in zip(*inputs[:2], strict=True)]
    by_name = dict(zip(names, example, strict=True))
    write_int8(Spans(network).eval(), by_name, ("starts", "ends"), target / NETWORK, seven_bits=True)
    for name in (NETWORK, TOKENIZER):
        print(f'    {name}: "{sha256(target / name)}",  # {(target / name).stat().st_size / 1e6:.1f} MB')


def main() -> int:
    """Run one of the steps."""
    parser = argparse.ArgumentParser(description="Train the reader.")
    commands = parser.add_subparsers(dest="command", required=True)
    rows = commands.add_parser("rows", help="make the rows of all parts")
    rows.add_argument("--library", type=Path, required=True, help="an index of the stories")
    rows.add_argument("--train", type=Path, required=True, metavar="FOLDER", help="with the files in SQuAD form")
    rows.add_argument("--news", type=Path, required=True, metavar="FILE", help="questions about the stories")
    rows.add_argument("--out", type=Path, required=True)
    training = commands.add_parser("train", help="train one stage")
    training.add_argument("stage", type=int, choices=tuple(STAGES))
    training.add_argument("rows", type=Path)
    training.add_argument("--init", help="the network of the stage before")
    training.add_argument("--out", type=Path, required=True)
    exporting = commands.add_parser("export", help="write the int8 network into qa/")
    exporting.add_argument("folder", type=Path)
    options = parser.parse_args()
    if options.command == "rows":
        from index.library import open_index

        kept = rows_of_all(options.train, options.news, open_index(options.library))
        for part, groups in kept.items():
            print(f"{part}: {len(groups)} questions, {sum(group[0].start >= 0 for group in groups)} with an answer")
        options.out.write_text(json.dumps(kept, ensure_ascii=False), encoding="utf-8")
    elif options.command == "train":
        train(options.stage, options.rows, options.init, options.out)
    else:
        export(options.folder, Path(__file__).parents[1] / "qa")
    return 0


if __name__ == "__main__":
    sys.exit(main())
