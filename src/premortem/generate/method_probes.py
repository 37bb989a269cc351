"""Requests with a method that the specification declares for no path like theirs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from msgspec.structs import replace

from premortem.domain.run import Case, Intent
from premortem.domain.template import split_template
from premortem.domain.traffic import OperationProfile, Profile
from premortem.generate.head_mutations import Mutation

METHODS = ("TRACE", "DELETE", "PUT", "PATCH", "POST", "GET")
"""Those that are tried; servers offer HEAD and OPTIONS by themselves."""
PROBED_MAX = 2
"""Of one path: what refuses methods is mostly the same code for all paths."""
_BODILESS = frozenset({"TRACE", "DELETE", "GET"})


def undeclared_methods(profile: Profile) -> Mapping[str, tuple[str, ...]]:
    """Operation id -> methods to try in its place; each path of the specification has them at
    its most used operation, and paths that may be the same one share what they declare.

    Empty without a specification: traffic does not tell what a path refuses.
    """
    by_template: defaultdict[str, list[OperationProfile]] = defaultdict(list)
    for operation in profile.operations:
        by_template[operation.operation.template].append(operation)
    by_depth: defaultdict[int, list[tuple[tuple[str, ...], set[str]]]] = defaultdict(list)
    for template, operations in by_template.items():
        segments = tuple(split_template(template))
        by_depth[len(segments)].append((segments, {o.operation.method for o in operations}))
    found: dict[str, tuple[str, ...]] = {}
    for index, (template, operations) in enumerate(by_template.items()):
        if not all(operation.in_spec for operation in operations):
            continue
        segments = tuple(split_template(template))
        taken = {
            method
            for other, methods in by_depth[len(segments)]
            if _may_meet(segments, other)
            for method in methods
        }
        free = [method for method in METHODS if method not in taken]
        if free:
            # TRACE says most; of the others each path gets another one.
            others = [method for method in free if method != "TRACE"]
            turned = others[index % len(others) :] + others if others else []
            chosen = (["TRACE"] if "TRACE" in free else []) + turned
            found[operations[0].id] = tuple(dict.fromkeys(chosen))[:PROBED_MAX]
    return found


def method_mutations(methods: tuple[str, ...]) -> Iterator[Mutation]:
    """A mutation for each of METHODS; a correct service refuses what it makes."""
    for method in methods:
        yield _with_method(method)


def _with_method(method: str) -> Mutation:
    intent = Intent(kind="adversarial", breaks=f"method {method}", expects="refusal", certain=True)

    def mutate(base: Case) -> Case:
        request = replace(base.request, method=method)
        bindings = base.bindings
        if method in _BODILESS:
            headers = tuple(pair for pair in request.headers if pair[0] != "content-type")
            request = replace(request, body=b"", headers=headers)
            bindings = tuple(b for b in bindings if b.place.part != "body")
        return replace(
            base,
            request=request,
            bindings=bindings,
            intent=intent,
            recorded_status=0,
            recorded_reason="",
        )

    return mutate


def _may_meet(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Whether one path can be of both templates."""
    return all(a == b or "{" in a or "{" in b for a, b in zip(one, other, strict=True))
