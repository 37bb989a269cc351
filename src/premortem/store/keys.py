"""Keys: a random data key per store, wrapped by a master key that lies outside of it.

The master key comes from the environment (32 bytes in base64, or a passphrase that scrypt
stretches) or from a file that only its owner can read. Losing it loses the store, so a store
that exists never gets a new one. Sources: NIST SP 800-38D (AES-GCM), RFC 5869 (HKDF), RFC 7914
(scrypt; cost after the OWASP Password Storage Cheat Sheet).
"""

from __future__ import annotations

import base64
import binascii
import errno
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from msgspec import Struct
from sqlalchemy import func, insert, select

from premortem.errors import DiskFull, StoreError, WrongKey
from premortem.store.sqlite import Database
from premortem.store.tables import blocks, keyring

VARIABLE = "PREMORTEM_KEY"
KEY_BYTES = 32
SALT_BYTES = 16
NONCE_BYTES = 12
KEY_FILE_BYTES_MAX = 4096
SCRYPT_LOG2_COST = 17
"""About 0.4 s and 128 MiB, once per opened store; a base64 key costs nothing."""

_PLAIN = "none"
_SCRYPT = f"scrypt {SCRYPT_LOG2_COST}"
"""Stored with its cost, so that a later version can ask for more."""


class Master(Struct, frozen=True, kw_only=True):
    """What the user holds: a key, or a passphrase that a store's salt makes one of."""

    secret: bytes
    passphrase: bool
    source: str
    """In words: `PREMORTEM_KEY`, or the key file's path."""

    @property
    def derivation(self) -> str:
        """How new stores make a key of it."""
        return _SCRYPT if self.passphrase else _PLAIN

    def key(self, *, derivation: str, salt: bytes) -> bytes | None:
        """The 32-byte key that wraps the data key; None when DERIVATION is not this one's."""
        method, _, cost = derivation.partition(" ")
        if self.passphrase != (method == "scrypt"):
            return None
        if not self.passphrase:
            return self.secret
        return Scrypt(salt=salt, length=KEY_BYTES, n=2 ** int(cost), r=8, p=1).derive(self.secret)


class DataKey(Struct, frozen=True, kw_only=True):
    """A store's own key and identity."""

    secret: bytes
    store_id: bytes
    source: str
    """Where the master key came from, in words."""

    def derive(self, purpose: str) -> bytes:
        """A 32-byte key for PURPOSE alone (HKDF-SHA-256)."""
        hkdf = HKDF(algorithm=hashes.SHA256(), length=KEY_BYTES, salt=None, info=purpose.encode())
        return hkdf.derive(self.secret)


def data_key(
    database: Database, *, key_file: Path, environment: Mapping[str, str], now: float
) -> DataKey:
    """The store's data key, made at the first use.

    Raises WrongKey when the master key does not fit or is gone, StoreError when the key file is
    open to others.
    """
    with database.reading() as connection:
        exists = connection.execute(select(keyring.c.id)).first() is not None
        holds_data = bool(connection.execute(select(func.count()).select_from(blocks)).scalar())
    if not exists and holds_data:
        raise StoreError(
            f"the store {database.path} has lost its key entry; put back a copy of it, or move "
            f"it away and import the recordings again"
        )
    master = _master(environment, key_file, may_make=not exists, store=database.path)
    if not exists:
        return _enrol(database, master, now=now)
    return _unwrap(database, master)


def _enrol(database: Database, master: Master, *, now: float) -> DataKey:
    store_id, salt, nonce = os.urandom(16), os.urandom(SALT_BYTES), os.urandom(NONCE_BYTES)
    key = master.key(derivation=master.derivation, salt=salt)
    assert key is not None  # noqa: S101 - its own derivation
    made = DataKey(secret=os.urandom(KEY_BYTES), store_id=store_id, source=master.source)
    values = {
        "id": 1,
        "store_id": store_id,
        "derivation": master.derivation,
        "salt": salt,
        "wrapped": nonce + AESGCM(key).encrypt(nonce, made.secret, _context(store_id)),
        "created_at": now,
    }
    with database.writing() as connection:
        first = connection.execute(select(keyring.c.id)).first() is None
        if first:
            connection.execute(insert(keyring).values(values))
    # Another process that made the same store at the same moment may have been faster.
    return made if first else _unwrap(database, master)


