from __future__ import annotations

import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from premortem.domain.context import KINDS, TONES, Context, Range, User
from premortem.domain.run import Plan
from premortem.errors import ConfigError
from premortem.plan import load_plan, write_plan

texts = st.text(st.characters(codec="utf-8"))
plans = st.builds(
    Plan,
    name=texts,
    profile=texts,
    dynamic=st.sampled_from(["0%", "40%", "0.25", "100%"]),
    rate_per_second=st.floats(0.1, 1e4),
    duration_s=st.floats(10, 1e3),
    requests_max=st.integers(0, 10**6),
    sources=st.fixed_dictionaries({"sample": st.integers(1, 99), "mutate": st.integers(0, 99)}),
    operations=st.lists(texts, max_size=3).map(tuple),
    seed=st.integers(0, 2**31),
    in_flight_max=st.integers(1, 4096),
    timeout_s=st.floats(0.1, 100),
    safe_methods_only=st.booleans(),
    checks_off=st.lists(texts, max_size=2).map(tuple),
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


def test_every_key_is_there_with_a_comment(tmp_path):
    write_plan(Plan(), tmp_path / "plan.toml")
    text = (tmp_path / "plan.toml").read_text()
    assert set(tomllib.loads(text)) == set(Plan.__struct_fields__)
    lines = text.splitlines()
    for key in Plan.__struct_fields__:
        index = next(i for i, line in enumerate(lines) if line.startswith((f"{key} =", f"[{key}]")))
        assert lines[index - 1].startswith("# "), key


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
        ("rate = 5", "unknown field `rate`"),
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
