"""Keys: a random data key per store, wrapped by a master key that lies outside of it.

What is wrapped is the data key, the key of digests and the key of redaction. The last two stay
when the data key is changed (`rotation`): tokens in files that were made before must go on
meaning the same, and equal bodies must go on being found.

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
from sqlalchemy import Connection, insert, select

from premortem.errors import DiskFull, StoreError, WrongKey
from premortem.store.database import Database
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
    """A store's own keys and identity."""

    blocks: tuple[bytes, ...]
    """Keys of blocks and payloads, newest first; more than one while a store is re-encrypted."""
    digests: bytes
    redaction: bytes
    store_id: bytes
    number: int
    """Of the newest key."""
    master: Master

    @property
    def source(self) -> str:
        """Where the master key came from, in words."""
        return self.master.source


def new_secret(*, digests: bytes = b"", redaction: bytes = b"") -> bytes:
    """What is wrapped for a new data key; digests and redaction keep those that are given."""
    return os.urandom(KEY_BYTES) + (
        (digests or os.urandom(KEY_BYTES)) + (redaction or os.urandom(KEY_BYTES))
    )


def _parts(secret: bytes) -> tuple[bytes, bytes, bytes]:
    """Data, digest and redaction key."""
    data = secret[:KEY_BYTES]
    rest = secret[KEY_BYTES : 2 * KEY_BYTES], secret[2 * KEY_BYTES :]
    # The first stores derived the other two from the data key.
    digests = rest[0] or _derived(data, "premortem digests")
    return _derived(data, "premortem blocks"), digests, rest[1] or _derived(data, _REDACTION)


_REDACTION = "premortem redaction"


def _derived(secret: bytes, purpose: str) -> bytes:
    """A 32-byte key for PURPOSE alone (HKDF-SHA-256)."""
    hkdf = HKDF(algorithm=hashes.SHA256(), length=KEY_BYTES, salt=None, info=purpose.encode())
    return hkdf.derive(secret)


def data_key(
    database: Database,
    *,
    key_file: Path,
    environment: Mapping[str, str],
    now: float,
    redaction: bytes = b"",
) -> DataKey:
    """The store's data key, made at the first use; REDACTION: the redaction key that it then has.

    Raises WrongKey when the master key does not fit or is gone, StoreError when the key file is
    open to others.
    """
    with database.reading() as connection:
        exists = connection.execute(select(keyring.c.id)).first() is not None
        holds_data = connection.execute(select(blocks.c.id).limit(1)).first() is not None
    if not exists and holds_data:
        raise StoreError(
            f"the store {database.name} has lost its key entry; put back a copy of it, or move "
            f"it away and import the recordings again"
        )
    master = _master(environment, key_file, may_make=not exists, store=database.name)
    if not exists:
        return _enrol(database, master, redaction=redaction, now=now)
    try:
        return unwrap(database, master)
    except WrongKey:
        waiting = waiting_file(key_file)
        if VARIABLE in environment or not waiting.exists():
            raise
        # A change of keys was cut off between the store and the key file: it ends here.
        key = unwrap(database, _from_file(waiting, store=database.name))
        waiting.replace(key_file)
        return key


def waiting_file(key_file: Path) -> Path:
    """Where a new key lies until the store is wrapped with it."""
    return key_file.with_name(key_file.name + ".new")


def wrap(master: Master, secret: bytes, *, store_id: bytes) -> dict[str, object]:
    """SECRET under MASTER, as columns of the keyring."""
    salt, nonce = os.urandom(SALT_BYTES), os.urandom(NONCE_BYTES)
    key = master.key(derivation=master.derivation, salt=salt)
    assert key is not None  # noqa: S101 - its own derivation
    sealed = nonce + AESGCM(key).encrypt(nonce, secret, _context(store_id))
    return {"derivation": master.derivation, "salt": salt, "wrapped": sealed}


def _enrol(database: Database, master: Master, *, redaction: bytes, now: float) -> DataKey:
    store_id, secret = os.urandom(16), new_secret(redaction=redaction)
    values = {"id": 1, "store_id": store_id, "created_at": now}
    values |= wrap(master, secret, store_id=store_id)
    with database.writing() as connection:
        # Another process that made the same store at the same moment may have been faster.
        if connection.execute(select(keyring.c.id)).first() is None:
            connection.execute(insert(keyring).values(values))
    return unwrap(database, master)


def secrets_of(connection: Connection, master: Master, *, store: str) -> dict[int, bytes]:
    """Number -> what is wrapped, oldest first. Raises WrongKey when MASTER does not fit."""
    rows = connection.execute(select(keyring).order_by(keyring.c.id)).all()
    found: dict[int, bytes] = {}
    for row in rows:
        key = master.key(derivation=row.derivation, salt=row.salt)
        if key is None:
            raise WrongKey(path=store, key_source=master.source)
        nonce, sealed = row.wrapped[:NONCE_BYTES], row.wrapped[NONCE_BYTES:]
        try:
            found[row.id] = AESGCM(key).decrypt(nonce, sealed, _context(row.store_id))
        except InvalidTag:
            raise WrongKey(path=store, key_source=master.source) from None
    return found


def unwrap(database: Database, master: Master) -> DataKey:
    """The keys of the store as they are now. Raises WrongKey when MASTER does not fit."""
    with database.reading() as connection:
        found = secrets_of(connection, master, store=database.name)
        store_id = connection.execute(select(keyring.c.store_id).limit(1)).scalar_one()
    newest = _parts(found[max(found)])
    return DataKey(
        blocks=tuple(_parts(secret)[0] for _, secret in sorted(found.items(), reverse=True)),
        digests=newest[1],
        redaction=newest[2],
        store_id=store_id,
        number=max(found),
        master=master,
    )


def _context(store_id: bytes) -> bytes:
    return b"premortem data key\0" + store_id


def _master(
    environment: Mapping[str, str], key_file: Path, *, may_make: bool, store: str
) -> Master:
    given = environment.get(VARIABLE)
    if given is not None:
        return given_master(given, variable=VARIABLE)
    if may_make and not key_file.exists():
        make_key_file(key_file)
    return _from_file(key_file, store=store)


def _from_file(path: Path, *, store: str) -> Master:
    try:
        secret = _read(path)
    except FileNotFoundError:
        source = f"the key file {path}, which is not there,"
        raise WrongKey(path=store, key_source=source) from None
    if secret is None:
        raise WrongKey(path=store, key_source=f"the key file {path}, which holds no key,")
    return Master(secret=secret, passphrase=False, source=f"the key file {path}")


def given_master(text: str, *, variable: str) -> Master:
    """The key or passphrase TEXT, which VARIABLE holds. Raises StoreError when it is empty."""
    if not text.strip():
        raise StoreError(f"{variable} is set but empty; give it the key, or unset it")
    secret = _decoded(text)
    if secret is not None:
        return Master(secret=secret, passphrase=False, source=variable)
    return Master(secret=text.encode(), passphrase=True, source=variable)


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


def make_key_file(path: Path) -> None:
    """A new key in PATH, for its owner alone; one that is there stays as it is."""
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
