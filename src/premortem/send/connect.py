"""Opening connections: plain, TLS, and through an HTTP proxy (RFC 9110, 9.3.6)."""

from __future__ import annotations

import asyncio
import ssl
from base64 import b64encode
from pathlib import Path

from premortem.errors import ConfigError
from premortem.send.origin import Address
from premortem.send.wire import Connection

PROXY_ANSWER_BYTES_MAX = 16 * 1024
"""Of a proxy's answer to CONNECT."""


class ProxyRefused(OSError):
    """The proxy does not open the tunnel."""


def tls_context(ca_file: Path | None) -> ssl.SSLContext:
    """The system's authorities and those in CA_FILE (PEM). Raises ConfigError."""
    context = ssl.create_default_context()
    if ca_file is not None:
        try:
            context.load_verify_locations(cafile=str(ca_file))
        except OSError as error:
            raise ConfigError(
                f"`ca` under [target]: cannot read certificate authorities from {ca_file}: "
                f"{error.strerror or error}; name a PEM file"
            ) from None
    context.set_alpn_protocols(["http/1.1"])
    return context


def basic(user: str) -> str:
    """The `Basic` credentials (RFC 7617) of `user:password`."""
    return "Basic " + b64encode(user.encode()).decode()


async def open_connection(
    connection: Connection, target: Address, *, tls: ssl.SSLContext | None, proxy: Address | None
) -> None:
    """Connect CONNECTION to TARGET. Raises OSError (ssl.SSLError among them)."""
    loop = asyncio.get_running_loop()
    name = target.host if tls is not None else None
    if proxy is None:
        await loop.create_connection(
            lambda: connection, target.host, target.port, ssl=tls, server_hostname=name
        )
        return
    if tls is None:
        await loop.create_connection(lambda: connection, proxy.host, proxy.port)
        return
    transport, tunnel = await loop.create_connection(_Tunnel, proxy.host, proxy.port)
    try:
        await tunnel.opened(target, proxy)
        secured = await loop.start_tls(transport, connection, tls, server_hostname=target.host)
    except BaseException:
        transport.abort()
        raise
    if secured is None:
        raise ConnectionResetError("the connection closed during the TLS handshake")
    connection.connection_made(secured)


class _Tunnel(asyncio.Protocol):
    """Asks a proxy for a tunnel."""

    def __init__(self) -> None:
        self._answer = asyncio.get_running_loop().create_future()
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]

    async def opened(self, target: Address, proxy: Address) -> None:
        host = f"[{target.host}]" if ":" in target.host else target.host
        name = f"{host}:{target.port}"
        lines = [f"CONNECT {name} HTTP/1.1", f"host: {name}"]
        if proxy.user:
            lines.append(f"proxy-authorization: {basic(proxy.user)}")
        self._transport.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        await self._answer

    def data_received(self, data: bytes) -> None:
        self._received += data
        if b"\r\n\r\n" not in self._received:
            if len(self._received) > PROXY_ANSWER_BYTES_MAX:
                self._fail(ProxyRefused("the proxy's answer to CONNECT does not end"))
            return
        line = self._received.split(b"\r\n", 1)[0].decode("latin-1")
        words = line.split(" ", 2)
        if len(words) > 1 and words[0].startswith("HTTP/1.") and words[1].startswith("2"):
            if not self._answer.done():
                self._answer.set_result(None)
        else:
            self._fail(ProxyRefused(f"the proxy refused the tunnel: {line[:200]!r}"))

    def connection_lost(self, error: Exception | None) -> None:
        detail = f": {error}" if error else ""
        self._fail(ConnectionResetError(f"the proxy closed the connection{detail}"))

    def _fail(self, error: OSError) -> None:
        if not self._answer.done():
            self._answer.set_exception(error)
