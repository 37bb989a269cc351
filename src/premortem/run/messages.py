"""What controllers and workers say to each other; over pipes, queues or actors alike.

A controller sends `Setup` once, then grants; a worker asks for jobs, works on them and sends
batches. Plan seconds are seconds on the plan's clock: 0 at the run's start, running at `speed`.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from premortem.config import Config
from premortem.domain.jobs import ResultBatch
from premortem.domain.run import Plan
from premortem.domain.traffic import Profile

MESSAGE_BYTES_MAX = 256 * 1024 * 1024
"""One message; a job or a batch that is larger is a bug."""

STOP_GRACE_S = 0.8
"""After a stop, answers under way are waited for so long; what is missing then is given up."""

# To a worker.


class Setup(Struct, frozen=True, kw_only=True, tag=True):
    """Everything a worker needs before its first job."""

    worker_id: str
    run_id: str
    config: Config
    profile: Profile
    plan: Plan
    redaction_key: bytes
    """Lets credentials of roles be put back where they were redacted; never written anywhere."""
    elapsed_s: float
    """Plan seconds now; negative before the start."""
    speed: float = 1.0


class Grant(Struct, frozen=True, kw_only=True, tag=True):
    """A job under a lease of `lease_s` from now."""

    job_id: str
    packed: bytes
    """The job, see `pack_job`."""
    epoch: int
    lease_s: float
    skip: tuple[tuple[int, int], ...] = ()
    """Ranges of case numbers that ended under an earlier lease: not sent again. What of their
    sequences needs an answer of theirs is a fault `unbound`."""


class Renewed(Struct, frozen=True, kw_only=True, tag=True):
    """A batch is stored; the lease lasts `lease_s` from now."""

    job_id: str
    epoch: int
    sequence_number: int
    lease_s: float


class Refused(Struct, frozen=True, kw_only=True, tag=True):
    """The job is another's by now: give it up, nothing of it counts any more."""

    job_id: str
    epoch: int


class Pace(Struct, frozen=True, kw_only=True, tag=True):
    """From now on the plan's clock, which shows `elapsed_s`, runs at `speed`; 0: it stands."""

    elapsed_s: float
    speed: float


class Stop(Struct, frozen=True, kw_only=True, tag=True):
    """Send nothing more; answers under way are waited for `grace_s`, then all is reported."""

    why: str
    grace_s: float


class Drain(Struct, frozen=True, kw_only=True, tag=True):
    """Take no further job; finish those held, then say `Left`."""


# To a controller.


class Hello(Struct, frozen=True, kw_only=True, tag=True):
    """A worker is there and wants its `Setup`."""

    worker_id: str
    host: str
    pid: int


class Ask(Struct, frozen=True, kw_only=True, tag=True):
    """A worker has room for `jobs` more; each ask replaces the one before."""

    worker_id: str
    jobs: int


class Rested(Struct, frozen=True, kw_only=True, tag=True):
    """The target asked for a rest (`Retry-After`), and this worker takes it."""

    worker_id: str
    status: int
    pause_s: float


class Left(Struct, frozen=True, kw_only=True, tag=True):
    """A worker's last word; `error`: what broke it, empty: nothing did."""

    worker_id: str
    error: str = ""
    stop: str = ""
    """Why no worker can go on: the target is gone, or wants to rest for too long; empty: they
    can."""


ToWorker = Setup | Grant | Renewed | Refused | Pace | Stop | Drain
ToController = Hello | Ask | ResultBatch | Rested | Left

_encoder = msgspec.msgpack.Encoder()
_to_worker: msgspec.msgpack.Decoder[ToWorker] = msgspec.msgpack.Decoder(ToWorker)
_to_controller: msgspec.msgpack.Decoder[ToController] = msgspec.msgpack.Decoder(ToController)


def encode(message: ToWorker | ToController) -> bytes:
    """MESSAGE as bytes."""
    return _encoder.encode(message)


def to_worker(data: bytes) -> ToWorker:
    """What a controller encoded. Raises msgspec.DecodeError."""
    return _to_worker.decode(data)


def to_controller(data: bytes) -> ToController:
    """What a worker encoded. Raises msgspec.DecodeError."""
    return _to_controller.decode(data)
