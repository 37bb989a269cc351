"""Failure modes of order: repetition, sequence, competition, lost answers, failing neighbours."""

from __future__ import annotations

from premortem.agent.modes.mode import FailureMode, hints, names, says

DUPLICATE = FailureMode(
    name="duplicate",
    meaning="the same request is sent a second time",
    cues=(
        names(r"""
            twice
            thrice
            duplicat~
            doubl(e|es|ed|y|ing)([ -](click|tap|charg|book|pa(y|id)|refund|submi|post|entr)\w*)?
            more than once
            (two|three|four|five|several|many|multiple|\d+) times(?! at (once|the same))
            idempoten~
            two (identical|equal)
            back[ -]to[ -]back
            in a row
            (clicks?|clicked|hits?|press(es|ed)?|taps?|tapped) .. (again|twice)
            (already|previously) (taken|in use|exists?|registered|used|there)
            (taken|in use|exists?|registered|used|there) (already|before)
            over and over
            second \w+ (for|on|of|to|in|with) the (very )?same
            (mash|hammer|keeps? click|keeps? press)\w*
            (same|identical) (\w+ )?(again|one more time|once more)
            just like it|copy of (it|an existing|the same)
            (happens?|done|goes out|goes through|arrives) (again|twice)
            reuses? (the|an?) (name|id|key|e-?mail|title)
        """),
        says(r"""
            (a|the|for a) (second|2nd|third) time
            second time
            once more
            one more time
            (exact |very )?same \w+ .. again
            (is|are|was|were|be|gets?|got|being) \w+(ed|d|nt|id) again
            again\W*$
            repeat~
            repetition
            re-?(submit\w*|send\w*|sent|issu\w*|post\w*|play\w*|creat\w*|pa(y|id)\w*|upload\w*)
            re-?tr(y|ies|ied|ying)
            (exactly|precisely) the same
            another identical
            impatient~
            the same (name|e-?mail|id|number|key|title|code|address|username) (as|twice|again|is)
            same \w+ (name|e-?mail|id|number|title|code|username)
            with (the|a) same (name|e-?mail|id|number|key|title|code|address|username)
            (called|named) the same
            two .. (called|named|with the same) .. (name)?
            copy of an existing
        """),
        hints(r"""
            again
            already
            second (?!thought)\w+
            2x
            two of (them|the same)
            both count
        """),
    ),
    examples=("twice", "again", "duplicate"),
    needs="a method that changes data",
    plan=(
        "bring the state about as production does",
        "send the request, see it answered",
        "read what it changed",
        "send it again",
        "see the answer, and that nothing changed further",
    ),
    expectation=(
        "a repetition that was captured",
        "the 409 that was captured for the operation",
        "the 409 that the specification declares",
        "what sibling operations answer",
        "convention (RFC 9110, 9.2.2)",
    ),
    outcomes=("conflict", "unchanged", "not_found"),
    tag="edge",
)

WRONG_ORDER = FailureMode(
    name="wrong_order",
    meaning="a step is skipped, or comes before the one it needs",
    cues=(
        names(r"""
            (wrong|reverse|different|other) order
            wrong way a?round
            out of (order|sequence|turn)
            the other way a?round
            skip(s|ped|ping)? (the |an? |over )?(approv|step|check|confirm|verif|pay|review|\
                release)~
            straight (away )?to
            without (first|ever|having) \w+ing
            too early
            prematurely
            jump(s|ed|ing)? (the queue|ahead)
            before .. (set up|sets up|asked|approved|approves|created|creates|exists?|checked)
            before .. (started|starts|opened|opens|paid|pays|confirmed|confirms|verified|ready)
            before .. (requested|released|signed off|uploaded|registered|activated|finished)
        """),
        says(r"""
            before (any\w*|some\w*|it|he|she|they|the|its|their|his|her|we|that|there|being)
            (not|never|nobody|no one) .. (approved|released|created|set up|opened|confirmed)
            (not|never|nobody|no one) .. (checked|signed off|requested|started|verified) yet
            (not|never) (been|yet|even) .. (activated|submitted|granted|enabled|issued|decided)
            (not|never) (been|yet|even) .. (reviewed|uploaded|registered|accepted|shipped|paid)
            yet to be
            still (waiting|awaiting)
            un(approved|confirmed|verified|paid|checked|requested|released)
            without .. (approval|approving|confirmation|verification|checking|waiting)
            forgets? to (approve|confirm|create|check|release|set up|start|open|request) .. first
        """),
        hints(r"""
            before
            first|skip(s|ped|ping)?
            yet
        """),
    ),
    examples=("before it was approved", "skipping a step", "in the wrong order"),
    needs="a step that production sends before it",
    plan=(
        "bring the state about as production does, without the step in question",
        "read what could change",
        "send the request",
        "see the refusal, and that nothing changed",
    ),
    expectation=(
        "the same order that was captured",
        "the 409 that the specification declares",
        "the order of everything that was captured",
        "what sibling operations answer",
        "convention (RFC 9110, 15.5.10)",
    ),
    outcomes=("conflict", "not_found", "invalid"),
    tag="edge",
    refines=("forbidden_transition", "missing_value"),
)

