"""Notes of gaps, alerts and bugs in the words of those who write them, read into their parts.

"No BDD scenario for CFO role in ApproveInvoice", "CFO not tested in enterprise edition",
"500 errors during partial refund flow", "Bug #4812: missing test for customer type = corporate".
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from typing import Any

import yaml
from msgspec.structs import replace

from premortem.domain.proposal import Signal
from premortem.errors import InputError

INPUT_BYTES_MAX = 1_000_000

_UNTESTED = re.compile(
    r"\b(?:no|missing|lacks?)\b[\w ]*?\b(?:tests?|scenarios?)\b(?: \w+)?? for (?:the )?"
    r"(?P<role>[A-Za-z]\w*)(?: role)? in (?P<handler>[A-Za-z]\w*)",
    re.IGNORECASE,
)
_NOT_TESTED = re.compile(
    r"\b(?P<role>[A-Za-z]\w*) (?:role )?(?:is |was )?not tested in (?:the )?"
    r"(?P<edition>\w+) edition\b",
    re.IGNORECASE,
)
_BUG = re.compile(r"^\s*(?:bug|issue|ticket|defect)?\s*(?P<id>#\d+)\s*:?\s*", re.IGNORECASE)
_VALUE = re.compile(
    r"\b(?:missing|no) tests? for (?P<field>[a-z][\w ]*?) ?= ?(?P<value>[\w.-]+)", re.IGNORECASE
)
_CAUSED = re.compile(
    r"^(?:an? |the )?(?P<role>[A-Za-z]\w*)(?: user| role)? (?:caused|triggered|ran into|hit) ",
    re.IGNORECASE,
)
"""Who broke something got further than they may: their being kept out is what to test."""
_ALERT = re.compile(
    r"^\W*(?:telemetry shows |spike in |surge in |repeated )*(?:a |high |many )*"
    r"(?P<status>[45]\d\d)s?(?: \w+)? errors? (?:during|for|on|in|of) (?:the )?",
    re.IGNORECASE,
)


def read_note(signal: Signal, *, roles: Collection[str]) -> tuple[Signal, str]:
    """SIGNAL with what its text says in the manner of such notes, and the question in it. What it
    brought itself stays.

    ROLES: a gap of a role is one only where the role is known.
    """
    known = {role.lower(): role for role in roles}
    text = signal.text
    alert = _ALERT.match(text)
    if alert is not None:
        kind = signal.kind if signal.kind != "prompt" else "telemetry"
        status = signal.status or int(alert["status"])
        return replace(signal, kind=kind, status=status), text[alert.end() :]
    caused = _CAUSED.match(text)
    if caused is not None and caused["role"].lower() in known:
        role = known[caused["role"].lower()]
        return replace(signal, role=role), f"What if {role} does it without permission?"
    bug = _BUG.match(text)
    if bug is not None:
        signal = replace(signal, kind="bug", origin=signal.origin or bug["id"])
    value = _VALUE.search(text)
    if value is not None:
        pair = (_camel(value["field"]), json.dumps(value["value"]))
        return replace(signal, field_values=signal.field_values or (pair,)), text
    for pattern in (_UNTESTED, _NOT_TESTED):
        found = pattern.search(text)
        if found is not None and found["role"].lower() in known:
            said = found.groupdict()
            gap = replace(
                signal,
                kind="coverage" if signal.kind in ("prompt", "instruction") else signal.kind,
                role=known[found["role"].lower()],
                handler=signal.handler or said.get("handler", ""),
                edition=signal.edition or said.get("edition", ""),
            )
            return gap, text
    return signal, text


def read_enriched(text: str, *, source: str) -> Signal:
    """A question enriched with what is known around it, as YAML: `qa_prompt`, `trace_id`,
    `blueprint_id`, `existing_coverage` with `roles_missing`, `telemetry` with `recent_errors`.

    SOURCE names it in messages. Raises InputError when it is no such mapping.
    """
    if len(text) > INPUT_BYTES_MAX:
        raise InputError(f"{source} has more than {INPUT_BYTES_MAX:,} characters; shorten it")
    try:
        found = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        first = str(error).splitlines()[0]
        raise InputError(f"{source} is no YAML: {first}; mend it there") from None
    if not isinstance(found, dict) or not found.get("qa_prompt"):
        raise InputError(f"{source} has no `qa_prompt`; say there what could go wrong")
    errors = _mapping(found.get("telemetry")).get("recent_errors")
    listed = errors if isinstance(errors, list) else []
    seen = {key: value for entry in listed for key, value in _mapping(entry).items()}
    missing = _mapping(found.get("existing_coverage")).get("roles_missing")
    status = str(seen.get("code", ""))
    return Signal(
        kind="prompt",
        text=str(found["qa_prompt"]),
        trace_id=str(found.get("trace_id", "")),
        blueprint_id=str(found.get("blueprint_id", "")),
        handler=str(found.get("handler", "")),
        edition=str(found.get("edition", "")),
        roles=tuple(map(str, missing)) if isinstance(missing, list) else (),
        event=str(seen.get("event", "")),
        status=int(status) if status.isdigit() else 0,
        payload=_payload(seen.get("payload")),
    )


def _mapping(found: object) -> Mapping[str, Any]:
    return found if isinstance(found, dict) else {}


def _payload(found: object) -> str:
    """JSON text of what a log shows of a request: `RefundAmount: null`."""
    try:
        read = yaml.safe_load(found) if isinstance(found, str) else found
    except yaml.YAMLError:
        read = found
    return "" if read is None else json.dumps(read, default=str)


def _camel(words: str) -> str:
    first, *rest = words.split()
    return first.lower() + "".join(word.capitalize() for word in rest)
