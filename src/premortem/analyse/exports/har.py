"""Findings as an HTTP Archive, version 1.2."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from premortem.domain.run import Finding, Sent
from premortem.domain.traffic import Pairs, Request, Response

_SECRET = frozenset({"authorization", "proxy-authorization", "cookie", "set-cookie"})


def har(findings: Iterable[Finding], *, base_url: str, version: str) -> str:
    """FINDINGS as HAR: an entry for each request, pages for the findings.

    Only the last request of a finding has an answer; those before it have status 0. Credentials
    are left out. VERSION: Premortem's.
    """
    pages: list[dict[str, Any]] = []
    entries: list[dict[str, Any]] = []
    for finding in findings:
        at = _time(finding.sent.intended_at or finding.first_seen_at)
        title = f"{finding.id} {finding.operation_id}: {finding.title}"
        pages.append({"startedDateTime": at, "id": finding.id, "title": title, "pageTimings": {}})
        entries += _entries(finding, at, base_url)
    log = {
        "version": "1.2",
        "creator": {"name": "premortem", "version": version},
        "pages": pages,
        "entries": entries,
    }
    return msgspec.json.format(msgspec.json.encode({"log": log}), indent=2).decode() + "\n"


def _entries(finding: Finding, at: str, base_url: str) -> Iterator[dict[str, Any]]:
    *before, _ = finding.sequence.cases
    sents = [Sent(request=case.request) for case in before]
    for sent, case in zip([*sents, finding.sent], finding.sequence.cases, strict=True):
        entry = {
            "pageref": finding.id,
            "startedDateTime": at,
            "time": sent.duration_ms,
            "request": _request(sent.request, base_url),
            "response": _response(sent.response),
            "cache": {},
            "timings": {"send": 0, "wait": sent.duration_ms, "receive": 0},
        }
        comment = f"as {case.role}" if case.role else ""
        if sent.response is None and sent.fault is None:
            comment = f"{comment}; goes before the one that fails".strip("; ")
        yield entry | {"comment": comment}


def _request(request: Request, base_url: str) -> dict[str, Any]:
    url = base_url.rstrip("/") + quote(request.path, safe="/~@:!$&'()*+,;=%")
    if request.query:
        url += "?" + urlencode(request.query, quote_via=quote)
    made: dict[str, Any] = {
        "method": request.method,
        "url": url,
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": _pairs(request.headers),
        "queryString": _pairs(request.query),
        "headersSize": -1,
        "bodySize": len(request.body),
    }
    if request.body:
        made["postData"] = {
            "mimeType": request.header("content-type") or "",
            "text": request.body.decode("utf-8", "replace"),
        }
    return made


def _response(response: Response | None) -> dict[str, Any]:
    if response is None:
        response = Response(status=0)
    known = response.status in HTTPStatus.__members__.values()
    content: dict[str, Any] = {
        "size": len(response.body),
        "mimeType": response.header("content-type") or "",
    }
    try:
        content["text"] = response.body.decode()
    except UnicodeDecodeError:
        content |= {"text": base64.b64encode(response.body).decode(), "encoding": "base64"}
    return {
        "status": response.status,
        "statusText": HTTPStatus(response.status).phrase if known else "",
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": _pairs(response.headers),
        "content": content,
        "redirectURL": response.header("location") or "",
        "headersSize": -1,
        "bodySize": len(response.body),
    }


def _pairs(pairs: Pairs) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in pairs if name not in _SECRET]


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