CONCURRENT_CHANGE = FailureMode(
    name="concurrent_change",
    meaning="several of the same or of competing requests at the same moment",
    cues=(
        names(r"""
            concurren~
            simultaneous~
            (in )?parallel
            races?
            racing
            race condition
            (at|in|within|on) (exactly )?(the )?((very|exact|exactly|same|one) )+<moment>
            (all )?at once
            at the same time
            who wins
            which (one|of them) wins
            compet(e|es|ing)
            deadlock~
            (within|in) (milliseconds|a split second|a second of each other)
            (both|all|two) .. (together|side by side)
        """),
        says(r"""
            while (some(one|body)|another|the other|a colleague|others?) .. (is|are|was|were) \w+ing
            while (some(one|body)|another|the other|a colleague|others?) .. \w+s (it|to it|the|a)
        """),
        hints(r"""
            two (people|users|colleagues|clerks|cashiers|tabs|browsers|clients|threads|workers)
            two (managers|agents|servers|jobs|scripts|requests|devices|phones|customers|processes)
            both
        """),
    ),
    examples=("at the same moment", "two people at once", "concurrently"),
    needs="a method that changes data",
    plan=(
        "bring the state about as production does",
        "send the request several times at once",
        "see that exactly one succeeds, and what the others are answered",
    ),
    expectation=(
        "a repetition that was captured",
        "the 409 that the specification declares",
        "what sibling operations answer",
        "convention (RFC 9110, 9.2.2)",
    ),
    outcomes=("one_wins",),
    tag="edge",
    refines=("duplicate", "stale_change", "forbidden_transition"),
)

RETRY_AFTER_TIMEOUT = FailureMode(
    name="retry_after_timeout",
    meaning="the answer got lost, the client sends the same again",
    cues=(
        names(r"""
            time[sd]?[ -]?outs?
            timing out
            idempotency[ -]key
            (never|not|no) .. (answer|reply|response|confirmation|acknowledgement)
            (never|not) (gets?|got|hears?|heard|receives?|received) .. (back|anything)
            (answer|reply|response|confirmation|acknowledgement|ack) .. (lost|never|dropped|\
                swallowed)
            lost (the |its |our |his |her )?(answer|reply|response)
            los(es|ing|t) .. (connection|wi-?fi|signal|network|internet|reception|coverage)
            (connection|network|wi-?fi|signal|internet|line|vpn) .. (drop|br[eo]k|break|dies|died)~
            (connection|network|wi-?fi|signal|internet|line|vpn) .. (lost|resets?|cut|glitch|\
                hiccup|fail)~
            went through on the server
            (gateway|proxy|load balancer|browser|app|client) gives? up
            nothing (seems to )?happens?
            spins?|spinning|spinner|hourglass
            (hits?|presses|clicks?) (reload|refresh|f5)|reloads|refreshes
            (second|another) attempt
            (flaky|shaky|patchy|bad|poor|unstable|slow) (connection|network|wi-?fi|signal|line)
            network blip|packet loss|lost in transit|battery dies|phone dies|redeliver~
            (sdk|client|app|browser|library) retries
        """),
        says(r"""
            auto(matic(ally)?)?[ -]?retr(y|ies)~
            hangs?|hung|freezes|stalls|gets stuck|is stuck
            not (sure|know|see) (if|whether) (it|that)
        """),
        hints(r"""
            re-?tr(y|ies|ied|ying)
            (again|once more|one more time)
            (second|2nd|third) time
            re-?(send|sends|sent|sending|submit\w*|post\w*)
            offline|back online|tunnel|train|lift|elevator|network|connection|gateway
        """),
    ),
    examples=("the answer got lost", "times out and is retried", "same idempotency key"),
    needs="a method that changes data",
    plan=(
        "bring the state about as production does",
        "send the request",
        "send it again as a client that saw no answer",
        "see the answer, and that it had its effect once",
    ),
    expectation=(
        "a repetition that was captured",
        "the idempotency key that the operation takes",
        "the 409 that the specification declares",
        "what sibling operations answer",
        "convention (RFC 9110, 9.2.2)",
    ),
    outcomes=("unchanged", "conflict", "not_found"),
    tag="edge",
    refines=("duplicate", "dependency_failure"),
)

DEPENDENCY_FAILURE = FailureMode(
    name="dependency_failure",
    meaning="a service behind it is down, slow or answers with an error",
    cues=(
        names(r"""
            (is|are|was|goes|went|being|be|'s) (\w+ )?(down|unreachable|unavailable|not reachable)
            outage
            downstream
            upstream
            third[ -]party
            dependency
            (bank|provider|database|db|mail ?server|smtp|webhook|processor|gateway) .. (slow|\
                error|fail|crash)~
            (broker|queue|cache|disk|storage|backend|model|llm|external \w+) .. (slow|error|fail|\
                crash)~
            (bank|provider|database|broker|backend|storage|disk) .. (full|broken|not answer~|not \
                respond~)
            (answers?|returns?|responds?|replies) .. (50\d|5xx)
            <behind> (\w+ )?(is|are|was|has been|'s|got) (\w+ )?(dead|broken|offline|\
                overloaded|stuck)
            <behind> (\w+ )?(hangs?|hung|dies|died|crash~|fails?|failed|breaks|stalls|times out)
        """),
        hints(r"""
            bank|provider|external|third
            slow|crash~|unavailable
            error 5~|50\d
        """),
    ),
    examples=("the bank is down", "the provider answers with an error", "unavailable"),
    needs="a service behind it that the bindings name",
    plan=(
        "bring the state about as production does",
        "make the service behind it answer with an error",
        "send the request",
        "see an orderly error, and that nothing was half done",
    ),
    expectation=(
        "the 502, 503 or 504 that was captured for the operation",
        "the 502, 503 or 504 that the specification declares",
        "convention (RFC 9110, 15.6)",
    ),
    outcomes=("invalid", "conflict", "unchanged"),
    tag="edge",
)

MODES = (
    DUPLICATE,
    WRONG_ORDER,
    CONCURRENT_CHANGE,
    RETRY_AFTER_TIMEOUT,
    DEPENDENCY_FAILURE,
)
