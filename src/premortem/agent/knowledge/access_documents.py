"""Blueprints, authorization maps and port configurations as access rules.

All three say who may do what, each in its own way, so they are read alike: a subject (a handler,
an operation, a route), roles beside or below it, and an edition around or inside either.

    handlers: {ApproveInvoice: {roles_allowed: [CFO]}}      a blueprint
    enterprise: {ApproveInvoice: "CFO, FinanceManager"}     an authorization map
    roles: {CFO: [ApproveInvoice, LockInvoice]}             the same the other way round
    ports: [{path: /health, methods: GET, public: true}]    a port's configuration
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from msgspec import Struct
from msgspec.structs import replace

from premortem.agent.knowledge.documents import Part, read_parts
from premortem.domain.access import (
    ANYONE,
    NOBODY,
    AccessRule,
    Source,
    folded,
    licensed,
    listed,
    open_to_all,
)

SAID_CHARACTERS_MAX = 120
_METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")


def _folds(*names: str) -> frozenset[str]:
    return frozenset(folded(name) for text in names for name in text.split())


_ALLOWED = _folds(
    "roles_allowed allowed_roles roles role allow allowed permit permitted permitted_roles",
    "required_roles required_role requires_roles requires_role requires authorized_roles",
    "authorized x-roles granted_to accessible_by access who who_can exposed_to expose_to actors",
)
_DENIED = _folds(
    "roles_denied denied_roles deny denied forbidden forbidden_roles roles_forbidden not_allowed",
)
_OPEN = _folds("allow_anonymous anonymous public is_anonymous anonymous_allowed is_public")
_HANDLER = _folds("handler handler_name operation operation_id endpoint action use_case command")
_PATH = _folds("path route url uri template endpoint")
_METHOD = _folds("method methods verb verbs http_method http_methods")
_EDITION = _folds("edition editions x-editions available_in only_in tier tiers")
_BY_EDITION = _folds("editions overrides edition_overrides per_edition by_edition tiers")
_LACKING = _folds("not_in missing_in excluded_editions skip_in not_available_in")
_ENABLED = _folds("enabled available exposed")
_MEMBERS = _folds(
    "handlers operations endpoints routes actions permissions authorization authorizations",
    "authorization_map access rules policies use_cases ports apis resources commands listeners",
)
_MAY = ("can", "allow", "allowed", "operations", "handlers", "permissions", "actions", "may")
_MAY_ALONE = _folds("can may")
"""Of these, those that stand below a role and nowhere else."""
_NO_ROLE = _folds("none nobody no_one noone nil")
_GRANTED = _folds("allow allowed allows grant granted permit permitted yes true on x y ✓ ✔ 1")
_REFUSED = _folds("deny denied denies refuse refused forbid forbidden no false off n - ✗ ✘ 0") | {
    ""
}
_PUBLIC = _folds("anonymous public everyone unauthenticated world")
_SIGNED_IN = _folds("* all any authenticated signed_in any_role users")
_USUAL_EDITIONS = _folds(
    "lite free basic starter community standard pro professional plus premium business enterprise",
    "ultimate trial",
)
_FILE_EDITION = re.compile(r"(?:authori[sz]ation[-_ ]?map|authmap)[-_.]([A-Za-z0-9]+)", re.I)


class DocumentAccess(Struct, frozen=True, kw_only=True):
    """What one document says of access."""

    source: Source
    rules: tuple[AccessRule, ...]
    roles: tuple[str, ...] = ()
    """All that it names, in its order."""
    editions: tuple[str, ...] = ()


class _At(Struct, frozen=True, kw_only=True):
    """Where in a document, and of what it speaks there."""

    source: Source
    document: str
    editions: frozenset[str]
    """Known editions, folded."""
    edition: str = ""
    subjects: tuple[tuple[str, str], ...] = ()
    """(operation id, handler), one of them empty."""

    def rules(self, line: int, said: str, *, edition: str | None = None) -> Iterator[AccessRule]:
        """A rule to fill in for each subject."""
        for operation_id, handler in self.subjects:
            yield AccessRule(
                operation_id=operation_id,
                handler=handler,
                edition=self.edition if edition is None else edition,
                grant="allowed",
                source=self.source,
                document=self.document,
                line=line,
                said=" ".join(said.split())[:SAID_CHARACTERS_MAX],
            )


def access_in_document(source: bytes, *, origin: str) -> DocumentAccess | None:
    """The access rules of SOURCE, which ORIGIN names (its path); None: it is no document of that
    kind. Raises InputError when it cannot be read at all."""
    parts = read_parts(source, origin=origin)
    kind = _kind(parts, origin)
    if kind is None:
        return None
    known = _editions_of(parts) | _USUAL_EDITIONS
    start = _At(source=kind, document=origin, editions=known, edition=_file_edition(origin))
    by_name = kind == "authorization_map"
    rules = tuple(rule for part in parts for rule in _walk(part, start, members=by_name))
    universe = [name for part in parts for name in _roles_there(part)]
    roles = [r.role for r in rules if r.role not in (ANYONE, NOBODY)]
    return DocumentAccess(
        source=kind,
        rules=tuple(dict.fromkeys(rules)),
        roles=tuple(dict.fromkeys([*universe, *roles])),
        editions=tuple(
            dict.fromkeys([*_named_editions(parts), *(r.edition for r in rules if r.edition)])
        ),
    )


def _kind(parts: tuple[Part, ...], origin: str) -> Source | None:
    name = folded(PurePosixPath(origin).stem)
    if "authorizationmap" in name or "authorisationmap" in name or name.startswith("authmap"):
        return "authorization_map"
    keys = {folded(key) for part in parts for key, _ in part.fields}
    if keys & _folds("authorization_map authorizations"):
        return "authorization_map"
    if keys & _folds("blueprint_id dto_structure handlers"):
        return "blueprint"
    if keys & _folds("ports port_id listeners") or re.match(r"ports?(config\w*)?$", name):
        return "port"
    spoken = keys & _folds("handler handler_name") and keys & _ALLOWED
    return "blueprint" if spoken else None


def _file_edition(origin: str) -> str:
    """`AuthorizationMap.lite.yaml`, `editions/lite/AuthorizationMap.yaml`."""
    path = PurePosixPath(origin)
    found = _FILE_EDITION.match(path.name)
    if found is not None and found[1].lower() not in ("yaml", "yml", "json"):
        return found[1]
    folders = path.parts[:-1]
    inside = "editions" in map(str.lower, folders[:-1])
    return folders[-1] if inside else ""


def _named_editions(parts: Iterable[Part]) -> Iterator[str]:
    for part in parts:
        found = part.get("editions", "edition", "tiers")
        if found is not None:
            yield from (key for key, _ in found.fields)
            yield from found.names if not found.fields else ()


def _editions_of(parts: Iterable[Part]) -> frozenset[str]:
    return frozenset(folded(name) for name in _named_editions(parts))


def _roles_there(part: Part) -> Iterator[str]:
    """Roles that a document names without saying what they may."""
    roles = part.get("roles")
    if roles is not None:
        yield from (name for name in roles.names if folded(name) not in _PUBLIC | _SIGNED_IN)
    editions = part.get("editions")
    for _, inside in editions.fields if editions is not None else ():
        there = inside.get("roles") if inside.fields else inside
        if there is not None and not there.fields and not there.is_false and not there.is_true:
            yield from (n for n in there.names if folded(n) not in _PUBLIC | _SIGNED_IN)


def _walk(part: Part, at: _At, *, members: bool = False) -> Iterator[AccessRule]:
    """The rules of PART and of all below it. MEMBERS: names that say nothing else are subjects."""
    for item in part.items:
        yield from _walk(item, at)
    at = _narrowed(part, at)
    may = part.get(*_MAY)
    if not at.subjects and part.said("role") and may is not None and not may.fields:
        yield from _of_role(part, at)
        return
    yield from _stated(part, at)
    for key, value in part.fields:
        fold = folded(key)
        if fold in _BY_EDITION and value.fields:
            for edition, inside in value.fields:
                yield from _member_value(inside, replace(at, edition=edition))
        elif fold in _MEMBERS and (value.fields or any(i.fields for i in value.items)):
            yield from _members(value, at)
        elif fold == "roles" and value.fields and not at.subjects:
            yield from _by_role(value, at)
        elif fold == "roles" and any(i.fields for i in value.items) and not at.subjects:
            yield from (rule for item in value.items for rule in _of_role(item, at))
        elif members and not _is_said(fold):
            yield from _member(key, value, at)


def _is_said(fold: str) -> bool:
    """Whether a key of a document's top says something of the document, and names no subject."""
    about = _folds("version name description service trace_id blueprint_id id schema default")
    return fold in (
        about
        | _ALLOWED
        | _DENIED
        | _OPEN
        | _HANDLER
        | _PATH
        | _METHOD
        | _EDITION
        | _MEMBERS
        | _BY_EDITION
    )


