"""Two classifiers try to tell generated requests from production's.

Source: Lopez-Paz and Oquab 2017, Revisiting classifier two-sample tests (ICLR); the area under
the ROC curve is that of Mann and Whitney 1947. 0.5: nobody can tell; 1: always.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec import Struct

from premortem.analyse.realism.features import Features, Matrix
from premortem.analyse.realism.specimens import Specimen
from premortem.errors import InputError

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

FOLDS = 5
TREES = 60
LEARNING_RATE = 0.15
BINS = 64
"""Of what trees see: lengths and orders of magnitude need no more."""
LEAVES_MAX = 15
LEAF_MIN = 20
"""Requests in a leaf: fewer are learned by heart."""
THREADS = 1
"""Of the trees: more wait for one another longer than they work on this little."""
REGULARITY = 0.2
"""Inverse strength of the linear classifier's penalty."""
GROUPS_MIN = 2 * FOLDS
"""Groups on each side; with fewer nothing can be said."""


class Seen(Struct, frozen=True, kw_only=True):
    """How well the two sides were told apart."""

    auc: float
    """The higher of the two; within [0.5, 1] but for chance."""
    linear: float
    """Of logistic regression."""
    trees: float
    """Of gradient boosting."""
    error: float
    """Standard error of `auc` over the folds."""
    compared: int
    """Requests on each side."""


def told_apart(
    production: Sequence[Specimen], other: Sequence[Specimen], *, seed: int = 1
) -> Seen | None:
    """How well PRODUCTION and OTHER are told apart, folds by group, as many of each operation on
    both sides; None where there is too little to say.

    Raises InputError without scikit-learn.
    """
    left, right = matched(production, other, seed)
    groups = [s.group for s in (*left, *right)]
    sides = np.array([0] * len(left) + [1] * len(right))
    few = min(len({s.group for s in left}), len({s.group for s in right}))
    if few < GROUPS_MIN:
        return None
    features = Features([*left, *right])
    operations = np.unique([s.operation_id for s in (*left, *right)], return_inverse=True)[1]
    linear, trees = _scores(features, sides, operations, groups, seed)
    better = linear if np.mean(linear) >= np.mean(trees) else trees
    return Seen(
        auc=float(np.mean(better)),
        linear=float(np.mean(linear)),
        trees=float(np.mean(trees)),
        error=float(np.std(better, ddof=1) / np.sqrt(len(better))),
        compared=len(left),
    )


def matched(
    production: Sequence[Specimen], other: Sequence[Specimen], seed: int
) -> tuple[list[Specimen], list[Specimen]]:
    """As many of each operation of both, drawn at random: how often operations are used is
    judged apart."""
    sides: tuple[dict[str, list[Specimen]], dict[str, list[Specimen]]] = ({}, {})
    for side, specimens in zip(sides, (production, other), strict=True):
        for specimen in specimens:
            side.setdefault(specimen.operation_id, []).append(specimen)
    rng = np.random.default_rng([seed, 7])
    left: list[Specimen] = []
    right: list[Specimen] = []
    for operation_id in sorted(sides[0].keys() & sides[1].keys()):
        a, b = sides[0][operation_id], sides[1][operation_id]
        count = min(len(a), len(b))
        left += [a[i] for i in sorted(rng.permutation(len(a))[:count].tolist())]
        right += [b[i] for i in sorted(rng.permutation(len(b))[:count].tolist())]
    return left, right


def _scores(
    features: Features, sides: Matrix, operations: Matrix, groups: list[str], seed: int
) -> tuple[list[float], list[float]]:
    try:
        from sklearn.ensemble import HistGradientBoostingClassifier
        from sklearn.linear_model import LogisticRegression
        from sklearn.metrics import roc_auc_score
        from sklearn.model_selection import StratifiedGroupKFold
        from threadpoolctl import threadpool_limits
    except ImportError:
        raise InputError(
            "realism cannot be judged without scikit-learn; "
            "install it: pip install 'premortem[stats]'"
        ) from None
    sparse, dense = _sparse(features), features.dense()
    linear: list[float] = []
    trees: list[float] = []
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    for train, test in folds.split(dense, sides, groups):
        if len(np.unique(sides[test])) < 2 or len(np.unique(sides[train])) < 2:
            continue
        weights = _balanced(sides[train], operations[train])
        flat = LogisticRegression(C=REGULARITY, solver="liblinear", random_state=seed)
        flat.fit(sparse[train], sides[train], sample_weight=weights)
        linear.append(roc_auc_score(sides[test], flat.decision_function(sparse[test])))
        grown = HistGradientBoostingClassifier(
            max_iter=TREES,
            learning_rate=LEARNING_RATE,
            max_bins=BINS,
            max_leaf_nodes=LEAVES_MAX,
            min_samples_leaf=LEAF_MIN,
            early_stopping=False,
            random_state=seed,
        )
        with threadpool_limits(THREADS):
            grown.fit(dense[train], sides[train], sample_weight=weights)
        trees.append(roc_auc_score(sides[test], grown.decision_function(dense[test])))
    return linear, trees


def _balanced(sides: Matrix, operations: Matrix) -> Matrix:
    """Weights by which both sides of each operation weigh the same.

    What is missing of one side in the other folds is in this one: unweighted, a classifier that
    knows nothing else learns that, and is wrong more often than right.
    """
    codes = operations * 2 + sides
    counts = np.bincount(codes, minlength=2 * (int(operations.max()) + 1)).reshape(-1, 2)
    both = counts.min(axis=1) > 0
    shares = np.where(both[:, None], counts.sum(axis=1, keepdims=True) / np.maximum(counts, 1), 0.0)
    weights: Matrix = (shares.reshape(-1) / 2)[codes]
    return weights


def _sparse(features: Features) -> csr_matrix[Any]:
    from scipy.sparse import csr_matrix

    ends, columns = features.sparse()
    ones = np.ones(len(columns), dtype=np.float32)
    return csr_matrix((ones, columns, ends), shape=(len(ends) - 1, len(features.names)))
