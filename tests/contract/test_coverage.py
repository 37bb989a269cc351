"""What every store does with the coverage of runs."""

from premortem.domain.coverage import Cell, CellCount, CodeTotal, RunCoverage, Seen
from premortem.store.coverage import RUNS_APART_MAX
from premortem.store.rotation import rotate_key

CELL = Cell(operation_id="GET /invoices", place="query:limit", value_class="boundary", role="CFO")


def covered(run_id: str, *, at: float = 1.0, hits: int = 1, version: str = "aa", **more):
    count = CellCount(cell=CELL, status_class="2xx", hits=hits, last_run=run_id, last_at=at)
    return RunCoverage(
        run_id=run_id, profile_version=version, at=at, cells=(count,), cases=hits, **more
    )


def test_what_a_run_covered_is_read_as_it_was_saved(store):
    given = covered(
        "r1",
        seen=(Seen(kind="log", name="paid <*>", hits=3, detail="info"),),
        code=(CodeTotal(file="app.py", lines=10, lines_covered=4),),
    )
    store.coverage.save(given)

    assert store.coverage.of_run("r1") == given
    assert store.coverage.of_run("r2") is None
    assert store.coverage.of_run("") is None


def test_a_later_word_on_a_run_takes_the_place_of_the_earlier(store):
    store.coverage.save(covered("r1", hits=1))
    store.coverage.save(covered("r1", hits=5))

    assert store.coverage.of_run("r1") == covered("r1", hits=5)
    assert store.coverage.of_all().cells[0].hits == 5


def test_runs_add_up_by_profile_and_in_all(store):
    code = (CodeTotal(file="app.py", lines=10, lines_covered=4),)
    seen = (Seen(kind="field", operation_id="GET /invoices", name="200 body:/id", hits=2),)
    store.coverage.save(covered("r1", at=1.0, hits=1, code=code, seen=seen))
    store.coverage.save(covered("r2", at=2.0, hits=2, seen=seen))
    store.coverage.save(covered("r3", at=3.0, hits=4, version="bb"))

    of_profile = store.coverage.of_profile("aa")
    of_all = store.coverage.of_all()

    assert (of_profile.cells[0].hits, of_profile.cells[0].last_run) == (3, "r2")
    assert (of_profile.runs, of_profile.profile_version) == (2, "aa")
    assert (of_profile.seen[0].hits, of_profile.code) == (4, code)
    assert (of_all.cells[0].hits, of_all.runs, of_all.profile_version) == (7, 3, "")
    assert store.coverage.of_profile("cc") is None
    assert store.coverage.runs() == ["r3", "r2", "r1"]


def test_old_runs_are_added_up_and_nothing_is_lost(store):
    for n in range(RUNS_APART_MAX + 5):
        store.coverage.save(covered(f"r{n}", at=float(n), version="aa" if n % 2 else "bb"))

    assert len(store.coverage.runs()) == RUNS_APART_MAX
    assert store.coverage.of_run("r4") is None
    assert store.coverage.of_run("r5") is not None
    whole = store.coverage.of_all()
    assert (whole.runs, whole.cells[0].hits) == (RUNS_APART_MAX + 5, RUNS_APART_MAX + 5)
    assert store.coverage.of_profile("bb").runs == (RUNS_APART_MAX + 5 + 1) // 2


def test_coverage_can_be_read_with_new_keys(reopened, config, tmp_path):
    with reopened() as store:
        store.coverage.save(covered("r1"))
    rotate_key(config, tmp_path, data=True, environment={})
    with reopened() as store:
        assert store.coverage.of_run("r1") == covered("r1")
