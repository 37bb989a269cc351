from __future__ import annotations

import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from premortem.domain.context import KINDS, TONES, Context, Range, User
from premortem.domain.load import Hold, Load, Scale, StopRule
from premortem.domain.run import Plan
from premortem.errors import ConfigError
from premortem.plan import load_plan, write_plan
from premortem.plan.load_file import HOLD_EXAMPLE, SCALE_EXAMPLE, STOP_EXAMPLE

texts = st.text(st.characters(codec="utf-8"))
CONDITIONS = ["p99_ms < 250", "error_ratio{GET /a/{id}} < 1%", "target.cpu > 95"]
loads = st.sampled_from(
    [
        Load(),
        Load(shape="ramp", from_per_second=3, to_per_second=80.5),
        Load(shape="step", from_per_second=10, to_per_second=50, steps=5),
        Load(shape="timeline", speed=2.5),
        Load(shape="piecewise", points=((0, 10), (5, 20.5), (5, 1e3))),
    ]
)
plans = st.builds(
    Plan,
    name=texts,
    profile=texts,
    dynamic=st.sampled_from(["0%", "40%", "0.25", "100%"]),
    rate_per_second=st.floats(0.1, 1e4),
    duration_s=st.floats(10, 1e3),
    requests_max=st.integers(0, 10**6),
    load=loads,
    sources=st.fixed_dictionaries({"sample": st.integers(1, 99), "mutate": st.integers(0, 99)}),
    operations=st.lists(texts, max_size=3).map(tuple),
    seed=st.integers(0, 2**31),
    in_flight_max=st.integers(1, 4096),
    timeout_s=st.floats(0.1, 100),
    safe_methods_only=st.booleans(),
    checks_off=st.lists(st.sampled_from(["no_answer", "auth_ignored"]), max_size=2).map(tuple),
    connections=st.just(0),
    users_per_role=st.integers(1, 9),
    thresholds=st.lists(st.sampled_from(CONDITIONS), max_size=3).map(tuple),
    stop=st.lists(
        st.builds(
            StopRule,
            when=st.sampled_from(CONDITIONS),
            for_s=st.floats(0, 60),
            window_s=st.floats(0.5, 60),
            least=st.integers(0, 99),
        ),
        max_size=3,
    ).map(tuple),
    scale=st.builds(
        Scale,
        executor=st.sampled_from(["local", "ray"]),
        workers_min=st.integers(1, 4),
        workers_max=st.integers(4, 9),
        attempts_max=st.integers(1, 5),
    ),
    require_metrics=st.booleans(),
    resend_unsafe=st.booleans(),
    exclude_operations=st.lists(texts, max_size=2).map(tuple),
    context=st.builds(
        Context,
        user=st.builds(User, role=texts, locale=texts),
        requests=st.lists(st.sampled_from(KINDS), max_size=2).map(tuple),
        tone=st.sampled_from(["", *TONES]),
        ranges=st.dictionaries(
            texts,
            st.builds(
                Range,
                min=st.none() | st.floats(allow_nan=False),
                values=st.lists(texts | st.integers(0, 9) | st.booleans(), max_size=3).map(tuple),
                pattern=texts,
                null_share=st.none() | st.floats(0, 1),
            ),
            max_size=2,
        ),
    ),
)


