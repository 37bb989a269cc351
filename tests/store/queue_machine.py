"""Workers, networks and clocks at their worst, against any queue.

The same machine runs against the transitions alone, in memory, and against the store. Workers
send by one of three rules (slots belong to cases; go to whichever case is ready; the same with the
slots of skipped cases dropped), stop by their own clocks, report late, twice, or never.
"""

from __future__ import annotations

from collections import Counter
from math import inf
from random import Random

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec.structs import replace

from premortem.domain.jobs import Job, JobState, ResultBatch
from premortem.domain.live import Granted, LiveRun, PlanSlice
from premortem.domain.ranges import merged, size
from premortem.domain.run import IDEMPOTENT_METHODS
from tests.store.queue_values import a_count, a_job, a_live_run

LEASE_S = 5.0
EPOCH = 1_000.0
"""What the controllers' clock shows at plan second 0."""
METHODS = ("GET", "POST", "PUT", "PATCH")
RULES = ("own", "ready", "dropped")
SKEWS = st.sampled_from([-30.0, -1.0, 0.0, 0.0, 0.5, 30.0])


def one(data, options):
    """One of OPTIONS, by Hypothesis, or from a seed where it could not remember each choice."""
    if isinstance(data, Random):
        return data.choice(options)
    return data.draw(st.sampled_from(options))


BOTH = (False, True)
WORKERS = ("w1", "w2", "w3")


class Work:
    """A worker's hold on a job: what it sent, what ended, what it has not reported."""

    def __init__(self, granted: Granted, *, at_s: float, rule_: str) -> None:
        self.granted, self.rule = granted, rule_
        self.fence_s = at_s + LEASE_S
        self.is_alive = True
        self.reported = 0
        self.used = 0
        job = granted.job
        self.skipped = {n for low, high in granted.skip for n in range(low, high + 1)}
        self.slots = [
            slot
            for k, slot in enumerate(job.due_s)
            if rule_ != "dropped" or job.first + k not in self.skipped
        ]
        self.courses: list[list[int]] = []
        first = job.first
        for sequence in job.sequences:
            numbers = range(first, first + len(sequence.cases))
            left = [n for n in numbers if n not in self.skipped]
            self.courses += [left] if left else []
            first += len(sequence.cases)
        self.begun = 0
        self.sent: set[int] = set()
        self.ended: set[int] = set()
        self.pending: set[int] = set()

    def next(self, now_s: float, *, fresh: bool) -> int | None:
        """The number of the case that goes out now."""
        if not self.is_alive or now_s >= self.fence_s:
            return None
        ready = [self._ready(course) for course in self.courses[: self.begun]]
        numbers = [n for n in ready if n is not None]
        if (fresh or not numbers) and self.begun < len(self.courses):
            numbers = [self.courses[self.begun][0]]
        for number in numbers:
            if self._due(number) <= now_s:
                return number
        return None

    def _ready(self, course: list[int]) -> int | None:
        for number in course:
            if number not in self.sent:
                return number
            if number not in self.ended:
                return None
        return None

    def _due(self, number: int) -> float:
        job = self.granted.job
        if not job.slots:
            return -inf
        return job.due_s[number - job.first] if self.rule == "own" else self.slots[self.used]

    def send(self, number: int) -> None:
        self.sent.add(number)
        self.used += 1
        if self.begun < len(self.courses) and number == self.courses[self.begun][0]:
            self.begun += 1

    def batch(self, *, final: bool) -> ResultBatch:
        ended = merged((n, n) for n in self.pending)
        self.pending = set()
        self.reported += 1
        return ResultBatch(
            job_id=self.granted.job_id,
            worker_id=self.granted.worker_id,
            epoch=self.granted.epoch,
            sequence_number=self.reported,
            ended=ended,
            counts=(a_count(size(ended)),) if ended else (),
            final=final,
        )


