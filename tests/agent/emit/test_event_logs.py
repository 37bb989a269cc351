import json

import pytest

from premortem.agent.emit import event_logs
from premortem.agent.emit.augmentation import Attempt
from premortem.agent.emit.event_logs import SkillSpan, emit_observability, log_change
from premortem.domain.proposal import Signal
from premortem.errors import InputError
from tests.agent.emit.samples import added, refund


def test_a_line_that_is_there_is_not_written_again_at_another_time(tmp_path):
    first = log_change(tmp_path, "a.jsonl", [{"event": "x", "n": 1}], at=1.0)
    (tmp_path / "a.jsonl").write_bytes(first.after)
    again = log_change(tmp_path, "a.jsonl", [{"n": 1, "event": "x"}, {"event": "y"}], at=2.0)
    assert again.after == first.after + b'{"event":"y","at":2.0}\n'


def test_a_log_whose_last_line_has_no_end_is_gone_on_with(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(b'{"event":"x"}')
    change = log_change(tmp_path, "a.jsonl", [{"event": "y"}])
    assert change.after == b'{"event":"x"}\n{"event":"y"}\n'


def test_a_title_with_odd_line_breaks_stays_one_line(tmp_path):
    line = {"event": "a\u2028b\nc"}
    change = log_change(tmp_path, "a.jsonl", [line])
    (tmp_path / "a.jsonl").write_bytes(change.after)
    assert log_change(tmp_path, "a.jsonl", [line]).after == change.after


def test_a_log_that_grew_too_large_is_refused(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(b" " * (event_logs.LOG_BYTES_MAX + 1))
    with pytest.raises(InputError, match="more than"):
        log_change(tmp_path, "a.jsonl", [{"event": "y"}])


def test_the_events_carry_source_and_trigger_and_retries_their_own(tmp_path):
    signal = Signal(kind="telemetry", text="500", span_id="s-1", origin="AppInsights")
    retried = added("Twice", attempts=(Attempt(reason="vague"),))
    augmentation = refund(signal=signal, added=(retried, added("Zero", mode="boundary")))
    testgen, events = emit_observability(tmp_path, "", augmentation)
    told = [json.loads(line) for line in events.after.splitlines()]
    assert [(e["source"], e["trigger"], e["span_id"]) for e in told] == [
        ("telemetry", "retry:observability", "s-1"),
        ("telemetry", "observability", "s-1"),
    ]
    prompt = emit_observability(tmp_path, "", refund())[1].after.splitlines()[0]
    assert json.loads(prompt)["trigger"] == "prompt"
    spans = [json.loads(line) for line in testgen.after.splitlines() if b'"span"' in line]
    assert [s["span"] for s in spans] == ["testgen.GenerateFeatureScenario"] * 2


def test_a_span_that_was_retried_says_how_often_and_why(tmp_path):
    span = SkillSpan(skill="SuggestTestMethod", retry_count=2, retry_reason="no assertion")
    line = span.line(refund())
    assert (line["retry_count"], line["retry_reason"]) == (2, "no assertion")
