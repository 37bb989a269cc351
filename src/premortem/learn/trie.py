"""The paths of the traffic as a tree, with what was seen at each of its nodes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from premortem.domain.template import encode_segment
from premortem.learn.lexical import identifier, split_extension

CHILDREN_MAX = 4096
"""Literal children of one node; more distinct texts than this are values, not words."""
NODES_MAX = 200_000
"""Nodes of the tree; paths that would need more become parameters where they are."""
KEYS_MAX = 256
"""Distinct body keys remembered per node and method."""
SAMPLES_MAX = 8
"""Parameter texts remembered per node."""

NOT_THERE = frozenset({404, 410})


@dataclass(slots=True)
class Seen:
    """The requests of one method that ended at a node."""

    count: int = 0
    answered: int = 0
    """With 2xx or 3xx."""
    not_there: int = 0
    """With 404 or 410."""
    request_keys: set[str] = field(default_factory=set)
    answer_keys: set[str] = field(default_factory=set)
    """Keys of the answer and of its members, two levels deep (`data`, `data/id`)."""

    def add(self, other: Seen) -> None:
        """Take in what OTHER saw."""
        self.count += other.count
        self.answered += other.answered
        self.not_there += other.not_there
        self.request_keys |= other.request_keys
        self.answer_keys |= other.answer_keys


class Node:
    """What may stand at one position of a path."""

    __slots__ = (
        "answered",
        "children",
        "classes",
        "echoes",
        "members",
        "methods",
        "params",
        "passed",
        "samples",
    )

    def __init__(self) -> None:
        self.children: dict[str, Node] = {}
        self.params: dict[str, Node] = {}
        """Ending behind the parameter (`.json`, mostly empty) -> what follows."""
        self.methods: dict[str, Seen] = {}
        self.classes: Counter[str] = Counter()
        """Of a parameter's node: what its texts look like."""
        self.samples: set[str] = set()
        self.members = 1
        """Literal texts merged into this node."""
        self.answered = 0
        """Exchanges through this node that were answered with 2xx or 3xx."""
        self.echoes: Counter[int] = Counter()
        """Segments below this one at which an exchange ended -> how many of those that were
        answered name this segment as an identifier in their bodies."""
        self.passed: Counter[int] = Counter()
        """The same, all that were answered."""

    @property
    def requests(self) -> int:
        """Requests that ended here."""
        return sum(seen.count for seen in self.methods.values())

    @property
    def only_missing(self) -> bool:
        """Nothing was ever found here, nor below."""
        own = all(seen.not_there == seen.count for seen in self.methods.values())
        below = (*self.children.values(), *self.params.values())
        return own and all(node.only_missing for node in below)

    def add(self, other: Node) -> None:
        """Merge OTHER, a sibling that turned out to be the same parameter, into this one."""
        for method, seen in other.methods.items():
            self.methods.setdefault(method, Seen()).add(seen)
        for text, node in other.children.items():
            if text in self.children:
                self.children[text].add(node)
            else:
                self.children[text] = node
        for ending, node in other.params.items():
            if ending in self.params:
                self.params[ending].add(node)
            else:
                self.params[ending] = node
        self.classes += other.classes
        for text in sorted(other.samples):
            if len(self.samples) < SAMPLES_MAX:
                self.samples.add(text)
        self.members += other.members
        self.answered += other.answered
        self.echoes += other.echoes
        self.passed += other.passed


class Tree:
    """All paths. Segments that can only be values are folded into a parameter at once."""

    def __init__(self) -> None:
        self.root = Node()
        self._nodes = 1

    def insert(self, method: str, segments: tuple[str, ...]) -> tuple[list[Node], Seen]:
        """Count a request; the nodes of its segments in order, and what was seen at the last."""
        node = self.root
        trail: list[Node] = []
        for segment in segments:
            node = self._step(node, segment)
            trail.append(node)
        seen = node.methods.setdefault(method, Seen())
        seen.count += 1
        return trail, seen

    def _step(self, node: Node, segment: str) -> Node:
        child = node.children.get(segment)
        if child is not None:
            return child
        stem, ending = split_extension(segment)
        kind = identifier(stem)
        full = len(node.children) >= CHILDREN_MAX or self._nodes >= NODES_MAX
        if kind or full:
            if ending not in node.params and len(node.params) >= CHILDREN_MAX:
                ending = ""
            child = node.params.get(ending)
            if child is None:
                child = node.params[ending] = Node()
                child.members = 0
                self._nodes += 1
            child.classes[kind or "text"] += 1
            if len(child.samples) < SAMPLES_MAX and stem not in child.samples:
                child.samples.add(stem)
            return child
        child = node.children[segment] = Node()
        self._nodes += 1
        return child


def literal(segment: str) -> str:
    """SEGMENT as it stands in a template: encoded, braces too."""
    return encode_segment(segment)
