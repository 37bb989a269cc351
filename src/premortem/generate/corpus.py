"""What is kept of a run to make further cases of: requests that were news, and live values."""

from __future__ import annotations

import re
from collections.abc import Iterator
from collections.abc import Sequence as Many

import numpy as np
from msgspec import Struct

from premortem.domain.bodies import leaves, read_body, text_of
from premortem.domain.run import Case
from premortem.domain.template import split_template
from premortem.domain.tokens import holds_token
from premortem.domain.traffic import Response

ENTRIES_MAX = 48
"""Requests kept of one operation; the ones worth least go first."""
VALUES_MAX = 24
"""Live values kept under one name; the latest stay."""
NAMES_MAX = 4_000
VALUE_LENGTH_MAX = 200
WORDS_MAX = 48
"""Words of refusals kept for one operation."""
LEAVES_READ_MAX = 300
"""Values of one answer that are looked at."""
_SECRET = re.compile(r"pass|secret|token|key|auth|cookie|credential|signature", re.IGNORECASE)
_QUOTED = re.compile(r"'([^'\n]{1,60})'|\"([^\"\n]{1,60})\"|`([^`\n]{1,60})`")
_IDENTIFYING = frozenset({"id", "_id", "uuid", "guid", "name", "key", "slug", "identifier", "code"})


class Entry(Struct, kw_only=True):
    """A request that was news."""

    case: Case
    worth: float
    picked: int = 0

    @property
    def energy(self) -> float:
        """How much it deserves to be altered, beside others."""
        return self.worth / (1 + self.picked)


class Corpus:
    """Requests worth altering further, by operation."""

    def __init__(self) -> None:
        self._entries: dict[str, list[Entry]] = {}

    def add(self, case: Case, worth: float) -> None:
        """CASE was news."""
        entries = self._entries.setdefault(case.operation_id, [])
        entries.append(Entry(case=case, worth=worth))
        if len(entries) > ENTRIES_MAX:
            entries.remove(min(entries, key=lambda entry: entry.energy))

    def pick(self, operation_id: str, rng: np.random.Generator) -> Case | None:
        """One of OPERATION_ID's requests, by energy; it has less from now on."""
        entries = self._entries.get(operation_id)
        if not entries:
            return None
        energies = np.array([entry.energy for entry in entries])
        entry = entries[int(rng.choice(len(entries), p=energies / energies.sum()))]
        entry.picked += 1
        return entry.case

    def any(self, rng: np.random.Generator) -> Case | None:
        """A request of any operation."""
        if not self._entries:
            return None
        names = tuple(self._entries)
        entries = self._entries[names[int(rng.integers(len(names)))]]
        return entries[int(rng.integers(len(entries)))].case

    def __len__(self) -> int:
        return sum(map(len, self._entries.values()))


class Live:
    """Values that the target itself told in this run, by the name under which it did."""

    def __init__(self) -> None:
        self._values: dict[str, dict[object, None]] = {}
        self._words: dict[str, dict[str, None]] = {}
        self._members: dict[str, dict[str, None]] = {}

    def learn(self, case: Case, template: str, response: Response) -> None:
        """Remember what RESPONSE to CASE, sent to TEMPLATE, told."""
        try:
            body = read_body(response)
        except ValueError:
            return
        version = response.header("etag")
        if version:
            self._add("etag header", version)
        if 200 <= response.status < 300:
            members = self._members.setdefault(case.operation_id, {})
            collection = _collection(template)
            for index, (place, value) in enumerate(leaves(body)):
                if index >= LEAVES_READ_MAX:
                    break
                name = next((t for t in reversed(place.tokens) if not t.isdigit()), "")
                self._add(name, value)
                if len(members) < WORDS_MAX:
                    members[name] = None
                if name.lower() in _IDENTIFYING and collection:
                    self._add(f"{_singular(collection)}_{name}", value)
                    self._add(_singular(collection), value)
        elif 400 <= response.status < 500 and body is not None:
            words = self._words.setdefault(case.operation_id, {})
            for _, value in leaves(body):
                if isinstance(value, str) and len(words) < WORDS_MAX:
                    words.update(dict.fromkeys(_quoted(value)))

    def _add(self, name: str, value: object) -> None:
        if value is None or value == "" or not isinstance(value, str | int | float | bool):
            return
        text = value if isinstance(value, str) else ""
        if len(text) > VALUE_LENGTH_MAX or _SECRET.search(name) or holds_token(text):
            return
        key = plain(name)
        if key not in self._values and len(self._values) >= NAMES_MAX:
            return
        values = self._values.setdefault(key, {})
        values.pop(value, None)
        values[value] = None
        if len(values) > VALUES_MAX:
            del values[next(iter(values))]

    def of(self, name: str) -> Many[object]:
        """The latest values under a name like NAME, last ones last."""
        return tuple(self._values.get(plain(name), ()))

    def names(self) -> Many[str]:
        """All names that values stand under."""
        return tuple(self._values)

    def members(self, operation_id: str) -> Many[str]:
        """Names of members that answers of OPERATION_ID had."""
        return tuple(self._members.get(operation_id, ()))

    def words(self, operation_id: str) -> Many[str]:
        """What refusals of OPERATION_ID put in quotes: members, choices, formats."""
        return tuple(self._words.get(operation_id, ()))

    def of_segment(self, template: str, index: int) -> Many[object]:
        """Values that may stand in the parameter at segment INDEX of TEMPLATE."""
        segments = split_template(template)
        name = segments[index].strip("{}")
        above = segments[index - 1] if index else ""
        found: dict[object, None] = dict.fromkeys(self.of(name))
        if above and "{" not in above:
            found.update(dict.fromkeys(self.of(_singular(above))))
        if name.endswith(("_id", "Id", "ID", "_name")):
            found.update(dict.fromkeys(self.of(re.sub(r"_?(id|Id|ID|name)$", "", name))))
        return tuple(value for value in found if "/" not in text_of(value))


def plain(name: str) -> str:
    """NAME without case and separators: `datasetId` and `dataset_id` name the same thing."""
    return "".join(c for c in name.lower() if c.isalnum())


def _collection(template: str) -> str:
    """The last segment of TEMPLATE that is no parameter: what its answers are about."""
    return next((s for s in reversed(split_template(template)) if "{" not in s), "")


def _singular(word: str) -> str:
    if word.endswith("ies"):
        return word[:-3] + "y"
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word


def _quoted(text: str) -> Iterator[str]:
    for match in _QUOTED.finditer(text[:2_000]):
        word = next(filter(None, match.groups()), "")
        if word and not _SECRET.search(word):
            yield word
