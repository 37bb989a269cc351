"""Where the target is: its base URL taken apart, once."""

from __future__ import annotations

from urllib.parse import quote, unquote, urlsplit

from msgspec import Struct

from premortem.errors import ConfigError

DEFAULT_PORTS = {"http": 80, "https": 443}


class Address(Struct, frozen=True, kw_only=True):
    """A `scheme://host[:port][/prefix]`."""

    scheme: str
    host: str
    port: int
    prefix: str = ""
    """Path of the base URL without its last `/`."""
    user: str = ""
    """`user:password`, decoded; proxies only."""

    @property
    def authority(self) -> str:
        """`host[:port]` as the `host` header names it: a default port is left out."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def origin(self) -> str:
        """`scheme://host[:port]`, lower case, without a default port."""
        return f"{self.scheme}://{self.authority}"

    def path(self, path: str) -> str:
        """PATH with the base URL's before it, unless it starts with that already."""
        prefix = self.prefix
        if prefix and path != prefix and not path.startswith(prefix + "/"):
            return prefix + path
        return path


def address(url: str, *, key: str, user: bool = False) -> Address:
    """The address that URL names. KEY is the setting it comes from, for the message.

    USER: `user:password@` is allowed (proxies). Raises ConfigError.
    """
    if not url:
        raise ConfigError(f"{key} is not set; name the service under test in premortem.toml")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise ConfigError(f"{key} = {url!r} is no URL: {error}") from None
    scheme = parts.scheme.lower()
    if scheme not in DEFAULT_PORTS or not host:
        raise ConfigError(f"{key} = {url!r}: write it like http://127.0.0.1:8700")
    if parts.query or parts.fragment:
        raise ConfigError(f"{key} = {url!r}: leave out what follows the path")
    if parts.username is not None and not user:
        raise ConfigError(f"{key}: credentials do not belong there; make a [roles.NAME] of them")
    login = ""
    if parts.username is not None:
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return Address(
        scheme=scheme,
        host=host.encode("idna").decode() if not host.isascii() else host,
        port=port or DEFAULT_PORTS[scheme],
        prefix=quote(parts.path.rstrip("/"), safe="%/:@!$&'()*+,;=~"),
        user=login,
    )
