"""The items of a list inside a YAML document, one at a time: a long cassette need not fit.

Built on PyYAML's events; its tags for text, numbers, booleans, null and binary are understood.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import yaml

from premortem.capture.split import BadDocument

Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml where PyYAML was built with it: ten times faster."""

DEPTH_MAX = 100
ANCHORS_MAX = 100_000
_BINARY = ("tag:yaml.org,2002:binary", "!binary")
_TRUE = ("true", "yes", "on")


def _integer(text: str) -> int | str:
    try:
        return int(text)
    except ValueError:
        return text  # octal, sexagesimal and the like: nothing in a recording is meant so


_PLAIN: dict[str, Callable[[str], Any]] = {
    "tag:yaml.org,2002:null": lambda _text: None,
    "tag:yaml.org,2002:bool": lambda text: text.lower() in _TRUE,
    "tag:yaml.org,2002:int": _integer,
}


class YamlItems:
    """The items of the first list that stands under KEY at the top of a document."""

    def __init__(self, stream: Any, key: str) -> None:
        self._loader = Loader(stream)
        self._key = key
        self._anchors: dict[str, Any] = {}
        self.begun = False
        self.line = 0
        """Of the item that was given last, from 1."""

    def __iter__(self) -> Iterator[Any]:
        """Raises BadDocument where the text is no YAML, or holds no such list."""
        try:
            yield from self._items()
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            place = f" in line {mark.line + 1}" if mark else ""
            problem = getattr(error, "problem", None) or "it is no text"
            raise BadDocument(f"{problem}{place}") from None
        except RecursionError:
            raise BadDocument("it is nested too deeply") from None
        finally:
            self._loader.dispose()

    def _items(self) -> Iterator[Any]:
        event = self._next()
        while isinstance(event, yaml.StreamStartEvent | yaml.DocumentStartEvent):
            event = self._next()
        if not isinstance(event, yaml.MappingStartEvent):
            raise BadDocument("it does not begin with a mapping")
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            name = self._value(event, 0)
            event = self._next()
            if name == self._key and isinstance(event, yaml.SequenceStartEvent):
                self.begun = True
                while not isinstance(event := self._next(), yaml.SequenceEndEvent):
                    self.line = event.start_mark.line + 1
                    yield self._value(event, 0)
                    self._forget()
            else:
                self._value(event, 0)
        if not self.begun:
            raise BadDocument(f"it holds no list of {self._key}")

    def _next(self) -> Any:
        return self._loader.get_event()

    def _forget(self) -> None:
        if len(self._anchors) > ANCHORS_MAX:
            raise BadDocument(f"it has more than {ANCHORS_MAX} anchors")

    def _value(self, event: Any, depth: int) -> Any:
        """What begins with EVENT, as a Python value."""
        if depth > DEPTH_MAX:
            self._fail("it is nested too deeply", event)
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                self._fail(f"the alias {event.anchor!r} stands for nothing", event)
            return self._anchors[event.anchor]
        value: Any
        if isinstance(event, yaml.ScalarEvent):
            value = self._scalar(event)
        elif isinstance(event, yaml.SequenceStartEvent):
            value = []
            while not isinstance(inner := self._next(), yaml.SequenceEndEvent):
                value.append(self._value(inner, depth + 1))
        elif isinstance(event, yaml.MappingStartEvent):
            value = {}
            while not isinstance(inner := self._next(), yaml.MappingEndEvent):
                name = self._value(inner, depth + 1)
                name = name if isinstance(name, str | int | float | bool | None) else str(name)
                value[name] = self._value(self._next(), depth + 1)
        else:
            self._fail("it ends too early", event)
        if event.anchor:
            self._anchors[event.anchor] = value
        return value

    def _scalar(self, event: Any) -> Any:
        tag = event.tag
        if tag is None or tag == "!":
            tag = self._loader.resolve(yaml.ScalarNode, event.value, event.implicit)
        if tag in _BINARY:
            try:
                return b64decode(event.value)
            except ValueError:
                return event.value
        convert = _PLAIN.get(tag)
        return convert(event.value) if convert else event.value

    def _fail(self, reason: str, event: Any) -> NoReturn:
        raise BadDocument(f"{reason} in line {event.start_mark.line + 1}")
