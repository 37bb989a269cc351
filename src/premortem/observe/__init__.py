"""What the target says of itself: its metrics, read, asked for or received during a run."""

from premortem.observe.door import Answer, Asked, Door, refusal
from premortem.observe.fetching import Fetch, Wanted, fetch
from premortem.observe.reach import Reach
from premortem.observe.tracking import Unseen
from premortem.observe.watching import Watcher, check

__all__ = [
    "Answer",
    "Asked",
    "Door",
    "Fetch",
    "Reach",
    "Unseen",
    "Wanted",
    "Watcher",
    "check",
    "fetch",
    "refusal",
]