def _narrowed(part: Part, at: _At) -> _At:
    """AT with the subject and the one edition that PART's own fields name."""
    subjects = _subjects(part)
    if subjects and (not at.subjects or _is_placed(subjects)):
        at = replace(at, subjects=subjects)
    edition = part.get("edition")
    if edition is not None and len(edition.names) == 1 and not edition.fields:
        at = replace(at, edition=edition.names[0])
    return at


def _subjects(part: Part) -> tuple[tuple[str, str], ...]:
    path = next((v.text for k, v in part.fields if folded(k) in _PATH and _is_path(v.text)), None)
    if path is not None:
        methods = [v for k, v in part.fields if folded(k) in _METHOD]
        return _at_path(path, methods[0].names if methods else ())
    for key, value in part.fields:
        if folded(key) in _HANDLER | _PATH and value.text:
            return _subject(value.text)
    return ()


def _is_placed(subjects: tuple[tuple[str, str], ...]) -> bool:
    """Whether SUBJECTS are operations, not handlers by name."""
    return any(operation or _is_path(handler) for operation, handler in subjects)


def _is_path(text: str | None) -> bool:
    return bool(text) and (text or "").strip().startswith("/")


def _at_path(path: str, methods: Iterable[str]) -> tuple[tuple[str, str], ...]:
    clean = path.strip().rstrip("/") or "/"
    named = [method.upper() for method in methods if method.upper() in _METHODS]
    return tuple((f"{method} {clean}", "") for method in named) or (("", clean),)


