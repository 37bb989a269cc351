"""All that is wrong with a plan file, at once, with its lines."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from premortem.domain.goals import Goals
from premortem.domain.run import Plan
from premortem.errors import ConfigError
from premortem.plan import check_text, load_plan, write_plan
from premortem.plan.check import BYTES_MAX


def said(text: str, **known) -> list[tuple[int, str, str]]:
    checked = check_text(text.encode("utf-8", "surrogateescape"), **known)
    return [(p.line, p.level, f"{p.key}: {p.message}") for p in checked.problems]


def one(text: str, **known) -> tuple[int, str, str]:
    [problem] = said(text, **known)
    return problem


def test_everything_is_said_at_once_by_line():
    text = """\
duration_s = "long"
rate = 5
dynamic = "140%"
thresholds = ["error_ratio < 1%",
              "p99 < 3"]

[load]
shape = "spike"
steps = 3
peak_per_second = 10
for_s = 1
bogus = 1

[stop]
when = "x"

[scale]
workers_min = 5
executor = "rayy"
seed = 3

[context.ranges.amount]
mini = 4
"""
    problems = said(text)
    assert [line for line, _, _ in problems] == [1, 2, 3, 5, 9, 10, 12, 14, 18, 19, 20, 23]
    whole = "\n".join(message for _, _, message in problems)
    for part in (
        "`duration_s` = 'long': it must be a number",
        "unknown key `rate`; did you mean `rate_per_second`?",
        "not a share: '140%'",
        "thresholds[2]: `thresholds[2]`: no metric is called 'p99'; did you mean p99_ms?",
        "`steps` belongs to step",
        "`load.peak_per_second` = 10.0: a spike is above the base",
        "unknown key `bogus` in [load]",
        "write [[stop]] in place of [stop]",
        "`scale.workers_min` = 5: it is more than workers_max = 1",
        "did you mean 'ray'? it must be one of local, ray",
        "unknown key `seed` in [scale]; it belongs at the top of the file, above the first [table]",
        "unknown key `mini` in [context.ranges.amount]; did you mean `min`?",
    ):
        assert part in whole


def test_a_sound_plan_has_no_problem_and_is_read():
    text = 'name = "n"\nthresholds = ["p99_ms < 250"]\n[load]\nshape = "ramp"\nto_per_second = 90\n'
    checked = check_text(text.encode(), metrics=(), rate_per_second_max=200.0)
    assert checked.problems == ()
    assert checked.plan is not None
    assert checked.plan.planned == 2700
    assert check_text(b"").plan == Plan()


SPIKE = "duration_s = 60\n[load]\nshape = 'spike'\npeak_per_second = 90\n"
SINE = "[load]\nshape = 'sine'\n"
PIECES = "[load]\nshape = 'piecewise'\n"
FIND = "duration_s = 900\nthresholds = ['p99_ms < 250']\n[load]\nshape = 'find_limit'\n"


@pytest.mark.parametrize(
    ("text", "line", "part"),
    [
        ("a = \n", 1, "not valid TOML"),
        ("a = 1\na = 2\n", 2, "not valid TOML"),
        ("a = 1\n\n# \udcff\n", 3, "no UTF-8"),
        ("x = [" * 3000, 1, "not valid TOML"),
        ("load = 3", 1, "it must be a table: write [load]"),
        ("sources = 3", 1, "it must be a table"),
        ("thresholds = 'p99_ms < 3'", 1, "a list, each a text"),
        ("\nthresholds = [\n3]", 3, "`thresholds[1]` = 3: it must be a text"),
        ("seed = true", 1, "`seed` = true: it must be a whole number"),
        ("seed = 1.5", 1, "it must be a whole number"),
        ("rate_per_second = 1" + "0" * 400, 1, "`rate_per_second`"),
        ("safe_methods_only = 1", 1, "it must be true or false"),
        ("checks_off = ['spelling']", 1, "there is no check 'spelling'; there are server_error"),
        ("users_per_role = 0", 1, "between 1 and"),
        ("hodl = 1", 1, "did you mean `hold`?"),
        ("job_s = 3", 1, "it belongs in [scale]"),
        ("from_per_second = 3", 1, "it belongs in [load] or [hold]"),
        ("[scale]\nthresholds = []", 2, "belongs at the top of the file"),
        ("[[stop]]\nfor_s = 1", 1, "`stop[1].when` is missing"),
        ("[[stop]]\nwhen = 'p99_ms > 5'\n[[stop]]\nwhen = 'x'", 4, "`stop[2].when`: no condition"),
        ("[[stop]]\nwhen = 'p99_ms > 5'\nwindow_s = 0", 3, "more than 0"),
        ("[[stop]]\nwhen = 'p99_ms > 5'\nleast = -1", 3, "between 0 and"),
        ("[load]\nfrom_per_second = 3", 2, "the shape constant uses no further key"),
        ("[load]\nshape = 'rampp'", 2, "did you mean 'ramp'?"),
        ("[load]\nshape = 'ramp'", 1, "needs from_per_second or to_per_second"),
        ("[load]\nshape = 'ramp'\nto_per_second = -5", 3, "0 or more"),
        ("[load]\nshape = 'ramp'\nto_per_second = 0.001", 1, "the shape ramp makes 0 requests"),
        ("[load]\nshape = 'step'\nto_per_second = 5\nsteps = 1", 4, "between 2 and"),
        (SPIKE + "at_s = 70\nfor_s = 1", 5, "the plan ends at 60 s"),
        (SPIKE + "at_s = 50\nfor_s = 20", 6, "50 s + 20 s = 70 s, after the plan"),
        (SPIKE + "at_s = 50", 2, "`load.for_s` = 0.0"),
        (SINE + "peak_per_second = 300\nperiod_s = 5", 3, "at most 100"),
        (SINE + "peak_per_second = 90\nperiod_s = 0.001", 4, "60,000 waves in 60 s are too many"),
        (PIECES + "points = [[0, 5]]", 3, "2 to 1,000 pairs"),
        (PIECES + "points = [[0, 5, 6], [1, 2]]", 3, "a list of 2 numbers"),
        (PIECES + "points = [[5, 5], [0, 2]]", 3, "in the order of their seconds"),
        (PIECES + "points = [[5, 5], [90, 2]]", 3, "after the plan's end"),
        (PIECES + "points = [[5, 0], [9, 0]]", 3, "one of the rates must be above 0"),
        (PIECES + "points = [[5, inf], [9, 0]]", 3, "must be 0 or more"),
        ("[load]\nshape = 'timeline'\nspeed = 0", 3, "production's own speed"),
        (FIND + "from_per_second = 5\nto_per_second = 5", 6, "more than from_per_second"),
        (FIND + "to_per_second = 5", 3, "the rate of the first trial"),
        (FIND + "from_per_second = 1\nto_per_second = 5\nsettle_s = 10", 7, "nothing of trial_s"),
        (FIND + "from_per_second = 1\nto_per_second = 5\nprecision = 0", 7, "between 0.01"),
        (FIND.replace("900", "5") + "from_per_second = 1\nto_per_second = 5", 3, "not one trial"),
        (
            "duration_s=900\n[load]\nshape='find_limit'\nfrom_per_second=1\nto_per_second=9",
            3,
            "raises the rate until one of them breaks, and there is none",
        ),
        ("connections = 8\n[load]\nshape = 'ramp'\nto_per_second = 9", 3, "keep one of the two"),
        ("connections = 99\nin_flight_max = 64", 2, "raise it to 99"),
        ("connections = 99", 1, "no more than `in_flight_max`"),
        ("connections = 8\n[hold]\nmetric = 'p99_ms'\nvalue = 5", 3, "so does `connections`"),
        ("[hold]\nvalue = 5", 2, "does not say what is to be held"),
        ("[hold]\nmetric = 'p99_ms'", 1, "`hold.value` = 0.0: it must be more than 0"),
        ("[hold]\nmetric = 'cpu'\nvalue = 5", 2, "no metric is called 'cpu'; hold one like p50_ms"),
        ("[hold]\nmetric='p99_ms'\nvalue=5\nleast_per_second = 90", 4, "is never exceeded"),
        (
            FIND + "from_per_second = 1\nto_per_second = 9\n[hold]\nmetric='p99_ms'\nvalue=5",
            8,
            "[hold] decides the rate, and so does find_limit",
        ),
        ("[scale]\nahead_s = 1", 2, "job_s = 2"),
        ("[scale]\ncontrollers_min = 3", 2, "controllers_max = 1"),
        ("[scale]\nworkers_max = 0", 2, "between 1 and"),
        ("duration_s = 1e9\nrate_per_second = 1e9", 1, "can be counted"),
        ("duration_s = 1e6\nrate_per_second = 1e9", 1, "between 1 and 100000000"),
    ],
)
def test_what_cannot_be_meant_is_named_with_its_line(text, line, part):
    problems = said(text)
    assert all(level == "error" for _, level, _ in problems)
    assert any(at == line and part in message for at, _, message in problems), problems
    assert check_text(text.encode("utf-8", "surrogateescape")).plan is None


@pytest.mark.parametrize(
    ("text", "line", "part"),
    [
        ("rate_per_second = 300", 1, "the plan's peak is 300/s, and premortem.toml allows"),
        ("\n[load]\nshape = 'ramp'\nto_per_second = 300", 2, "no more than 200/s"),
        ("[scale]\nrate_per_worker_max = 20", 1, "1 workers are trusted with 20/s"),
        ("rate_per_second=9\n[load]\nshape='ramp'\nto_per_second=99", 1, "rates of its own"),
        (
            "[load]\nshape='ramp'\nto_per_second=99\n[hold]\nmetric='p99_ms'\nvalue=5",
            2,
            "it will not look as planned",
        ),
        (
            FIND.replace("900", "60") + "from_per_second = 1\nto_per_second = 99",
            1,
            "may end the search before the limit is known",
        ),
        (
            FIND + "from_per_second = 1\nto_per_second = 99\n[[stop]]\nwhen = 'p99_ms > 300'",
            8,
            "may end the search at the limit that it looks for",
        ),
    ],
)
def test_what_may_surprise_is_a_warning_and_the_plan_is_read(text, line, part):
    at, level, message = one(text, metrics=(), rate_per_second_max=200.0)
    assert (at, level) == (line, "warning")
    assert part in message
    assert check_text(text.encode()).plan is not None


def test_a_stop_rule_far_beyond_the_limit_does_not_end_the_search():
    text = FIND + "from_per_second = 1\nto_per_second = 99\n[[stop]]\nwhen = 'p99_ms > 5000'"
    assert said(text) == []


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("\nthresholds = ['target.cpu < 80']", 2),
        ("[[stop]]\nwhen = 'target.cpu > 95'", 2),
        ("[hold]\nmetric = 'target.cpu'\nvalue = 70", 2),
    ],
)
def test_a_metric_of_the_target_has_to_be_configured(text, line):
    at, level, message = one(text, metrics={"memory"})
    assert (at, level) == (line, "error")
    assert "target.cpu needs [metrics.cpu] in premortem.toml; there are memory" in message
    assert said(text, metrics={"cpu": 1}) == []
    assert said(text) == []


def test_requiring_metrics_needs_one():
    assert "names no metric" in one("require_metrics = true", metrics=())[2]
    assert said("require_metrics = true", metrics=["cpu"]) == []


def test_what_rests_on_a_value_that_cannot_be_read_is_not_judged():
    text = (
        'duration_s = "5m"\n[load]\nshape = "spike"\npeak_per_second = 90\nat_s = 90\nfor_s = 9\n'
    )
    assert [line for line, _, _ in said(text)] == [1]
    text = 'shape = 3\n[load]\nshape = "ramp"\nto_per_second = "fast"\n'
    assert [line for line, _, _ in said(text)] == [1, 4]


def test_lines_are_counted_alike_with_windows_line_ends():
    text = 'name = "x"\r\n# c\r\nseed = -1\r\n'
    assert one(text)[0] == 3


def test_a_file_that_is_no_plan_is_not_read():
    [problem] = check_text(b"#" * (BYTES_MAX + 1)).problems
    assert "are no plan" in problem.message


def test_loading_says_the_same_in_one_error(tmp_path):
    path = tmp_path / "p.toml"
    path.write_text("seed = -1\n\nin_flight_max = 0\n")
    with pytest.raises(ConfigError) as raised:
        load_plan(path)
    message = str(raised.value)
    assert message.startswith(f"{path}: line 1: `seed` = -1: ")
    assert "; line 3: `in_flight_max` = 0: " in message
    assert "plan check" in message


scalars = st.one_of(
    st.integers(-(10**20), 10**20),
    st.floats(),
    st.booleans(),
    st.text(max_size=9),
    st.sampled_from(["ramp", "p99_ms < 3", "40%", "find_limit", "local"]),
)
KEYS = [*Plan.__struct_fields__, "shape", "points", "when", "metric", "value", "workers_min", "x"]
tables = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(KEYS), inner, max_size=5)
    ),
    max_leaves=12,
)


def toml(value) -> str:
    import json

    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {toml(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, str):
        return json.dumps(value).replace("\x7f", "\\u007f")
    return str(value).lower() if isinstance(value, bool) else repr(value)


@given(st.dictionaries(st.sampled_from(KEYS), tables, max_size=6))
def test_any_plan_is_read_or_refused_with_reasons(table):
    text = "\n".join(f"{key} = {toml(value)}" for key, value in table.items())
    checked = check_text(text.encode())
    assert (checked.plan is None) == bool(checked.errors)
    assert all(1 <= problem.line <= len(table) + 1 for problem in checked.problems)


def test_goals_are_read_and_what_cannot_be_meant_is_said_with_its_line():
    text = """\
