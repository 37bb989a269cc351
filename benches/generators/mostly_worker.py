"""Runs in mostlyai-engine's own environment: trains a TabularARGN per table, samples from it.

A JSON document a line, in and out. `{"fit": name, "columns": {column: kind}, "given": [...],
"rows": [...], "minutes": most}` and `{"sample": name, "count": rows}` or, with what is given row by
row, `{"sample": name, "given": [...]}`. Kinds: `number`, `day`, `text` (free), `choice`. What came
out is told with the CPU seconds that it took.
"""

from __future__ import annotations

import json
import os
import sys
import time
import warnings
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
warnings.filterwarnings("ignore")
OUT = os.fdopen(os.dup(1), "w")
"""Answers; whatever the libraries print goes to stderr."""
os.dup2(2, 1)

import pandas as pd  # noqa: E402
import torch  # noqa: E402
from mostlyai.engine import TabularARGN  # noqa: E402

torch.set_num_threads(1)
ENCODINGS = {
    "number": "TABULAR_NUMERIC_AUTO",
    "day": "TABULAR_DATETIME",
    "text": "TABULAR_CHARACTER",
    "choice": "TABULAR_CATEGORICAL",
}
NAME = "c{}"
"""Columns are called by number: places hold characters that a table's names may not."""


class Table:
    """One trained table."""

    def __init__(self, asked: dict[str, Any]) -> None:
        self.kinds: dict[str, str] = asked["columns"]
        self.names = {column: NAME.format(i) for i, column in enumerate(self.kinds)}
        self.given = [column for column in asked["given"] if column in self.kinds]
        self.model = TabularARGN(
            max_training_time=asked["minutes"],
            tgt_encoding_types={self.names[c]: ENCODINGS[k] for c, k in self.kinds.items()},
            device="cpu",
            random_state=1,
        )
        frame = self.frame(asked["rows"], list(self.kinds))
        self.model.fit(frame)
        torch.set_num_threads(1)

    def frame(self, rows: list[dict[str, Any]], columns: list[str]) -> pd.DataFrame:
        made = {}
        for column in columns:
            values = [row.get(column) for row in rows]
            if self.kinds[column] == "day":
                series = pd.to_datetime(pd.Series(values), format="ISO8601", errors="coerce")
            elif self.kinds[column] == "number":
                series = pd.to_numeric(pd.Series(values))
            else:
                series = pd.Series(values, dtype="string")
            made[self.names[column]] = series
        return pd.DataFrame(made)

    def sample(self, asked: dict[str, Any]) -> list[dict[str, Any]]:
        options = {"rare_category_replacement_method": "SAMPLE", "device": "cpu"}
        if self.given and asked.get("given"):
            found = self.model.sample(seed_data=self.frame(asked["given"], self.given), **options)
        else:
            found = self.model.sample(n_samples=asked["count"], **options)
        columns = {}
        for column, kind in self.kinds.items():
            values = found[self.names[column]]
            if kind == "day":
                values = pd.to_datetime(values).dt.strftime("%Y-%m-%d")
            columns[column] = [None if pd.isna(v) else v for v in values.astype(object).tolist()]
        return [
            {column: values[i] for column, values in columns.items() if values[i] is not None}
            for i in range(len(found))
        ]


def main() -> None:
    tables: dict[str, Table] = {}
    for line in sys.stdin:
        asked = json.loads(line)
        cpu, wall = time.process_time(), time.perf_counter()
        answer: dict[str, Any] = {}
        if "fit" in asked:
            tables[asked["fit"]] = Table(asked)
        else:
            answer["rows"] = tables[asked["sample"]].sample(asked)
        answer["cpu_s"] = time.process_time() - cpu
        answer["wall_s"] = time.perf_counter() - wall
        OUT.write(json.dumps(answer, default=float) + "\n")
        OUT.flush()


if __name__ == "__main__":
    main()
