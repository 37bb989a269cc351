"""Operators about tokens: forged in every way that a correct service refuses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct
from msgspec.structs import replace

from premortem.domain.run import SAFE_METHODS, Sequence
from premortem.domain.token_change import FORGERIES, Forgery, Needs, TokenChange
from premortem.domain.traffic import Exchange, Profile
from premortem.generate.order_access import read_by_most
from premortem.generate.order_kit import Kit, loose
from premortem.generate.replay import CREDENTIAL_HEADERS, UNKNOWN
from premortem.generate.starts import Start
from premortem.generate.steps import tried

FORGED = "auth token "
"""Begins `breaks` of a case with a forged token; the forgery's name follows. What begins with
`auth` is sent with no other credentials than its own."""
JWT_CHARS_MIN = 70
"""A shorter credential is no signed JSON Web Token: its header and signature alone are that
long."""
BOUND_MAX = 4
"""Operations on which a token is tried that is wrong for what the request names."""
EXCHANGES_READ_MAX = 2_000


class TokenKeys(Struct, frozen=True, kw_only=True):
    """What there is to forge tokens with."""

    forge: bool = True
    key: str = ""
    """`${NAME}` of the variable with the key that signs tokens; empty: there is none."""
    algorithm: str = ""
    """Empty: the token's own."""
    public: str = ""
    """A path of the target or a file with the keys that verify them; empty: as the profile tells.
    """


def forged(
    kit: Kit, start: Start, *, keys: TokenKeys, roles: tuple[str, ...]
) -> Iterator[Sequence | None]:
    """A request with a role's own token, without any, and with a forged one: only the first may
    be let through."""
    if not keys.forge or start.final.request.method not in SAFE_METHODS or not _reads(start):
        return
    first = start.operation.id == read_by_most(kit)
    if not first and start.operation.id not in _bound(kit):
        return
    role = start.final.role
    if not role or role == UNKNOWN or not _is_signed(kit.exchanges, role):
        return
    public = keys.public or _published(kit.profile)
    for forgery in FORGERIES.values():
        if forgery.bound == first:
            continue
        if (forgery.needs == "key" and not keys.key) or (
            forgery.needs == "public key" and not public
        ):
            continue
        others = _others(kit, role, roles) if _borrows(forgery) else [""]
        for other in others:
            change = TokenChange(
                key=keys.key if forgery.needs == "key" else "",
                algorithm=keys.algorithm if forgery.needs == "key" else "",
                forgery=forgery.name,
                other=other,
                public=public if forgery.needs == "public key" else "",
            )
            yield _tried(kit, start, change)


def left_out(
    profile: Profile, exchanges: Mapping[str, Exchange], keys: TokenKeys
) -> tuple[str, ...]:
    """Forgeries that cannot be made, and why: a line for each reason. Nothing where no role's
    credentials can be JSON Web Tokens."""
    roles = {role for operation in profile.operations for role in operation.roles} - {"", UNKNOWN}
    if not any(_is_signed(exchanges, role) for role in roles):
        return ()
    if not keys.forge:
        return ("no token is forged: `forge = false` under [tokens]",)
    lacks: list[tuple[Needs, bool, str]] = [
        ("key", not keys.key, "`key` under [tokens] names no key that signs tokens"),
        (
            "public key",
            not (keys.public or _published(profile)),
            "nobody says where the public keys are (`public` under [tokens])",
        ),
        ("other", len(roles) < 2, "there is one role only"),
    ]
    return tuple(
        f"tokens not forged ({', '.join(_needing(needs))}): {why}"
        for needs, missing, why in lacks
        if missing
    )


def _needing(needs: Needs) -> list[str]:
    return [forgery.name for forgery in FORGERIES.values() if forgery.needs == needs]


def _tried(kit: Kit, start: Start, change: TokenChange) -> Sequence | None:
    row, final = kit.row(start), start.final
    good = row.add(loose(final))
    without = row.add(loose(replace(final, role="")))
    last = tried(
        replace(final, token=change),
        kit.origin,
        operator="forged token",
        breaks=FORGED + change.forgery,
        expects="denied",
        against=without,
        if_passed=good,
    )
    return row.ending(last)


def _borrows(forgery: Forgery) -> bool:
    return forgery.needs == "other" or forgery.bound


def _others(kit: Kit, role: str, roles: tuple[str, ...]) -> list[str]:
    """Roles whose tokens may hold other claims; of all that there are credentials of."""
    known = {name for operation in kit.profile.operations for name in operation.roles}
    wanted = set(roles) & known if roles else known
    return sorted(wanted - {"", UNKNOWN, role})[:2]


def _bound(kit: Kit) -> list[str]:
    """Operations that name something in their path, and need nothing made before."""
    found = []
    for operation in kit.profile.operations:
        start = kit.recorded(operation.id)
        named = "{" in operation.operation.template and operation.operation.method == "GET"
        if named and start is not None and _reads(start) and operation.secured:
            found.append(operation.id)
    return found[:BOUND_MAX]


def _published(profile: Profile) -> str:
    for operation in profile.operations:
        template = operation.operation.template
        if operation.operation.method == "GET" and template.endswith("jwks.json"):
            return template if "{" not in template else ""
    return ""


def _is_signed(exchanges: Mapping[str, Exchange], role: str) -> bool:
    """Whether ROLE's credentials may be JSON Web Tokens: redaction keeps no more than how long
    they were."""
    read = 0
    for exchange in exchanges.values():
        if exchange.tags.role == role:
            read += 1
            if any(len(value) >= JWT_CHARS_MIN for value in _presented(exchange)):
                return True
            if read >= EXCHANGES_READ_MAX:
                break
    return False


def _presented(exchange: Exchange) -> Iterator[str]:
    for name, value in exchange.request.headers:
        if name in CREDENTIAL_HEADERS:
            yield value


def _reads(start: Start) -> bool:
    """Whether nothing has to be made or changed before."""
    return all(case.request.method in SAFE_METHODS for case in start.setup)
