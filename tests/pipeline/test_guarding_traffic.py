"""What the privacy gate says of the traffic model."""

from __future__ import annotations

from premortem.generate.traffic import train
from premortem.pipeline.guarding_traffic import traffic_guards
from tests.generate import bazaar


def test_the_traffic_model_keeps_planted_secrets_and_values_of_one_session_to_itself():
    exchanges = bazaar.traffic(120)
    profile = bazaar.profile_of(exchanges)
    recorded = {e.id: e for e in exchanges}
    model = train(profile, recorded, now=0.0, clock=lambda: 0.0)
    guards = traffic_guards(profile, recorded, model, clock=lambda: 0.0)
    assert [guard.name for guard in guards] == ["canaries", "copies", "overlap"]
    assert [guard.says for guard in guards if not guard.passed] == []