[goals]
coverage = true
places = ["body:/amount", "somewhere"]
value_classes = ["boundary", "bounday"]
statuses = ["5xx"]
slice_requests = 3
operation = ["POST /invoices"]

[scale]
controllers_max = 2
"""
    problems = said(text)
    assert [line for line, _, _ in problems] == [3, 4, 6, 7, 10]
    whole = "\n".join(message for _, _, message in problems)
    for part in (
        "not a place: 'somewhere'",
        "did you mean 'boundary'?",
        "`goals.slice_requests` = 3: it must be between 20 and 5000",
        "did you mean `operations`?",
        "goals need controllers_max 1",
    ):
        assert part in whole


def test_goals_without_coverage_are_no_goals():
    assert "nothing is looked for" in one("[goals]\nfavour = 2.0\n")[2]
    assert said("[goals]\ncoverage = false\n") == []


def test_goals_need_something_that_is_generated():
    assert "so [goals] reach nothing" in one('dynamic = "0%"\n\n[goals]\ncoverage = true\n')[2]


def test_a_plan_with_goals_is_read_as_it_was_written(tmp_path):
    goals = Goals(coverage=True, operations=("POST /invoices",), statuses=("5xx",), favour=2.5)
    path = tmp_path / "plan.toml"
    write_plan(Plan(goals=goals), path)
    assert load_plan(path).goals == goals
    write_plan(Plan(), path)
    assert load_plan(path).goals == Goals()
