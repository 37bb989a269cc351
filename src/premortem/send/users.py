"""Virtual users: each with a session of its own, each visit with its cookies."""

from __future__ import annotations

from premortem.domain.run import Case
from premortem.domain.traffic import Pairs, Request, Response
from premortem.send.auth import Credentials, SignedIn
from premortem.send.cookies import Jar
from premortem.send.transport import Transport


class Users:
    """The users of all roles, PER_ROLE of each."""

    def __init__(self, credentials: Credentials, sender: Transport, *, per_role: int = 1) -> None:
        self.credentials = credentials
        self.sender = sender
        self.per_role = max(1, per_role)

    def visit(self, number: int = 0) -> Visit:
        """The visit of one sequence; NUMBER, any that tells sequences apart, says whose it is.

        Visits of one user share its session, not the cookies that answers set on the way.
        """
        return Visit(self, number % self.per_role)


class Visit:
    """What one sequence of cases sends with: one user of each role, and the cookies so far.

    Cookies that answers to one role set go out with that role alone.
    """

    __slots__ = ("_jars", "_users", "user")

    def __init__(self, users: Users, user: int) -> None:
        self._users = users
        self.user = user
        self._jars: dict[str, Jar] = {}

    def held(self, case: Case, request: Request) -> Pairs | None:
        """The credentials and cookies that CASE goes out with, as REQUEST with live values in it.

        None when `headers` has to make them.
        """
        role = case.role
        pairs = self._users.credentials.held(role, self.user)
        if pairs is None:
            return None
        return self._with_cookies(pairs, self._jar(role), case, request)

    async def headers(self, case: Case, request: Request) -> Pairs:
        """The same; signs in when it has to. Raises ConfigError or TargetError."""
        users, role = self._users, case.role
        pairs = await users.credentials.headers(role, users.sender, self.user)
        return self._with_cookies(pairs, self._jar(role), case, request)

    async def headers_apart(self, case: Case, request: Request) -> Pairs:
        """The same of a session that nothing else uses: CASE ends it."""
        users = self._users
        session: SignedIn = await users.credentials.apart(case.role, users.sender)
        return self._with_cookies(session.headers, session.jar, case, request)

    def take(self, case: Case, request: Request, answer: Response) -> None:
        """Keep the cookies that the ANSWER to CASE sets for the cases after it."""
        for name, _ in answer.headers:
            if name == "set-cookie":
                break
        else:
            return
        users, role = self._users, case.role
        jar = self._jars.get(role)
        if jar is None:
            login = users.credentials.jar(role, self.user)
            jar = self._jars[role] = (
                login.copy() if login is not None else Jar(users.sender.address)
            )
        path = users.sender.address.path(request.path)
        jar.take(answer, path=path, now=users.sender.now())

    def renew(self, case: Case, used: Pairs, *, now: float) -> bool:
        """USED was refused at NOW: whether another try, after `headers`, can make sense."""
        again = self._users.credentials.renew(case.role, used, now=now, user=self.user)
        if again:
            self._jars.pop(case.role, None)  # its session has ended, and so have its cookies
        return again

    def useless(self, case: Case, *, now: float) -> None:
        """Signing in anew did not help."""
        self._users.credentials.useless(case.role, now=now, user=self.user)

    def _jar(self, role: str) -> Jar | None:
        return self._jars.get(role) or self._users.credentials.jar(role, self.user)

    def _with_cookies(self, pairs: Pairs, jar: Jar | None, case: Case, request: Request) -> Pairs:
        # A case about credentials, or about one cookie, must not be mended.
        if not jar or case.intent.breaks.startswith("auth "):
            return pairs
        place = case.intent.place
        without = place.name if place is not None and place.part == "cookie" else ""
        sender = self._users.sender
        path = sender.address.path(request.path)
        cookies = jar.header(path, now=sender.now(), without=without)
        return (*pairs, ("cookie", cookies)) if cookies else pairs
