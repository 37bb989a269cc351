"""Runs in an environment with torch: a small transformer over the traffic model's tokens.

`{"fit": {operation: {"sizes": [tokens of each column], "rows": [[code, ...], ...]}}, "minutes": m}`
trains one model of all operations; `{"sample": operation, "above": [[code, ...], ...], "allowed":
[0 or 1, ...]}` draws the next column's code for each row. Answers tell the CPU seconds.
"""

from __future__ import annotations

import json
import math
import sys
import time
from typing import Any

import torch
from torch import nn

WIDTH, LAYERS, HEADS = 192, 4, 4
BATCH = 128
RATE = 1e-3
HELD_OUT = 10
"""One row in so many tells when to stop."""
PATIENCE = 4
EPOCHS_MAX = 100
torch.set_num_threads(1)
torch.manual_seed(1)


class Model(nn.Module):
    """Tokens of all columns of all operations share one vocabulary; the first one of a sequence
    names the operation."""

    def __init__(self, tokens: int, length: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(tokens, WIDTH)
        self.place = nn.Embedding(length, WIDTH)
        layer = nn.TransformerEncoderLayer(
            WIDTH, HEADS, 4 * WIDTH, dropout=0.1, batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, LAYERS, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(WIDTH)
        nn.init.normal_(self.embed.weight, std=0.02)

    def forward(self, codes: torch.Tensor) -> torch.Tensor:
        """Codes, shape (rows, length) -> what follows each, shape (rows, length, width)."""
        length = codes.shape[1]
        mask = nn.Transformer.generate_square_subsequent_mask(length)
        held = self.embed(codes) + self.place(torch.arange(length))
        return self.norm(self.layers(held, mask=mask, is_causal=True))


class Trained:
    """The model with where each column's tokens lie in the vocabulary."""

    def __init__(self, asked: dict[str, Any], minutes: float) -> None:
        self.starts: dict[str, list[int]] = {}
        self.sizes = {name: table["sizes"] for name, table in asked.items()}
        self.names = {name: number + 1 for number, name in enumerate(asked)}
        tokens = len(asked) + 1
        for name, table in asked.items():
            self.starts[name] = []
            for size in table["sizes"]:
                self.starts[name].append(tokens)
                tokens += size
        length = 1 + max(len(table["sizes"]) for table in asked.values())
        self.model = Model(tokens, length)
        self.rows = [
            (
                name,
                [self.names[name], *(s + c for s, c in zip(self.starts[name], row, strict=True))],
            )
            for name, table in asked.items()
            for row in table["rows"]
        ]
        self.parameters = sum(p.numel() for p in self.model.parameters())
        self.epochs = self._train(minutes)

    def _train(self, minutes: float) -> int:
        until = time.perf_counter() + minutes * 60
        order = torch.randperm(len(self.rows)).tolist()
        held = [self.rows[i] for i in order[::HELD_OUT]]
        learned = [self.rows[i] for n, i in enumerate(order) if n % HELD_OUT]
        steps = torch.optim.AdamW(self.model.parameters(), lr=RATE, weight_decay=0.05)
        best, kept, waited = math.inf, self.model.state_dict(), 0
        epochs = 0
        for _ in range(EPOCHS_MAX):
            epochs += 1
            self.model.train()
            for batch in self._batches(learned):
                steps.zero_grad()
                self._loss(*batch).backward()
                nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
                steps.step()
                if time.perf_counter() > until:
                    break
            self.model.eval()
            with torch.no_grad():
                parts = [(self._loss(*b).item(), len(b[1])) for b in self._batches(held)]
            loss = sum(a * n for a, n in parts) / sum(n for _, n in parts)
            if loss < best - 1e-4:
                best, waited = loss, 0
                kept = {k: v.clone() for k, v in self.model.state_dict().items()}
            else:
                waited += 1
            if waited >= PATIENCE or time.perf_counter() > until:
                break
        self.model.load_state_dict(kept)
        self.model.eval()
        self.loss = best
        return epochs

    def _batches(self, rows: list[tuple[str, list[int]]]) -> Any:
        by_name: dict[str, list[list[int]]] = {}
        for name, row in rows:
            by_name.setdefault(name, []).append(row)
        made = []
        for name, found in by_name.items():
            order = torch.randperm(len(found)).tolist()
            made += [
                (name, torch.tensor([found[i] for i in order[at : at + BATCH]]))
                for at in range(0, len(order), BATCH)
            ]
        return [made[i] for i in torch.randperm(len(made)).tolist()]

    def _loss(self, name: str, rows: torch.Tensor) -> torch.Tensor:
        held = self.model(rows[:, :-1])
        total = torch.zeros(())
        for at, (start, size) in enumerate(zip(self.starts[name], self.sizes[name], strict=True)):
            if size > 1:
                logits = held[:, at] @ self.model.embed.weight[start : start + size].T
                total = total + nn.functional.cross_entropy(logits, rows[:, at + 1] - start)
        return total

    def sample(self, name: str, above: list[list[int]], allowed: list[float]) -> list[int]:
        """A code of the next column for each row."""
        at = len(above[0])
        starts = self.starts[name]
        rows = [
            [self.names[name], *(s + c for s, c in zip(starts, row, strict=False))] for row in above
        ]
        start, size = starts[at], self.sizes[name][at]
        with torch.no_grad():
            held = self.model(torch.tensor(rows))[:, -1]
            logits = held @ self.model.embed.weight[start : start + size].T
            chances = logits.softmax(-1) * torch.tensor(allowed)
            return torch.multinomial(chances + 1e-12, 1)[:, 0].tolist()


def main() -> None:
    trained: Trained | None = None
    for line in sys.stdin:
        asked = json.loads(line)
        cpu = time.process_time()
        answer: dict[str, Any] = {}
        if "fit" in asked:
            trained = Trained(asked["fit"], asked["minutes"])
            answer = {
                "parameters": trained.parameters,
                "epochs": trained.epochs,
                "loss": trained.loss,
            }
        elif trained is not None:
            answer["codes"] = trained.sample(asked["sample"], asked["above"], asked["allowed"])
        answer["cpu_s"] = time.process_time() - cpu
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
