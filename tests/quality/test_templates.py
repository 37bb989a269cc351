"""Are the templates the service's own? Judged pairwise against tables the learner never saw."""

from __future__ import annotations

import gzip
import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import pytest
from praw.endpoints import API_PATH

from premortem.domain.template import Matcher
from premortem.domain.traffic import Exchange
from premortem.learn.evidence import Names, observe
from premortem.learn.templates import Templates, learn_templates
from premortem.learn.trie import Tree
from tests.learn.recordings import recording
from tests.learn.services import SERVICES, traffic
from tests.shared import shared

METHODS = ("get", "put", "post", "delete", "patch", "head", "options")
Path = tuple[str, str]
"""(method, path)."""


class Score(NamedTuple):
    precision: float
    recall: float


def learned(exchanges: Iterable[Exchange]) -> Templates:
    tree, names = Tree(), Names()
    for exchange in exchanges:
        observe(exchange, tree, names)
    return learn_templates(tree, names)


def pairs(count: float) -> float:
    return count * (count - 1) / 2


def pairwise(truth: Mapping[Path, str], found: Mapping[Path, str], weight: Callable) -> Score:
    """Of the pairs in one cluster, how many belong there; of those that belong, how many are."""
    wanted, got, both = Counter(), Counter(), Counter()
    for path, label in truth.items():
        count = weight(path)
        wanted[label] += count
        got[found[path]] += count
        both[label, found[path]] += count
    right = sum(map(pairs, both.values()))
    return Score(
        right / max(1, sum(map(pairs, got.values()))),
        right / max(1, sum(map(pairs, wanted.values()))),
    )


def pattern(template: str) -> re.Pattern[str]:
    parts = (
        re.sub(r"\\\{[^{}]+\\\}", "[^/]+", re.escape(s)) for s in template.strip("/").split("/")
    )
    return re.compile("/".join(parts))


def labelled(paths: Iterable[Path], table: list[tuple[str, str]]) -> dict[Path, str]:
    """The table's entry of each path that exactly one entry matches; `*`: any method."""
    rules = [(method, template, pattern(template)) for method, template in table]
    out: dict[Path, str] = {}
    for method, path in paths:
        hits = {t for m, t, p in rules if m in ("*", method) and p.fullmatch(path.strip("/"))}
        if len(hits) == 1:
            out[method, path] = f"{method} {hits.pop()}"
    return out


def declared(service: str) -> list[tuple[str, str]]:
    with gzip.open(shared(f"targets/{service}/openapi.json.gz")) as file:
        document = json.load(file)
    base = document.get("basePath", "")
    items = document["paths"].items()
    return [(m.upper(), base + path) for path, item in items for m in item if m in METHODS]


RECORDINGS = {
    "reddit": ("traffic/reddit.har.gz", lambda: [("*", p) for p in set(API_PATH.values())]),
    "kinto": ("targets/kinto/production.har.gz", lambda: declared("kinto")),
    "phoenix": ("targets/phoenix/production.har.gz", lambda: declared("phoenix")),
    "directus": ("targets/directus/production.har.gz", lambda: declared("directus")),
}


@pytest.mark.parametrize("service", RECORDINGS)
def test_recorded_requests_fall_into_the_operations_of_the_services_own_table(service, capsys):
    file, table = RECORDINGS[service]
    exchanges = recording(shared(file))
    templates = learned(exchanges)
    counts = Counter((e.request.method, e.request.path) for e in exchanges)
    matcher = Matcher(templates.operations)
    found = {path: matcher.match(*path).operation.id for path in counts}
    truth = labelled(counts, table())
    by_request = pairwise(truth, found, counts.__getitem__)
    by_path = pairwise(truth, found, lambda path: 1)
    lines = [f"{one} | {other}: {why}" for one, other, why in templates.ambiguous]
    with capsys.disabled():
        sys.stdout.write(
            f"\n{service}: {sum(counts[p] for p in truth)} of {len(exchanges)} requests judged; "
            f"pairs of requests {by_request.precision:.4f}/{by_request.recall:.4f}, "
            f"of distinct paths {by_path.precision:.4f}/{by_path.recall:.4f} "
            f"(precision/recall); {len(lines)} ambiguous pairs"
            + "".join(f"\n  ? {line}" for line in lines)
            + "\n"
        )
    assert by_request.precision >= 0.98
    assert by_request.recall >= 0.90
    assert by_path.precision >= 0.95
    assert by_path.recall >= 0.90


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("service", SERVICES)
def test_invented_services_are_told_apart(service, seed):
    seen = list(traffic(service, seed))
    matcher = Matcher(learned(exchange for exchange, _ in seen).operations)
    truth: dict[Path, str] = {}
    found: dict[Path, str] = {}
    for exchange, label in seen:
        path = (exchange.request.method, exchange.request.path)
        truth[path] = label
        found[path] = matcher.match(*path).operation.id
    score = pairwise(truth, found, lambda path: 1)
    assert score.precision >= 0.98
    assert score.recall >= 0.90


@pytest.mark.parametrize("service", RECORDINGS)
def test_a_fifth_of_the_traffic_is_enough_to_tell_operations_apart(service):
    file, table = RECORDINGS[service]
    exchanges = recording(shared(file))[::5]
    matcher = Matcher(learned(exchanges).operations)
    counts = Counter((e.request.method, e.request.path) for e in exchanges)
    found = {path: matcher.match(*path).operation.id for path in counts}
    score = pairwise(labelled(counts, table()), found, counts.__getitem__)
    assert score.precision >= 0.98
    assert score.recall >= 0.90