class QueueMachine(RuleBasedStateMachine):
    """A run of a few jobs."""

    def opened(self, run: LiveRun, part: PlanSlice, jobs: list[Job]):
        """The queue with that run and its jobs; the machine's run may get another id."""
        raise NotImplementedError

    @initialize(
        seed=st.integers(0, 2**32),
        resend_unsafe=st.booleans(),
        attempts_max=st.integers(1, 4),
        rule_=st.sampled_from(RULES),
    )
    def begin(self, seed, resend_unsafe, attempts_max, rule_):
        random = Random(seed)
        self.resend_unsafe, self.rule = resend_unsafe, rule_
        self.jobs: dict[str, Job] = {}
        self.now_s = 0.0
        self.works: list[Work] = []
        self.network: list[tuple[Work, ResultBatch]] = []
        self.sent: Counter[int] = Counter()
        self.ended: Counter[int] = Counter()
        self.unknown = 0
        self.leases: set[tuple[str, int]] = set()
        self.settled: dict[str, JobState] = {}
        jobs, first = [], 0
        for number in range(random.randint(1, 3)):
            methods = random.choices(METHODS, k=random.randint(1, 8))
            job = a_job(
                number,
                methods=methods,
                count=len(methods),
                first=first,
                length=random.randint(1, 3),
                slots=sorted(random.uniform(0, 6) for _ in methods),
                connections=random.choice((0, 0, 0, 2)),
            )
            jobs.append(job)
            first += job.count
        self.planned = first
        run = a_live_run(planned=first, attempts_max=attempts_max, resend_unsafe=resend_unsafe)
        part = PlanSlice(number=0, first=0, count=first, start_s=0.0, end_s=10.0)
        self.queue, self.run_id, jobs = self.opened(run, part, jobs)
        self.jobs = {job.id: job for job in jobs}

    # What workers do

    @rule(worker=st.sampled_from(WORKERS), skew=SKEWS)
    def take(self, worker, skew):
        granted = self.queue.take_job(
            self.run_id, worker, now=EPOCH + self.now_s + skew, lease_s=LEASE_S
        )
        if granted is not None:
            assert granted.job == self.jobs[granted.job_id]
            lease = granted.job_id, granted.epoch
            assert lease not in self.leases
            self.leases.add(lease)
            self.works.append(Work(granted, at_s=self.now_s, rule_=self.rule))

    @precondition(lambda self: self.works)
    @rule(data=st.data(), most=st.integers(1, 6), fresh=st.booleans())
    def send(self, data, most, fresh):
        work = one(data, self.works)
        for _ in range(most):
            number = work.next(self.now_s, fresh=fresh)
            if number is None:
                return
            work.send(number)
            self.sent[number] += 1

    @precondition(lambda self: self.works)
    @rule(data=st.data())
    def answer(self, data):
        work = one(data, self.works)
        open_ = sorted(work.sent - work.ended)
        if open_:
            came = {number for number in open_ if one(data, BOTH)}
            work.ended |= came
            work.pending |= came

    @precondition(lambda self: self.works)
    @rule(data=st.data(), final=st.booleans())
    def report(self, data, final):
        work = one(data, self.works)
        if work.is_alive:
            whole = len(work.ended | work.skipped) == work.granted.job.count
            self.network.append((work, work.batch(final=final and whole)))

    # What the network does

    @precondition(lambda self: self.network)
    @rule(data=st.data(), again=st.booleans(), most=st.integers(1, 3), skew=SKEWS)
    def deliver(self, data, again, most, skew):
        picked = [one(data, range(len(self.network))) for _ in range(most)]
        batches = [self.network[index] for index in picked]
        if not again:
            self.network = [m for k, m in enumerate(self.network) if k not in picked]
        words = self.queue.apply_batches(
            [batch for _, batch in batches], now=EPOCH + self.now_s + skew, lease_s=LEASE_S
        )
        for (work, batch), word in zip(batches, words, strict=True):
            assert (word.job_id, word.epoch) == (batch.job_id, batch.epoch)
            if word.fresh:
                self.ended.update(n for low, high in batch.ended for n in range(low, high + 1))
            if word.accepted:
                work.fence_s = max(work.fence_s, self.now_s + LEASE_S)
            else:
                work.is_alive = False

    @precondition(lambda self: self.works)
    @rule(data=st.data(), seconds=st.sampled_from([0.0, 0.3, 1.0]), is_said=st.booleans())
    def work(self, data, seconds, is_said):
        self.now_s += seconds
        work = one(data, self.works)
        while (number := work.next(self.now_s, fresh=one(data, BOTH))) is not None:
            work.send(number)
            self.sent[number] += 1
            if one(data, BOTH):
                work.ended.add(number)
                work.pending.add(number)
        if is_said and work.is_alive:
            self.network.append((work, work.batch(final=False)))

    @precondition(lambda self: self.network)
    @rule(data=st.data())
    def lose_a_message(self, data):
        self.network.pop(one(data, range(len(self.network))))

    # What time and controllers do

    @rule(seconds=st.sampled_from([0.1, 0.5, 1.0, 2.0, 6.0]))
    def wait(self, seconds):
        self.now_s += seconds

    @rule(skew=SKEWS)
    def expire(self, skew):
        # However wrong this clock is: no worker goes on for longer than a lease.
        lost = self.queue.expire(
            self.run_id, now=EPOCH + self.now_s + skew, lost_at_s=self.now_s + LEASE_S
        )
        self._lost(lost)

    @precondition(lambda self: self.works)
    @rule(data=st.data())
    def kill(self, data):
        worker = one(data, self.works).granted.worker_id
        for work in self.works:
            if work.granted.worker_id == worker:
                work.is_alive = False
        lost = self.queue.release_worker(self.run_id, worker, lost_at_s=self.now_s, why="killed")
        assert all(item.worker_id == worker for item in lost)
        self._lost(lost)

    @precondition(lambda self: self.works)
    @rule(data=st.data())
    def hand_back(self, data):
        work = one(data, self.works)
        is_all_said = not work.sent - work.ended and not work.pending
        if is_all_said and not any(w is work for w, _ in self.network):
            reported = work.ended <= set(self.ended)
            if reported:
                work.is_alive = False
                granted = work.granted
                self.queue.hand_back(granted.job_id, granted.worker_id, granted.epoch)

    @rule(data=st.data())
    def bury(self, data):
        job_id = one(data, sorted(self.jobs))
        if one(data, range(10)) == 0:
            lost = self.queue.bury(job_id, lost_at_s=self.now_s + LEASE_S, why="a person said so")
            self._lost(lost)

    @rule(seed=st.integers(0, 2**32))
    def storm(self, seed):
        draws = Random(seed)
        for _ in range(30):
            skew = one(draws, (-30.0, 0.0, 0.0, 0.5, 30.0))
            what = one(draws, ("take", "work", "work", "work", "deliver", "deliver", "lost"))
            if what == "take":
                self.take(one(draws, WORKERS), skew)
            elif what == "work" and self.works:
                self.work(draws, one(draws, (0.0, 0.3, 1.0)), one(draws, BOTH))
            elif what == "deliver" and self.network:
                self.deliver(draws, one(draws, BOTH), one(draws, (1, 2)), skew)
            elif what == "lost" and self.works:
                how = one(draws, ("kill", "expire", "hand back", "answer", "message"))
                if how == "kill":
                    self.kill(draws)
                elif how == "expire":
                    self.expire(skew)
                elif how == "hand back":
                    self.hand_back(draws)
                elif how == "answer":
                    self.answer(draws)
                elif self.network:
                    self.lose_a_message(draws)
            self.unsafe_requests_go_out_once()
            self.nothing_ends_twice()

    def _lost(self, lost):
        for item in lost:
            self.unknown += item.unknown
            assert item.dead or item.again or item.unknown

    # What must always hold

    @invariant()
    def unsafe_requests_go_out_once(self):
        if self.resend_unsafe:
            return
        for job in self.jobs.values():
            cases = [case for sequence in job.sequences for case in sequence.cases]
            for k, case in enumerate(cases):
                if case.request.method not in IDEMPOTENT_METHODS:
                    assert self.sent[job.first + k] <= 1

    @invariant()
    def nothing_ends_twice(self):
        assert max(self.ended.values(), default=0) <= 1

    def look(self) -> list[JobState]:
        """All states; what is settled stays as it is."""
        states = self.queue.job_states(self.run_id)
        for state in states:
            before = self.settled.get(state.job_id)
            assert before is None or state == before
            if state.status in ("done", "dead"):
                self.settled[state.job_id] = state
            job = self.jobs[state.job_id]
            assert (state.status == "done") == (size(state.ended) == job.count)
            assert (state.status == "dead") == bool(state.reason)
        return states

    @rule()
    def everything_adds_up(self):
        ended = sum(size(state.ended) for state in self.look())
        assert ended == len(self.ended) + self.unknown
        counted = {c.outcome: c.count for c in self.queue.counts(self.run_id, ["outcome"])}
        assert counted.get("answered", 0) == len(self.ended)
        assert counted.get("unknown", 0) == self.unknown

    def teardown(self):
        if not self.jobs:
            return
        for work in self.works:
            work.is_alive = False
        self.now_s += 60
        self.expire(0.0)
        # One good worker ends what is left.
        for _ in range(len(self.jobs)):
            self.take("good", 0.0)
        for work in self.works:
            if work.granted.worker_id == "good":
                work.fence_s = inf
                while (number := work.next(1e9, fresh=False)) is not None:
                    work.send(number)
                    self.sent[number] += 1
                    work.ended.add(number)
                    work.pending.add(number)
                batch = work.batch(final=True)
                (word,) = self.queue.apply_batches([batch], now=EPOCH, lease_s=LEASE_S)
                assert word.done
                self.ended.update(n for low, high in batch.ended for n in range(low, high + 1))
        self.everything_adds_up()
        self.unsafe_requests_go_out_once()
        self.nothing_ends_twice()
        states = self.look()
        assert {state.status for state in states} <= {"done", "dead"}
        left = sum(s.count - size(s.ended) for s in states if s.status == "dead")
        assert len(self.ended) + self.unknown + left == self.planned


def renamed(jobs: list[Job], run_id: str) -> list[Job]:
    """JOBS as those of another run."""
    return [replace(job, id=f"{run_id}/{job.number}", run_id=run_id) for job in jobs]