def _subject(name: str) -> tuple[tuple[str, str], ...]:
    """`POST /invoices`, `/invoices` (whatever the method), or a handler's name."""
    words = name.split(maxsplit=1)
    if len(words) == 2 and _is_path(words[1]):
        return _at_path(words[1], re.split(r"[,|]", words[0]))
    return _at_path(name, ()) if _is_path(name) else (("", name.strip()),)


def _members(container: Part, at: _At) -> Iterator[AccessRule]:
    """The rules of what CONTAINER holds: subjects by name, or a list of them."""
    for item in container.items:
        yield from _walk(item, at)
    for key, value in container.fields:
        yield from _member(key, value, at)


def _member(key: str, value: Part, at: _At) -> Iterator[AccessRule]:
    """The rules of VALUE under the name KEY: of an edition, or of a subject."""
    if folded(key) in at.editions and (value.fields or value.items):
        yield from _walk(value, replace(at, edition=key), members=True)
        return
    if any(folded(name) in _MAY_ALONE for name, _ in value.fields):
        yield from _of_role(value, at, name=key)
        return
    own = _subjects(value)
    subjects = own if _is_placed(own) else _subject(key)
    yield from _member_value(value, replace(at, subjects=subjects))


def _member_value(value: Part, at: _At) -> Iterator[AccessRule]:
    """The rules of VALUE about the subject of AT: a list of roles, or fields."""
    if value.fields:
        keys = [folded(key) for key, _ in value.fields]
        if at.subjects and all(key in at.editions for key in keys):
            for edition, inside in value.fields:
                yield from _member_value(inside, replace(at, edition=edition))
        elif at.subjects and _is_verdicts(value):
            yield from _verdicts(value, at, "")
        elif all(key.upper() in _METHODS for key in keys):
            paths = [handler for _, handler in at.subjects if _is_path(handler)]
            for method, inside in value.fields:
                placed = tuple(p for path in paths for p in _at_path(path, (method,)))
                yield from _member_value(inside, replace(at, subjects=placed))
        else:
            yield from _walk(value, at)
        return
    if any(item.fields for item in value.items):
        yield from _walk(value, at)
        return
    if any(item.items for item in value.items):
        yield from _table(value.items, at)
        return
    if value.is_false:
        yield from _lacking(at, value.line, "is off")
    elif value.text != "" and not value.is_true:
        said = ", ".join(value.names)
        yield from _roles(value.names, at, value.line, f"lets {said or 'nobody'}")


def _lacking(at: _At, line: int, said: str) -> Iterator[AccessRule]:
    """The edition of AT lacks it."""
    if at.edition:
        for rule in at.rules(line, said):
            yield replace(rule, gate="edition", role=ANYONE, grant="denied")


def _stated(part: Part, at: _At) -> Iterator[AccessRule]:
    """The rules that PART's own fields state about the subject of AT."""
    if not at.subjects:
        return
    lines = part.key_lines or (part.line,) * len(part.fields)
    for (key, value), line in zip(part.fields, lines, strict=True):
        fold, said = folded(key), f"{key}: {_shown(value)}"
        if fold in _EDITION | _LACKING | _ENABLED:
            yield from _in_editions(fold, value, at, line, said)
        elif fold in _ALLOWED and _is_verdicts(value):
            yield from _verdicts(value, at, f"{key}: ")
        elif fold in _ALLOWED and not value.fields and value.text != "" and not _deep(value):
            yield from _roles(value.names, at, line, said)
        elif fold in _DENIED and not value.fields:
            yield from _refused(value.names, at, line, said)
        elif fold in _OPEN and value.is_true:
            yield from (made for rule in at.rules(line, said) for made in open_to_all(rule))
        elif fold in _OPEN and value.is_false:
            yield from (replace(r, role=NOBODY, grant="denied") for r in at.rules(line, said))


