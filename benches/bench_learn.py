"""Learning a profile beside the floor that only decodes the bodies.

    python benches/bench_learn.py [HAR]

Floor: decode every JSON body of the same exchanges once (msgspec). Ours: templates, shapes,
links, flows and recipes. Goal for reddit.har.gz: less than 10 s.
"""

from __future__ import annotations

import msgspec
from measure import compared, recording, table

from premortem.capture import CaptureCounts, capture_har
from premortem.config import CaptureConfig, Config
from premortem.domain.traffic import Exchange
from premortem.learn import learn_profile

ROUNDS = 3


def floor(exchanges: list[Exchange]) -> int:
    """Decode all JSON bodies; their number."""
    decode, decoded = msgspec.json.decode, 0
    for exchange in exchanges:
        for body in (exchange.request.body, exchange.response.body):
            if body[:1] in (b"{", b"["):
                try:
                    decode(body)
                except msgspec.DecodeError:
                    continue
                decoded += 1
    return decoded


def main() -> None:
    path = recording("traffic/reddit.har.gz")
    config, key = Config(capture=CaptureConfig(hosts=("*",))), b"k" * 32
    exchanges = list(capture_har(path, config=config, redaction_key=key, counts=CaptureCounts()))
    profile = learn_profile(lambda: iter(exchanges), spec=None, now=0.0)
    print(
        f"{path.name}: {len(exchanges)} exchanges, {floor(exchanges)} JSON bodies -> "
        f"{len(profile.operations)} operations, {len(profile.links)} links, "
        f"{len(profile.flows)} flows"
    )
    works = {
        "floor: decode every JSON body": lambda: floor(exchanges),
        "learn": lambda: learn_profile(lambda: iter(exchanges), spec=None, now=0.0),
    }
    table(compared(works, rounds=ROUNDS), amount=len(exchanges), unit="exchanges/s")


if __name__ == "__main__":
    main()
