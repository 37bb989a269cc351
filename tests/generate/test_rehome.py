"""What was sent to things of mid-run goes to things made for it."""

from __future__ import annotations

from msgspec.structs import replace

from premortem.domain.run import Intent
from premortem.generate import Starts, rehomed
from tests.generate import small


def test_a_live_request_goes_behind_the_setup_and_keeps_what_it_says():
    profile = small.profile()
    starts = Starts(profile, small.recorded())
    found = [s for o in profile.operations if (s := starts.of(o.id)) is not None and s.setup]
    for start in found:
        bound = [b for b in start.final.bindings if b.place.part == "path"]
        request = start.final.request
        path = "/".join("live_7" if s.startswith("inv") else s for s in request.path.split("/"))
        live = replace(
            start.final,
            request=replace(request, path=path, body=b'{"odd": 1}'),
            bindings=(),
            intent=Intent(kind="adversarial", breaks="x", live=True),
        )
        moved = rehomed(live, starts)
        assert moved is not None
        assert moved.cases[:-1] == start.setup
        assert moved.cases[-1].request.path == request.path
        assert moved.cases[-1].request.body == b'{"odd": 1}'
        assert list(moved.cases[-1].bindings) == bound
        assert not moved.cases[-1].intent.live
    assert found


def test_what_needs_no_setup_stays_where_it_is():
    profile = small.profile()
    starts = Starts(profile, small.recorded())
    free = [s for o in profile.operations if (s := starts.of(o.id)) is not None and not s.setup]
    assert free
    assert all(rehomed(start.final, starts) is None for start in free)
