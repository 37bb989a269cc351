"""Time and memory of learning from a stream that no list could hold.

    python benches/bench_learn_stream.py [EXCHANGES]

A made-up ledger (invoices, approvals, payments, refunds, lists) is generated twice, as a store
would be read twice, and never held. Floor: generating it and decoding every body. Peak memory is
this process's resident maximum, less what it was before. Goal: it stops growing with the stream,
but for the identifiers of the latest exchanges (FACTS_MAX) and the flows (FLOWS_MAX).
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Iterator
from random import Random

import msgspec

from premortem.domain.traffic import Exchange, Request, Response, Tags
from premortem.learn import learn_profile

EXCHANGES = 50_000
JSON = (("content-type", "application/json"),)
ROLES = ("clerk", "manager", "cashier", "auditor")
MIB = 1024


def ledger(count: int, seed: int = 1) -> Iterator[Exchange]:
    """COUNT exchanges of a made-up ledger, in order."""
    rng = Random(seed)
    invoices: list[str] = []
    made = 0
    while made < count:
        session = f"s{made // 12}"
        for method, path, body, status, answer in _visit(rng, invoices):
            if made == count:
                return
            yield Exchange(
                request=Request(
                    method=method,
                    origin="https://ledger.test",
                    path=path,
                    headers=JSON if body is not None else (),
                    body=b"" if body is None else msgspec.json.encode(body),
                ),
                response=Response(status=status, headers=JSON, body=msgspec.json.encode(answer)),
                started_at=1_760_000_000.0 + made * 0.4,
                duration_ms=rng.lognormvariate(2, 1),
                tags=Tags(session=session, role=rng.choice(ROLES)),
            )
            made += 1


Step = tuple[str, str, object, int, object]


def _visit(rng: Random, invoices: list[str]) -> Iterator[Step]:
    one = f"inv_{rng.getrandbits(48):012x}"
    lines = [
        {"sku": f"s{rng.randrange(500)}", "quantity": rng.randrange(1, 9), "price": rng.random()}
        for _ in range(rng.randrange(1, 6))
    ]
    total = round(sum(line["quantity"] * line["price"] for line in lines), 2)
    sent = {"customer": f"customer {rng.randrange(900)}", "lines": lines, "amount": total}
    held = {"id": one, **sent, "currency": rng.choice(("EUR", "USD")), "state": "open"}
    yield "POST", "/invoices", sent, 201, held
    yield "GET", f"/invoices/{one}", None, 200, held
    yield "POST", f"/invoices/{one}/approve", None, 200, held | {"state": "approved"}
    paid = {"id": f"pay_{rng.getrandbits(48):012x}", "invoice_id": one, "amount": total}
    yield "POST", f"/invoices/{one}/payments", {"amount": total}, 201, paid
    if rng.random() < 0.2:
        refused = {"error": "AlreadyPaid", "message": "it was paid before"}
        yield "POST", f"/invoices/{one}/payments", {"amount": total}, 409, refused
    invoices.append(one)
    del invoices[:-50]
    listed = [{"id": known, "state": "open"} for known in invoices[-20:]]
    yield "GET", "/invoices", None, 200, {"items": listed, "count": len(listed)}


def peak_mib() -> float:
    """The resident maximum of this process so far (Linux counts KiB)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MIB


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else EXCHANGES
    started, before = time.process_time(), peak_mib()
    for exchange in ledger(count):
        for body in (exchange.request.body, exchange.response.body):
            if body:
                msgspec.json.decode(body)
    floor = 2 * (time.process_time() - started)
    started = time.process_time()
    profile = learn_profile(lambda: ledger(count), spec=None, now=0.0)
    seconds = time.process_time() - started
    scale = 100_000 / count
    size = len(msgspec.json.encode(profile)) / MIB / MIB
    print(
        f"{count:,} exchanges: {seconds:.1f} s CPU, of which {floor:.1f} s are generating and "
        f"decoding twice; {(seconds - floor) * scale:.1f} s per 100,000; peak "
        f"{peak_mib() - before:.0f} MiB above {before:.0f}; the profile as JSON {size:.1f} MiB; "
        f"{len(profile.operations)} operations, {len(profile.flows):,} flows"
    )


if __name__ == "__main__":
    main()
