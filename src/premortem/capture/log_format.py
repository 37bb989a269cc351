"""The text formats of access logs: common, combined, a load balancer's, and custom ones.

A format is what nginx's `log_format` or Apache's `LogFormat` says, compiled into a pattern.
"""

from __future__ import annotations

import re
from itertools import pairwise

from premortem.capture.log_fields import plan
from premortem.errors import InputError

FORMAT_LENGTH_MAX = 4096
VARIABLES_MAX = 99
"""Of one format."""

_QUOTED = r'(?:[^"\\]|\\.)*+'
_COMBINED = re.compile(
    r"(?:(?P<vhost>[^\s:]+:\d+) )?"
    r"(?P<remote_addr>\S+) \S+ (?P<remote_user>[^\[\]]*) \[(?P<time_local>[^\]]+)\] "
    rf'"(?P<request>{_QUOTED})" (?P<status>\d{{3}}|-) (?:\d+|-)'
    rf'(?: "(?P<http_referer>{_QUOTED})" "(?P<http_user_agent>{_QUOTED})")?(?P<rest>(?: .*+)?)',
    re.DOTALL,
)
"""Common and combined, with a virtual host before or anything after."""
_BALANCER = re.compile(
    r"(?P<type>https?|h2|grpcs|wss?) (?P<time>\d{4}-\d\d-\d\dT\S+) \S+ (?P<client>\S+) \S+ "
    r"(?P<taken>-?[\d.]+ -?[\d.]+ -?[\d.]+) (?P<status>\d+|-) \S+ \S+ \S+ "
    rf'"(?P<request>{_QUOTED})" "(?P<http_user_agent>{_QUOTED})"(?P<rest>.*+)',
    re.DOTALL,
)
"""AWS Application Load Balancer, access log entries."""
_REQUEST_TIME = re.compile(r"(?:(\w+)=)?\"?(\d+\.\d{3})\"?")
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_DIRECTIVE = re.compile(r"%[<>!,\d]*(?:\{([^}]+)\})?([a-zA-Z])")
_STATEMENT = re.compile(r"\s*log_format\s+\S+\s+(?:escape=\w+\s+)?(.*?);?\s*", re.DOTALL)
_SEAM = re.compile(r"'\s*'")
_APACHE = {
    "h": "remote_addr",
    "a": "remote_addr",
    "l": "ident",
    "u": "remote_user",
    "r": "request",
    "s": "status",
    "b": "body_bytes_sent",
    "B": "body_bytes_sent",
    "O": "bytes_sent",
    "I": "request_length",
    "D": "request_time_us",
    "T": "request_time",
    "v": "server_name",
    "V": "server_name",
    "p": "server_port",
    "m": "request_method",
    "U": "uri",
    "q": "args",
    "H": "server_protocol",
}
Values = dict[str, str]


def combined(line: str) -> Values | None:
    """The fields of LINE in common or combined format, by nginx's names; None when it is not."""
    found = _COMBINED.fullmatch(line)
    if found is None:
        return None
    values = {name: text for name, text in found.groupdict().items() if text is not None}
    vhost = values.pop("vhost", "")
    if vhost:
        values["host"] = vhost
    rest = values.pop("rest", "")
    if rest:
        # What people append: `rt=0.012`, or nginx's request time, always with three decimals.
        for name, number in _REQUEST_TIME.findall(rest):
            if name in ("", "rt", "request_time", "time", "duration"):
                values["request_time"] = number
                break
    return values


def balancer(line: str) -> Values | None:
    """The fields of LINE as a load balancer of AWS writes them; None when it is not."""
    found = _BALANCER.fullmatch(line)
    if found is None:
        return None
    values = {name: text for name, text in found.groupdict().items() if name != "rest"}
    taken = [float(part) for part in values.pop("taken").split()]
    if min(taken) >= 0:
        values["request_time"] = f"{sum(taken):.3f}"
    values["client"] = values["client"].rpartition(":")[0]
    return values


class LogFormat:
    """A custom format, compiled."""

    def __init__(self, text: str) -> None:
        """Raises InputError when TEXT names no request."""
        self._text = text
        self._names: list[str] = []
        self._pattern = self._compiled(text)
        if not plan(self._names).usable:
            raise InputError(
                f"the log format {text[:80]!r} names no request; copy the format from the server's "
                f"configuration, with $request, or $request_method and $request_uri"
            )

    def __call__(self, line: str) -> Values | None:
        """The fields of LINE by nginx's names; None when it has another format."""
        found = self._pattern.fullmatch(line)
        if found is None:
            return None
        return dict(zip(self._names, found.groups(), strict=True))

    def _compiled(self, text: str) -> re.Pattern[str]:
        if len(text) > FORMAT_LENGTH_MAX:
            raise InputError(f"a log format has at most {FORMAT_LENGTH_MAX} characters")
        statement = _STATEMENT.fullmatch(text)
        text = _SEAM.sub("", statement[1] if statement else text).strip("'")
        text = text.replace('\\"', '"')
        if "$" not in text:
            text = _DIRECTIVE.sub(_variable, text)
        pieces: list[str] = []
        position = 0
        for found in _VARIABLE.finditer(text):
            pieces.append(text[position : found.start()])
            self._names.append(found[1] or found[2])
            position = found.end()
        pieces.append(text[position:])
        if len(self._names) > VARIABLES_MAX:
            raise InputError(f"a log format has at most {VARIABLES_MAX} variables")
        pattern = re.escape(pieces[0])
        for before, after in pairwise(pieces):
            pattern += f"({_run(before, after)}){re.escape(after)}"
        return re.compile(pattern, re.DOTALL)


def _variable(found: re.Match[str]) -> str:
    """Apache's directive as nginx's variable."""
    argument, letter = found[1], found[2]
    if letter == "t":
        return f"${{time_{argument.strip('%')}}}" if argument else "[${time_local}]"
    if argument and letter in ("i", "o"):
        side = "http_" if letter == "i" else "sent_http_"
        return f"${{{side}{argument.lower().replace('-', '_')}}}"
    if argument and letter == "T":
        return f"${{request_time_{argument}}}"
    return f"${{{_APACHE.get(letter, f'unknown_{letter}')}}}"


def _run(before: str, after: str) -> str:
    """The pattern of a value between the literals BEFORE and AFTER, without backtracking."""
    if not after:
        return ".*+"
    if after[0] == '"' and before.endswith('"'):
        return _QUOTED
    if len(after) == 1:
        return rf"[^{re.escape(after)}]*+"
    return rf"(?:(?!{re.escape(after)}).)*+"
