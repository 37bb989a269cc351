"""Methods that a specification does not declare."""

from __future__ import annotations

from msgspec.structs import replace

from premortem.domain.run import Case, Origin
from premortem.domain.traffic import Operation, OperationProfile, Profile, Request, Timing
from premortem.generate.method_probes import PROBED_MAX, method_mutations, undeclared_methods


def known(*ids: str, in_spec: bool = True) -> Profile:
    operations = []
    for id_ in ids:
        method, _, template = id_.partition(" ")
        operations.append(
            OperationProfile(
                operation=Operation(method=method, template=template), count=1, in_spec=in_spec
            )
        )
    return Profile(
        version="0" * 12,
        created_at=0.0,
        exchanges=1,
        sessions=1,
        origins=(),
        operations=tuple(operations),
        timing=Timing(first_at=0, last_at=1, rate_per_second=1, hours=(0,) * 24),
    )


def test_each_path_is_tried_with_methods_that_it_does_not_declare():
    found = undeclared_methods(known("GET /a", "POST /a", "GET /b/{id}"))
    assert set(found) == {"GET /a", "GET /b/{id}"}
    assert all(len(methods) == PROBED_MAX for methods in found.values())
    assert all("TRACE" in methods for methods in found.values())
    assert not {"GET", "POST"} & set(found["GET /a"])
    assert "GET" not in found["GET /b/{id}"]


def test_paths_that_may_be_one_share_what_they_declare():
    others = [f"{method} /a/latest" for method in ("PUT", "PATCH", "DELETE", "POST", "TRACE")]
    assert not undeclared_methods(known("GET /a/{id}", *others))


def test_traffic_alone_does_not_tell_what_a_path_refuses():
    assert not undeclared_methods(known("GET /a", in_spec=False))


def test_a_probe_keeps_everything_else_and_says_what_is_wrong():
    request = Request(
        method="POST", origin="", path="/a", body=b"{}", headers=(("content-type", "x"),)
    )
    base = Case(request=request, operation_id="POST /a", origin=Origin(source="sample"), role="ann")
    put, trace = (mutate(base) for mutate in method_mutations(("PUT", "TRACE")))
    assert put == replace(
        base, request=replace(request, method="PUT"), intent=put.intent if put else base.intent
    )
    assert put is not None
    assert trace is not None
    assert (put.intent.breaks, put.intent.expects) == ("method PUT", "refusal")
    assert (trace.request.body, trace.request.headers) == (b"", ())
