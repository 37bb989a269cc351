"""Path templates from traffic alone: which segments are words, and which are values.

Three kinds of evidence, strongest first: what a segment looks like (`lexical`), whether the
bodies use it as an identifier (`evidence`), and whether siblings lead to the same things below
(`trie`). A word without any of it stays a word: taking two operations for one spoils both,
taking one for two only thins it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from itertools import combinations

from msgspec import Struct

from premortem.domain.traffic import Operation
from premortem.learn.evidence import Names
from premortem.learn.lexical import numbered, pronounceable, singular, words_in
from premortem.learn.trie import SAMPLES_MAX, Node, Tree, literal

FAMILY_MIN = 3
"""Numbered siblings (`post-1`, `post-2`, ...) that make a parameter without further evidence."""
SLUG_HYPHENS = 3
SLUGS_MIN = 5
SALAD_MIN = 5
"""Unpronounceable siblings that make a parameter."""
GROUP_MIN = 3
"""Siblings that lead to the same things below, when no value supports them."""
ALIKE = 0.5
"""Jaccard similarity from which two answers have the same shape."""
REQUESTS_ALIKE = 0.34
"""The same for requests, whose optional members come and go."""
ECHO_SHARE = 0.2
"""Share of the exchanges ending at or so far below a segment that must name it."""
PREVAILING = 0.4
"""Share of word-like siblings that are proven values, from which those answered alike follow."""
TWINS_MAX = 12
"""Words of one level that are compared with each other."""
ROUNDS = 2
"""What was found to be a value in the first round is evidence in the second."""
AMBIGUOUS_MAX = 200

_LIST = re.compile("[,;|+ ]")
_CODE = re.compile(r"[A-Z]{2,5}")
_CALLER = frozenset({"me", "self", "myself", "current", "mine", "whoami"})
"""By convention these mean whoever asks; they are operations of their own."""


class Templates(Struct, frozen=True, kw_only=True):
    """What the paths were found to be."""

    operations: tuple[Operation, ...]
    ambiguous: tuple[tuple[str, str, str], ...]
    """(operation id, operation id, why), at most AMBIGUOUS_MAX."""


def learn_templates(tree: Tree, names: Names) -> Templates:
    """The templates of all paths in TREE, which is consumed: merged nodes stay merged."""
    doubts: list[tuple[Node, Node, str]] = []
    for _ in range(ROUNDS):
        doubts.clear()
        _settle(tree.root, names, before="", depth=0, doubts=doubts)
    operations: list[Operation] = []
    where: dict[int, str] = {}
    _collect(tree.root, (), frozenset(), operations, where)
    ambiguous = [
        (f"{method} {where[id(a)]}", f"{method} {where[id(b)]}", why)
        for a, b, why in doubts
        if id(a) in where and id(b) in where
        for method in sorted(a.methods.keys() & b.methods.keys())
    ]
    return Templates(
        operations=tuple(sorted(operations)), ambiguous=tuple(ambiguous[:AMBIGUOUS_MAX])
    )


def _settle(
    node: Node, names: Names, *, before: str, depth: int, doubts: list[tuple[Node, Node, str]]
) -> None:
    """Merge what is one parameter at this level, then do the same below."""
    members = _values_among(node, names, before, depth, doubts)
    if members:
        param = node.params.get("")
        if param is None:
            param = node.params[""] = Node()
            param.members = 0
        for text in sorted(members):
            names.prove(text, before)
            child = node.children.pop(text)
            param.classes["name"] += child.requests
            if len(param.samples) < SAMPLES_MAX:
                param.samples.add(text)
            param.add(child)
    param = node.params.get("")
    if param is not None:
        for text, child in node.children.items():
            if _alike(child, param):
                doubts.append((child, param, f"`{text}` is answered like a value there"))
    doubts += _twins(node, names)
    for text, child in node.children.items():
        _settle(child, names, before=text, depth=depth + 1, doubts=doubts)
    for child in node.params.values():
        _settle(child, names, before=before, depth=depth + 1, doubts=doubts)


def _values_among(
    node: Node, names: Names, before: str, depth: int, doubts: list[tuple[Node, Node, str]]
) -> set[str]:
    """The literal children of NODE that are values of one parameter."""
    words = {text: child for text, child in node.children.items() if text}
    members = _families(words) | _codes(words) | _slugs(words) | _salad(words)
    members |= {t for t, child in words.items() if _named(t, child, names, before)}
    param = node.params.get("")
    for group in _groups(words, names):
        if _group_is_parameter(group, words, members, names, param, depth):
            members |= group
        else:
            doubts += [
                (words[a], words[b], f"`{a}` and `{b}` lead to the same segments")
                for a, b in combinations(sorted(group)[:SAMPLES_MAX], 2)
            ]
    if not members and param is None:
        return members
    return members | _absorbed(words, members, param, names)


def _twins(node: Node, names: Names) -> list[tuple[Node, Node, str]]:
    """Words that stayed words, are answered alike, and were seen as values somewhere."""
    words = sorted(t for t, c in node.children.items() if names.known(t) and not c.children)
    return [
        (node.children[a], node.children[b], f"`{a}` and `{b}` are answered alike")
        for a, b in combinations(words[:TWINS_MAX], 2)
        if _alike(node.children[a], node.children[b])
    ]


def _families(words: dict[str, Node]) -> set[str]:
    """`post-1`, `post-2`, `post-3`: one stem, several numbers."""
    stems: defaultdict[str, list[str]] = defaultdict(list)
    for text in words:
        if (split := numbered(text)) is not None:
            stems[split[0]].append(text)
    found: set[str] = set()
    for stem, texts in stems.items():
        separated = stem[-1] in "-_.:" and len(texts) > 1
        if len(texts) >= FAMILY_MIN or (
            separated and all(_alike(words[a], words[b]) for a, b in combinations(texts, 2))
        ):
            found |= set(texts)
    return found


def _codes(words: dict[str, Node]) -> set[str]:
    codes = {text for text in words if _CODE.fullmatch(text)}
    return codes if len(codes) > 1 else set()


def _slugs(words: dict[str, Node]) -> set[str]:
    slugs = {t for t in words if t.count("-") >= SLUG_HYPHENS or t.count("_") > SLUG_HYPHENS + 1}
    return slugs if len(slugs) >= SLUGS_MIN else set()


def _salad(words: dict[str, Node]) -> set[str]:
    """Letters nobody can pronounce, all of about one length."""
    salad = {text for text in words if text.isalnum() and not pronounceable(text)}
    lengths = {len(text) for text in salad}
    even = bool(lengths) and max(lengths) - min(lengths) <= 2
    return salad if even and len(salad) >= SALAD_MIN else set()


def _named(text: str, child: Node, names: Names, before: str) -> bool:
    """The bodies use this segment as an identifier."""
    if any(n >= child.passed[below] * ECHO_SHARE for below, n in child.echoes.items() if n):
        return True
    return text not in _CALLER and names.names_one_of(text, before)


def _groups(words: dict[str, Node], names: Names) -> list[set[str]]:
    """Siblings connected by a word below them that they share; a value below says nothing."""
    owners: defaultdict[str, list[str]] = defaultdict(list)
    values: set[str] = set()
    for text, child in words.items():
        for below, node in child.children.items():
            owners[below].append(text)
            if _named(below, node, names, text):
                values.add(below)
    group_of: dict[str, set[str]] = {}
    for below, texts in owners.items():
        if below in values:
            continue
        first = texts[0]
        for other in texts[1:]:
            if (
                first in _CALLER
                or other in _CALLER
                or not _requests_fit(words[first], words[other])
            ):
                continue
            joined = group_of.get(first, {first}) | group_of.get(other, {other})
            for text in joined:
                group_of[text] = joined
    return list({id(group): group for group in group_of.values()}.values())


def _group_is_parameter(
    group: set[str],
    words: dict[str, Node],
    members: set[str],
    names: Names,
    param: Node | None,
    depth: int,
) -> bool:
    if param is not None and any(param.children.keys() & words[t].children.keys() for t in group):
        return True
    named = group & members
    if len(named) * (3 if depth else 2) >= len(group):
        return True
    nodes = [words[text] for text in sorted(group)]
    collections = sum(bool(node.params) for node in nodes)
    if not depth or collections * 2 >= len(nodes):
        return False  # collections hold values, members hold words
    pairs = list(combinations(nodes[: SAMPLES_MAX * 2], 2))
    alike = [_alike_below(a, b) for a, b in pairs]
    if alike.count(False) * 2 > alike.count(True):
        return False
    if sum(names.known(text) for text in group) * 2 >= len(group):
        return True
    deep = sum(_shares_deeply(a, b) for a, b in pairs)
    return len(group) >= GROUP_MIN and deep * 2 >= len(pairs) and True in alike


def _shares_deeply(a: Node, b: Node) -> bool:
    """Two literal segments below are the same, side by side or one below the other."""
    common = a.children.keys() & b.children.keys()
    return len(common) > 1 or any(
        a.children[text].children.keys() & b.children[text].children.keys() for text in common
    )


def _absorbed(
    words: dict[str, Node], members: set[str], param: Node | None, names: Names
) -> set[str]:
    """Words that are values because the parameter beside them is proven."""
    proven = Node()
    proven.methods = {m: s for t in members for m, s in words[t].methods.items()}
    proven.children = {b: n for t in members for b, n in words[t].children.items()}
    lengths = {len(text) for text in (param.samples if param is not None else ())}
    if param is not None:
        proven.methods |= param.methods
        proven.children |= param.children
    rest = {text for text in words if text not in members and text not in _CALLER}
    prevailing = len(members) > 1 and len(members) >= PREVAILING * len(words)
    listed = {part for text in (param.samples if param else ()) for part in _LIST.split(text)}
    taken: set[str] = set()
    for text in rest:
        child = words[text]
        same_methods = bool(child.methods.keys() & proven.methods.keys())
        alike = _alike(child, proven)
        fits = _requests_fit(child, proven) and alike is not False
        shared = bool(child.children.keys() & proven.children.keys())
        near = bool(lengths) and min(lengths) - 1 <= len(text) <= max(lengths) + 1
        twin = alike is True and (len(text) in lengths or prevailing)
        absent = child.only_missing or (prevailing and not child.answered)
        known = text in listed or names.proven(text)
        salad = near and not pronounceable(text)
        if (same_methods and absent) or (fits and (shared or salad or twin or known)):
            taken.add(text)
    return taken


def _similar(a: set[str], b: set[str], enough: float) -> bool | None:
    """Whether two sets of keys are alike; None when one side shows nothing."""
    if not a or not b:
        return None
    return len(a & b) >= enough * len(a | b)


def _verdict(votes: Iterable[bool | None]) -> bool | None:
    known = [vote for vote in votes if vote is not None]
    return None if not known else sum(known) * 2 >= len(known)


def _alike(a: Node, b: Node) -> bool | None:
    """Whether both answer the same methods with the same shape; None when that is not known."""
    return _verdict(
        _similar(a.methods[m].answer_keys, b.methods[m].answer_keys, ALIKE)
        for m in a.methods.keys() & b.methods.keys()
    )


def _alike_below(a: Node, b: Node) -> bool | None:
    """The same of what they have in common below."""
    below = (_alike(a.children[t], b.children[t]) for t in a.children.keys() & b.children.keys())
    return _verdict((_alike(a, b), *below))


def _requests_fit(a: Node, b: Node) -> bool:
    """Whether nothing says that the two take different bodies, here or one level below."""
    votes = [
        _similar(a.methods[m].request_keys, b.methods[m].request_keys, REQUESTS_ALIKE)
        for m in a.methods.keys() & b.methods.keys()
    ]
    below = a.children.keys() & b.children.keys()
    votes += [
        _similar(x.methods[m].request_keys, y.methods[m].request_keys, REQUESTS_ALIKE)
        for x, y in ((a.children[t], b.children[t]) for t in below)
        for m in x.methods.keys() & y.methods.keys()
    ]
    return _verdict(votes) is not False


def _collect(
    node: Node,
    parts: tuple[str, ...],
    used: frozenset[str],
    operations: list[Operation],
    where: dict[int, str],
) -> None:
    """Write down the templates of NODE and of all below it."""
    template = "/" + "/".join(parts)
    where[id(node)] = template
    operations += [Operation(method=method, template=template) for method in sorted(node.methods)]
    for text, child in sorted(node.children.items()):
        _collect(child, (*parts, literal(text)), used, operations, where)
    for ending, child in sorted(node.params.items()):
        name = parameter_name(parts, child.classes.keys(), used)
        part = "{" + name + "}" + literal(ending)
        _collect(child, (*parts, part), used | {name}, operations, where)


def parameter_name(parts: tuple[str, ...], classes: Iterable[str], used: Iterable[str] = ()) -> str:
    """The name of the parameter after PARTS: of what it looks like, or of the segment before."""
    kinds = set(classes)
    before = parts[-1] if parts and "{" not in parts[-1] else ""
    words = [word for word in words_in(before) if word]
    if kinds == {"date"} or kinds == {"email"}:
        name = kinds.pop()
    elif words:
        name = "_".join([*words[:-1], singular(words[-1]), "id"])
    else:
        name = "id"
    taken = set(used)
    unique, number = name, 2
    while unique in taken:
        unique, number = f"{name}_{number}", number + 1
    return unique
