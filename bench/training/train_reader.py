"""Train the reader from the shipped MiniLM, and write the network that qa/reader.py opens.

    python -m bench.training.train_reader rows --library INDEX --train FOLDER --news train-news.json --out ROWS
    python -m bench.training.train_reader train 1 ROWS --out FIRST
    python -m bench.training.train_reader train 2 ROWS --init FIRST --out SECOND        (and so on to the last stage)
    python -m bench.training.train_reader export LAST

A row is a question, a window of text, and where the answer is in it, if anywhere. The rows of one question
are a group. The network learns where the answer is over all windows of a group at once, and "no answer" is
one more place (shared normalisation: Clark & Gardner 2018, section 3.2). So scores of different windows are
comparable, which ranking sentences of many passages needs. Groups come in four parts:

- ``read``: questions in SQuAD form, each with its passage; half of them also with a passage found by BM25;
- ``sentences``: questions about one sentence, shown among other sentences of the same collection;
- ``paragraphs``: our own paragraphs and questions, with near misses;
- ``news``: questions about the radio stories, existing ones and our own, each with the passages that an
  index of all stories finds.

docs/reader.md has the figures, the curve and the seed of the shipped weights.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from bench.training.export_reader import export
from bench.training.reader_rows import SEED, Group, Row, rows_of_all

if TYPE_CHECKING:
    import torch


MAX_TOKENS = 256
BATCH_TOKENS = 3000
"""Tokens of one step, padding included."""
RATE = 1e-4
STAGES: dict[int, dict[str, tuple[float, int]]] = {
    1: {"read": (0.8, 1), "sentences": (0.3, 0)},
    2: {"news": (2, 3), "read": (0.08, 1)},
    3: {"read": (0.3, 0), "sentences": (0.15, 0), "news": (0.3, 1)},
    4: {"paragraphs": (1.5, 2), "news": (1, 3), "read": (0.08, 1), "sentences": (0.03, 0)},
}
"""For each stage and part: the number of passes over its questions, and the most windows without an answer that a
question gets in a pass. Each pass uses other windows."""
DROPOUT = {1: 0.0, 2: 0.0, 3: 0.1, 4: 0.0}


def groups_to_train(stage: int, parts: dict[str, list[Group]]) -> list[Group]:
    """The groups of a stage: the passes over each part, each with the next windows that do not answer."""
    rng = random.Random(SEED + stage)
    groups: list[Group] = []
    for part, (passes, windows) in STAGES[stage].items():
        for turn in range(math.ceil(passes)):
            turn_groups = parts[part]
            if passes - turn < 1:
                turn_groups = rng.sample(turn_groups, int((passes - turn) * len(turn_groups)))
            for group in turn_groups:
                answering = 1 if group[0].start >= 0 else 0
                others = group[answering:]
                rest = others[turn * windows :] + others[: turn * windows]
                groups.append(group[:answering] + rest[: max(windows, 1 - answering)])
    rng.shuffle(groups)
    return groups


class Example(NamedTuple):
    """A row as input of the network. ``first`` and ``last`` are 0 if the window does not answer."""

    ids: list[int]
    types: list[int]
    first: int
    last: int


def example_of(row: Row, tokenizer: Any) -> Example:
    """The token ids of question and window, and the first and last token of the answer."""
    pair = tokenizer.encode(row.question, row.text)
    tokens = [
        at
        for at, ((start, end), sequence) in enumerate(zip(pair.offsets, pair.sequence_ids, strict=True))
        if sequence == 1 and row.start >= 0 and end > row.start and start < row.end
    ]
    return Example(pair.ids, pair.type_ids, tokens[0] if tokens else 0, tokens[-1] if tokens else 0)


def batches_of(examples: Sequence[Sequence[Example]]) -> list[list[int]]:
    """Positions of the groups of each step. Groups of similar length go together; the steps are shuffled."""
    longest = [max(len(example.ids) for example in group) for group in examples]
    steps: list[list[int]] = []
    for begin in range(0, len(examples), 2000):
        batch: list[int] = []
        rows = 0
        for at in sorted(range(begin, min(begin + 2000, len(examples))), key=lambda at: longest[at]):
            if batch and (rows + len(examples[at])) * longest[at] > BATCH_TOKENS:
                steps.append(batch)
                batch, rows = [], 0
            batch.append(at)
            rows += len(examples[at])
        steps += [batch] if batch else []
    random.Random(SEED).shuffle(steps)
    return steps


def loss_of(logits: torch.Tensor, mask: torch.Tensor, wanted: torch.Tensor, groups: torch.Tensor) -> torch.Tensor:
    """The mean over groups of the negative log-probability of the right place among all places of the group.

    A place is a token of any window of the group, or "no answer". The score of a token is its logit minus that of the
    window's first token; the score of "no answer" is 0. With one window in each group, this is the usual loss.

    Args:
        logits: for each token, the logit of being the start (or the end) of the answer, shape (rows, tokens).
        mask: 1 for real tokens and 0 for padding, same shape.
        wanted: the right token of each row, shape (rows,); 0 if the window does not answer.
        groups: the number of each row's group, from 0, shape (rows,).
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
    """Train one stage, and save the network in transformers' format and the training curve."""
    import torch
    from tokenizers import Tokenizer
    from transformers import BertForQuestionAnswering

    from index.encoding.sentence_transformer import packaged_model

    torch.manual_seed(SEED)
    tokenizer = Tokenizer.from_file(str(packaged_model() / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_TOKENS, strategy="only_second")
    network = BertForQuestionAnswering.from_pretrained(
        start_from or str(packaged_model()), hidden_dropout_prob=DROPOUT[stage], attention_probs_dropout_prob=0.0
    )
    network.bert.embeddings.requires_grad_(False)  # so words missing from training keep their places
    stored = json.loads(file.read_text(encoding="utf-8"))
    parts = {part: [[Row(*row) for row in group] for group in groups] for part, groups in stored.items()}
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
        for param_group in optimiser.param_groups:
            param_group["lr"] = RATE * min(1, step / 100) * (1 - step / len(plan))
        rows = [example for at in batch for example in examples[at]]
        groups = torch.tensor([n for n, at in enumerate(batch) for _ in examples[at]])
        longest = max(len(row.ids) for row in rows)
        ids, types, mask = (torch.zeros(len(rows), longest, dtype=torch.long) for _ in range(3))
        for n, row in enumerate(rows):
            length = len(row.ids)
            ids[n, :length], types[n, :length], mask[n, :length] = torch.tensor(row.ids), torch.tensor(row.types), 1
        output = network(input_ids=ids, attention_mask=mask, token_type_ids=types)
        firsts, lasts = torch.tensor([row.first for row in rows]), torch.tensor([row.last for row in rows])
        starts, ends = (
            loss_of(output.start_logits, mask, firsts, groups),
            loss_of(output.end_logits, mask, lasts, groups),
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
            network.save_pretrained(out)  # keeps the progress if training is stopped
    network.save_pretrained(out)
    (out / "curve.json").write_text(json.dumps(curve), encoding="utf-8")


def main() -> int:
    """Run one command."""
    parser = argparse.ArgumentParser(description="Train the reader.")
    commands = parser.add_subparsers(dest="command", required=True)
    rows = commands.add_parser("rows", help="make the rows of all parts")
    rows.add_argument("--library", type=Path, required=True, help="an index of the stories")
    rows.add_argument("--train", type=Path, required=True, metavar="FOLDER", help="folder of files in SQuAD form")
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

        parts = rows_of_all(options.train, options.news, open_index(options.library))
        for part, groups in parts.items():
            print(f"{part}: {len(groups)} questions, {sum(group[0].start >= 0 for group in groups)} with an answer")
        options.out.write_text(json.dumps(parts, ensure_ascii=False), encoding="utf-8")
    elif options.command == "train":
        train(options.stage, options.rows, options.init, options.out)
    else:
        export(options.folder, Path(__file__).parents[2] / "qa")
    return 0


if __name__ == "__main__":
    sys.exit(main())