@settings(max_examples=50, deadline=None)
@given(plan=plans)
def test_what_is_written_is_read_again(plan, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "round" / "plan.toml"
    write_plan(plan, path)
    assert load_plan(path) == plan


@pytest.mark.parametrize(
    "plan",
    [
        Plan(load=Load(shape="spike", peak_per_second=500, at_s=10, for_s=5)),
        Plan(load=Load(shape="sine", peak_per_second=90, period_s=15)),
        Plan(
            load=Load(shape="find_limit", from_per_second=10, to_per_second=500),
            duration_s=300,
            thresholds=("p99_ms < 250",),
        ),
        Plan(hold=Hold(metric="target.cpu", value=70, every_s=2.0)),
        Plan(connections=64),
    ],
    ids=lambda plan: plan.load.shape,
)
def test_other_loads_are_read_again_too(plan, tmp_path):
    write_plan(plan, tmp_path / "plan.toml")
    assert load_plan(tmp_path / "plan.toml") == plan


def test_every_key_is_there_with_a_comment(tmp_path):
    write_plan(Plan(), tmp_path / "plan.toml")
    text = (tmp_path / "plan.toml").read_text()
    # Stop rules cannot be an empty list and be added to below: an example stands for them.
    assert set(tomllib.loads(text)) == set(Plan.__struct_fields__) - {"stop"}
    assert "#   [[stop]]" in text
    lines = text.splitlines()
    for key in set(Plan.__struct_fields__) - {"stop"}:
        index = next(i for i, line in enumerate(lines) if line.startswith((f"{key} =", f"[{key}]")))
        assert lines[index - 1].startswith("# "), key


def test_the_examples_in_the_comments_are_a_plan(tmp_path):
    def uncommented(example: str) -> str:
        return "\n".join(x[4:] for x in example.splitlines() if x.startswith("#   "))

    scale = "[scale]\n" + uncommented(SCALE_EXAMPLE)
    text = "\n".join((uncommented(STOP_EXAMPLE), uncommented(HOLD_EXAMPLE), scale))
    (tmp_path / "plan.toml").write_text(text)
    plan = load_plan(tmp_path / "plan.toml")
    assert plan == Plan(
        stop=(StopRule(when="error_ratio > 20%", for_s=5.0),),
        hold=Hold(metric="target.cpu", value=70, from_per_second=10.0),
    )
    assert {*StopRule.__struct_fields__} == set(tomllib.loads(text)["stop"][0])
    assert {*Hold.__struct_fields__} == set(tomllib.loads(text)["hold"])


def test_a_plan_may_be_as_short_as_one_line(tmp_path):
    (tmp_path / "p.toml").write_text('dynamic = "10%"\n')
    assert load_plan(tmp_path / "p.toml") == Plan(dynamic="10%")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rate_per_second = -1", "`rate_per_second` = -1.0: it must be more than 0"),
        ("duration_s = 0", "`duration_s`"),
        ("timeout_s = nan", "`timeout_s`"),
        ('dynamic = "140%"', "`dynamic`: not a share: '140%'"),
        ("requests_max = -5", "`requests_max`"),
        ("in_flight_max = 0", "`in_flight_max` = 0: it must be between 1 and"),
        ("rate_per_second = 1e9\nduration_s = 1e9", "`rate_per_second` x `duration_s`"),
        ("rate_per_second = 0.001", "makes 0 requests"),
        ("[sources]\nmagic = 1", "'magic'"),
        ("[sources]\nreplay = 1", "does not generate"),
        ("[sources]\nsample = 0", "no source has a weight"),
        ("[sources]\nsample = -1", "below 0"),
        ('rate_per_second = "fast"', r"rate_per_second"),
        ("rate = 5", "unknown key `rate`; did you mean `rate_per_second`?"),
        ("rate_per_second = 0\nduration_s = 0", "line 1: `rate_per_second`"),
        ("rate_per_second = 0\nduration_s = 0", "line 2: `duration_s`"),
        ("rate_per_second = ", "not valid TOML"),
        ("\udcff", "not valid TOML"),
    ],
)
def test_a_plan_that_cannot_be_meant_is_refused_with_its_key(tmp_path, text, said):
    path = tmp_path / "p.toml"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ConfigError) as raised:
        load_plan(path)
    assert said in str(raised.value)
    assert str(path) in str(raised.value)


def test_a_plan_that_is_not_there_says_how_to_make_one(tmp_path):
    with pytest.raises(ConfigError, match="premortem plan build"):
        load_plan(tmp_path / "absent.toml")