def _unwrap(database: Database, master: Master) -> DataKey:
    with database.reading() as connection:
        row = connection.execute(select(keyring)).one()
    key = master.key(derivation=row.derivation, salt=row.salt)
    if key is None:
        raise WrongKey(path=str(database.path), key_source=master.source)
    nonce, sealed = row.wrapped[:NONCE_BYTES], row.wrapped[NONCE_BYTES:]
    try:
        secret = AESGCM(key).decrypt(nonce, sealed, _context(row.store_id))
    except InvalidTag:
        raise WrongKey(path=str(database.path), key_source=master.source) from None
    return DataKey(secret=secret, store_id=row.store_id, source=master.source)


def _context(store_id: bytes) -> bytes:
    return b"premortem data key\0" + store_id


def _master(
    environment: Mapping[str, str], key_file: Path, *, may_make: bool, store: Path
) -> Master:
    given = environment.get(VARIABLE)
    if given is not None:
        return _given(given)
    try:
        secret = _read(key_file)
    except FileNotFoundError:
        if not may_make:
            source = f"the key file {key_file}, which is not there,"
            raise WrongKey(path=str(store), key_source=source) from None
        _make(key_file)
        secret = _read(key_file)
    if secret is None:
        raise WrongKey(path=str(store), key_source=f"the key file {key_file}, which holds no key,")
    return Master(secret=secret, passphrase=False, source=f"the key file {key_file}")


def _given(text: str) -> Master:
    if not text.strip():
        raise StoreError(f"{VARIABLE} is set but empty; give it the key, or unset it")
    secret = _decoded(text)
    if secret is not None:
        return Master(secret=secret, passphrase=False, source=VARIABLE)
    return Master(secret=text.encode(), passphrase=True, source=VARIABLE)


def _decoded(text: str) -> bytes | None:
    try:
        secret = base64.b64decode(text.strip().translate(_URL_SAFE), validate=True)
    except (binascii.Error, ValueError):
        return None
    return secret if len(secret) == KEY_BYTES else None


_URL_SAFE = str.maketrans("-_", "+/")


def _read(path: Path) -> bytes | None:
    """The key in PATH; None when it holds none. Raises FileNotFoundError."""
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            text = file.read(KEY_FILE_BYTES_MAX)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise StoreError(
            f"cannot read the key file {path}: {error.strerror}; make it readable for you alone, "
            f"or set {VARIABLE}"
        ) from None
    if os.name == "posix" and mode & 0o077:
        raise StoreError(
            f"the key file {path} is open to other users (mode {mode:04o}); run `chmod 600 {path}`"
        )
    return _decoded(text.decode("ascii", "replace"))


def _make(path: Path) -> None:
    text = base64.b64encode(os.urandom(KEY_BYTES)) + b"\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Written beside and linked into place: two processes that start together end up with
        # one whole key, and a crash never leaves half a one.
        beside = path.with_name(f"{path.name}.{os.getpid()}.new")
        try:
            descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            _place(beside, path)
        finally:
            beside.unlink(missing_ok=True)
    except FileExistsError:
        return
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(path=str(path)) from None
        raise StoreError(
            f"cannot write the key file {path}: {error.strerror}; name a writable place with "
            f"`key_file` under [store], or set {VARIABLE}"
        ) from None


def _place(beside: Path, path: Path) -> None:
    try:
        os.link(beside, path)
    except FileExistsError:
        raise
    except OSError:
        # A file system without links; there two first uses at one moment are not kept apart.
        if path.exists():
            raise FileExistsError(path) from None
        beside.replace(path)