def _in_editions(fold: str, value: Part, at: _At, line: int, said: str) -> Iterator[AccessRule]:
    """The rules of a field that says which editions have it."""
    if fold in _ENABLED and value.is_false:
        yield from _lacking(at, line, said)
    elif fold in _LACKING:
        for edition in value.names:
            yield from _lacking(replace(at, edition=edition), line, said)
    elif fold in _EDITION and not value.fields and value.names and not at.edition:
        for rule in at.rules(line, said):
            yield from licensed(rule, value.names)


def _deep(value: Part) -> bool:
    return any(item.fields and not item.said("name", "role", "id") for item in value.items)


def _shown(value: Part) -> str:
    return value.text if value.text is not None else f"[{', '.join(value.names)}]"


def _roles(names: Iterable[str], at: _At, line: int, said: str) -> Iterator[AccessRule]:
    """The rules of a list of roles that may."""
    given = [name for name in names if folded(name) not in _NO_ROLE]
    folds = {folded(name) for name in given}
    for rule in at.rules(line, said):
        if folds & _PUBLIC:
            yield from open_to_all(rule)
        elif folds & _SIGNED_IN:
            yield from listed(rule, [ANYONE])
        else:
            yield from listed(rule, given)


def _by_role(roles: Part, at: _At) -> Iterator[AccessRule]:
    """Role -> what it may, turned round."""
    may: dict[str, list[str]] = {}
    lines: dict[str, int] = {}
    for role, value in roles.fields:
        inside = value.get(*_MAY) if value.fields else value
        for name in _each(inside) if inside is not None else ():
            may.setdefault(name, []).append(role)
            lines.setdefault(name, value.line)
    for name, allowed in may.items():
        if folded(name) not in _SIGNED_IN:
            placed = replace(at, subjects=_subject(name))
            yield from _roles(allowed, placed, lines[name], f"{name}: {', '.join(allowed)}")


def _of_role(part: Part, at: _At, *, name: str = "") -> Iterator[AccessRule]:
    """The rules of what one role may: `{role: CFO, can: [ApproveInvoice]}`; NAME: of the role,
    where it stands above."""
    role, may = name or part.said("role", "name"), part.get(*_MAY)
    for operation in _each(may) if role and may is not None and not may.fields else ():
        if folded(operation) not in _SIGNED_IN:
            placed = replace(at, subjects=_subject(operation))
            yield from _roles([role], placed, part.line, f"{role}: {operation}")


def _is_verdicts(value: Part) -> bool:
    """Whether VALUE says yes or no of each name: `{CFO: allow, Guest: deny}`."""
    names = [folded(key) for key, _ in value.fields]
    return bool(names) and all(
        inside.text is not None
        and folded(inside.text) in _GRANTED | _REFUSED
        and not _is_said(name)
        and name not in _ENABLED | _LACKING
        for name, (_, inside) in zip(names, value.fields, strict=True)
    )


def _verdicts(value: Part, at: _At, lead: str) -> Iterator[AccessRule]:
    """The rules of yes and no for each role; who is not named may not."""
    may = [key for key, inside in value.fields if folded(inside.text or "") in _GRANTED]
    said = ", ".join(f"{key}: {inside.text}" for key, inside in value.fields)
    yield from _roles(may, at, value.line, f"{lead}{said}")
    refused = [key for key, _ in value.fields if key not in may]
    yield from _refused(refused, at, value.line, f"{lead}{said}")


def _refused(roles: Iterable[str], at: _At, line: int, said: str) -> Iterator[AccessRule]:
    """The rules of ROLES that may not."""
    for role in roles:
        nobody = NOBODY if folded(role) in _PUBLIC else role
        for rule in at.rules(line, said):
            yield replace(rule, role=nobody, grant="denied")


def _table(rows: tuple[Part, ...], at: _At) -> Iterator[AccessRule]:
    """The rules of rows, the first of which names the roles behind a first column of operations."""
    head, *rest = rows
    roles = [cell.text or "" for cell in head.items[1:]]
    for row in rest:
        name = row.items[0].text if row.items else None
        if not name or not roles:
            continue
        cells = zip(roles, row.items[1:], strict=False)
        may = [role for role, cell in cells if folded(cell.text or "") in _GRANTED]
        placed = replace(at, subjects=_subject(name))
        said = f"{name}: {', '.join(may) or 'nobody'}"
        yield from _roles(may, placed, row.line, said)
        yield from _refused((r for r in roles if r not in may), placed, row.line, said)


def _each(part: Part) -> Iterator[str]:
    """The names of operations in PART; they may hold a slash."""
    if part.text is not None:
        yield from (name.strip() for name in re.split(r"[,;]", part.text) if name.strip())
    for item in part.items:
        yield from _each(item)
