"""The skill GenerateAuthorizationAssertions: what a test asserts of a denial."""

from __future__ import annotations

from msgspec import Struct

from premortem.errors import InputError
from premortem.pipeline.skills.skill import Room, Skill


class Outcome(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a request was or is to be answered."""

    status: int
    location: str = ""
    """Of a redirect: where to."""
    error: str = ""
    """The code in the answer's body."""
    error_field: str = "/error"
    """JSON pointer to it."""


class AssertionsFor(Struct, frozen=True, kw_only=True):
    """What a test asserts of the outcome."""

    denied: bool
    """401, 403, or sent to where one signs in."""
    means: str
    steps: tuple[str, ...]
    """Of the catalogue."""
    csharp: tuple[str, ...]
    pytest: tuple[str, ...]


_MEANS = {401: "who it is was not known", 403: "it is known who it is, and they may not"}
_NAMES = {401: "Unauthorized", 403: "Forbidden", 302: "Found", 303: "SeeOther"}
_REDIRECTS = (301, 302, 303, 307, 308)
_SIGN_IN = ("login", "signin", "sign-in", "sign_in", "auth", "oauth", "sso", "session")


def generate_authorization_assertions(
    room: Room,  # noqa: ARG001 - a skill's signature
    outcome: Outcome,
) -> AssertionsFor:
    """The skill GenerateAuthorizationAssertions: 401, 403 or a redirect as assertions.

    A redirect is a denial where it leads to where one signs in. Raises InputError for a status
    that is neither.
    """
    status, where = outcome.status, outcome.location
    sent_away = status in _REDIRECTS and any(word in where.lower() for word in _SIGN_IN)
    if status not in _MEANS and status not in _REDIRECTS:
        raise InputError(f"{status} is no outcome of authorization: 401, 403 or a redirect is")
    named = _NAMES.get(status, "")
    expected = f"HttpStatusCode.{named}" if named else f"(HttpStatusCode){status}"
    steps = [f"the response status is {status}"]
    csharp = [f"Assert.AreEqual({expected}, response.StatusCode);"]
    pytest = [f"assert response.status_code == {status}"]
    if where and status in _REDIRECTS:
        steps.append(f'the response header "location" equals "{where}"')
        csharp.append(f'Assert.AreEqual("{where}", response.Headers.Location?.ToString());')
        pytest.append(f'assert response.headers["location"] == "{where}"')
    if outcome.error:
        pointer, name = outcome.error_field, outcome.error_field.strip("/")
        steps.append(f'the response field "{pointer}" equals "{outcome.error}"')
        csharp.append(
            f'StringAssert.Contains(await response.Content.ReadAsStringAsync(), "{outcome.error}");'
        )
        keys = "".join(f'["{key}"]' for key in name.split("/"))
        pytest.append(f'assert response.json(){keys} == "{outcome.error}"')
    return AssertionsFor(
        denied=status in _MEANS or sent_away,
        means=_MEANS.get(status, "it is to be signed in first" if sent_away else "it moved"),
        steps=tuple(steps),
        csharp=tuple(csharp),
        pytest=tuple(pytest),
    )


ASSERTION_SKILL = Skill(
    name="GenerateAuthorizationAssertions",
    part="security",
    does="401, 403 or a redirect as assertions of scenarios, C# and Python.",
    asks=Outcome,
    perform=generate_authorization_assertions,
)
