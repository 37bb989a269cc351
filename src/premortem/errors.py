"""Every error a user can meet.

    PremortemError
    ├── ConfigError          premortem.toml, a plan or an option says something impossible
    ├── InputError           a file or an argument cannot be read as what it should be
    ├── StoreError           the store cannot be opened, written or decrypted
    │   ├── StoreLocked      another process holds it
    │   ├── StoreUnavailable its server does not answer at the moment
    │   ├── WrongKey         the key does not fit
    │   └── DiskFull         nothing more can be written
    ├── TargetError          the target cannot be used
    │   ├── TargetDown       it does not answer at all
    │   └── UnsafeTarget     a plan would change data where nobody allowed it
    ├── RunError             a run cannot go on or be gone on with
    │   └── StartError       what should send cannot be started
    ├── ModelError           a language model cannot be used
    │   └── ModelMissing     it, or what runs it, is not on this machine
    └── NothingLearned       a command needs traffic or a profile that is not there yet

Each message says what happened, where, and what to do. A failed check or a network fault
during a run is data, not an error. A bug crashes.
"""

from __future__ import annotations


class PremortemError(Exception):
    """Base of all errors that are the user's to mend; `str` is the whole message."""


class ConfigError(PremortemError):
    """Configuration that cannot be used."""


class InputError(PremortemError):
    """A file or an argument that cannot be read."""


class NotUnderstood(InputError):
    """A question of which nothing can be made. Its message has lines: understood, not understood,
    and what comes nearest."""


class StoreError(PremortemError):
    """The store cannot do what is asked."""


class StoreLocked(StoreError):
    """Another process is writing to the store."""

    def __init__(self, *, path: str, waited_s: float) -> None:
        self.path = path
        super().__init__(
            f"the store {path} is locked by another process (waited {waited_s:g} s); "
            f"let that one finish, or name another store with --store"
        )


class StoreUnavailable(StoreError):
    """The store's server does not answer now; what was stored is intact, and to try again helps."""


class WrongKey(StoreError):
    """The key does not open this store."""

    def __init__(self, *, path: str, key_source: str) -> None:
        self.path, self.key_source = path, key_source
        super().__init__(
            f"the key from {key_source} does not open the store {path}; "
            f"set PREMORTEM_KEY or restore the key file that this store was made with"
        )


class DiskFull(StoreError):
    """No room left; what was stored before is intact."""

    def __init__(self, *, path: str) -> None:
        self.path = path
        super().__init__(
            f"no room left while writing {path}; what was stored before is intact: "
            f"free some space and give the same command again"
        )


class TargetError(PremortemError):
    """The target cannot be used."""


class TargetDown(TargetError):
    """The target does not answer."""

    def __init__(self, *, target: str, detail: str) -> None:
        self.target = target
        super().__init__(
            f"the target {target} does not answer ({detail}); start it, or mend "
            f"`base_url` under [target] in premortem.toml"
        )


class UnsafeTarget(TargetError):
    """A plan would change data on a target that nobody marked disposable."""

    def __init__(self, *, target: str, method: str, operation_id: str) -> None:
        self.target, self.method, self.operation_id = target, method, operation_id
        super().__init__(
            f"{operation_id} sends {method} to {target}, which is not marked disposable; "
            f"set `disposable = true` under [target] if its data may be changed, "
            f"or plan with --safe-methods"
        )


class RunError(PremortemError):
    """A run that cannot go on, or cannot be gone on with."""


class StartError(RunError):
    """A worker or a controller cannot be started."""


class ModelError(PremortemError):
    """A language model that does not answer, refuses, or costs more than was allowed."""


class ModelMissing(ModelError):
    """The model, or the library that runs it, is not on this machine."""


class NothingLearned(PremortemError):
    """There is nothing to work from yet."""

    def __init__(self, *, missing: str, command: str) -> None:
        self.missing, self.command = missing, command
        super().__init__(f"there is no {missing} in the store yet; run `{command}` first")
