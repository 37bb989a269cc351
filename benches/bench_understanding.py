"""How often questions on services that nobody had seen are understood, and what it owes to what.

Over the invented services of tests/quality/questions, from their specifications alone: operation,
failure mode and outcome class of the first scenario, all three right; with everything, and
without the cues, the tellings' words, the sentence encoder, or two of them. `--train` computes
what the encoder knows of failure modes (agent/modes/tellings.npz) anew, from the tellings.

    python benches/bench_understanding.py
    python benches/bench_understanding.py --train
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import numpy as np
import numpy.typing as npt

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from premortem.agent.understanding import index, modes_meant  # noqa: E402
from premortem.agent.understanding.meaning import Head, open_meaning  # noqa: E402
from premortem.agent.understanding.tellings import Told, lines_told  # noqa: E402
from premortem.models import ENCODER, MiniLM, find_cached  # noqa: E402
from tests.quality.asking import Asked, invented, questions_on, specified  # noqa: E402

HEAD = ROOT / "src" / "premortem" / "agent" / "modes" / "tellings.npz"
TELLINGS = HEAD.with_suffix(".txt")
STEPS = 400
RATE, MOMENTUM = 40.0, 0.9
DECAY = 3e-5
"""L2, set by hand; `--train` prints what others would bring, by cross-validation."""
FOLDS = 10
GOAL = 0.80

Floats = npt.NDArray[np.float32]


def trained(lines: Sequence[tuple[Told, str]], vectors: Floats, *, decay: float = DECAY) -> Head:
    """Multinomial logistic regression of the mode on VECTORS, by gradient descent; every mode
    weighs the same, however many tellings it has."""
    modes = tuple(dict.fromkeys(mode for mode, _ in lines))
    targets = np.zeros((len(lines), len(modes)), np.float32)
    targets[np.arange(len(lines)), [modes.index(mode) for mode, _ in lines]] = 1
    shares = (1 / targets.sum(axis=0))[targets.argmax(axis=1)] / len(modes)
    inputs = np.hstack([vectors, np.ones((len(lines), 1), np.float32)])
    weights = np.zeros((len(modes), inputs.shape[1]), np.float32)
    speed = np.zeros_like(weights)
    for _ in range(STEPS):
        sums = inputs @ weights.T
        likely = np.exp(sums - sums.max(axis=1, keepdims=True))
        likely /= likely.sum(axis=1, keepdims=True)
        slope = ((likely - targets) * shares[:, None]).T @ inputs
        slope[:, :-1] += decay * weights[:, :-1]
        speed = MOMENTUM * speed - RATE * slope
        weights += speed
    return Head(modes=modes, weights=weights.astype(np.float32))


def cross_validated(lines: Sequence[tuple[Told, str]], vectors: Floats, decay: float) -> float:
    """Share of the tellings whose mode is the likeliest, by a head that did not see them."""
    right = 0
    for fold in range(FOLDS):
        held = np.arange(len(lines)) % FOLDS == fold
        head = trained(
            [line for line, out in zip(lines, held, strict=True) if not out],
            vectors[~held],
            decay=decay,
        )
        for at in np.flatnonzero(held):
            likely = head.likely(vectors[at])
            right += max(likely, key=likely.__getitem__) == lines[at][0]
    return right / len(lines)


def train() -> None:
    weights, pieces = map(find_cached, ENCODER)
    if weights is None or pieces is None:
        sys.exit("no encoder: premortem models fetch minilm")
    lines = list(lines_told())
    vectors = MiniLM(weights, pieces).embed([line for _, line in lines])
    for decay in (1e-5, 3e-5, 1e-4, 3e-4):
        print(
            f"decay {decay:g}: {cross_validated(lines, vectors, decay):.3f} right of {len(lines)}"
        )
    head = trained(lines, vectors)
    np.savez_compressed(
        HEAD,
        modes=np.array(head.modes),
        weights=head.weights.astype(np.float16),
        tellings=np.array(sha256(TELLINGS.read_bytes()).hexdigest()),
    )
    print(f"{HEAD.relative_to(ROOT)}: {HEAD.stat().st_size:,} bytes")


@contextmanager
def without(*parts: str) -> Iterator[None]:
    """Cues, tellings or encoder that do not count."""
    kept = modes_meant.TOLD, modes_meant.MEANT, modes_meant.weights, index.WEIGHTS["near"]
    try:
        if "tellings" in parts:
            modes_meant.TOLD = 0.0
        if "encoder" in parts:
            modes_meant.MEANT = index.WEIGHTS["near"] = 0.0
        if "cues" in parts:
            modes_meant.weights = lambda _text: {}
        yield
    finally:
        modes_meant.TOLD, modes_meant.MEANT, modes_meant.weights, index.WEIGHTS["near"] = kept


def asked(*, encoder: bool) -> Asked:
    result = Asked(open_meaning() if encoder else None)
    for name in invented():
        profile, roles = specified(name)
        result.ask_all(name, questions_on(name), profile, {}, roles, services=("*",))
    return result


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", action="store_true")
    parser.add_argument("--missed", action="store_true", help="show what was missed")
    options = parser.parse_args()
    if options.train:
        train()
        return 0
    whole = asked(encoder=True)
    print(f"everything: {whole.report(missed=options.missed)}")
    for parts in (
        ("encoder",),
        ("tellings",),
        ("cues",),
        ("tellings", "encoder"),
        ("cues", "encoder"),
        ("cues", "tellings"),
    ):
        with without(*parts):
            result = asked(encoder="encoder" not in parts)
        print(f"without {' and '.join(parts)}: {result.report(missed=False)}", end="")
    met = whole.share >= GOAL
    print(f"{'met   ' if met else 'MISSED'}  all three right >= {GOAL:.0%}: {whole.share:.1%}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
