"""Failure modes of state: forbidden transitions, what is gone, outdated versions, wholes."""

from __future__ import annotations

from premortem.agent.modes.mode import FailureMode, hints, names, says

FORBIDDEN_TRANSITION = FailureMode(
    name="forbidden_transition",
    meaning="the operation in a state that does not allow it",
    cues=(
        names(r"""
            wrong state
            state .. (does|should) not allow
            illegal (state|transition)
            (already|fully|completely|half|partly|partially) (been )?<state>
            (while|when|though|although) .. (is|was|are|has been|were) (still |already )?<state>
            (after|once|since) .. (was|is|has been|had been|been|were|got|gets) .. <state>
            after .. <ending>
            (while|when|although|though) .. (is|are|was|were) still \w+
            (is|are|was|were) (still )?(in progress|running|ongoing|under way)
        """),
        says(r"""
            (been|is|are|was|were|got|just|that's|still) (only |long |still )*<state>
            (an?|the|his|her|its|their|our) <state> \w+
            (once|when|since|following|post) .. <ending>
            (no longer|not) .. (editable|active|possible|open)
        """),
        hints(r"""
            <state>
            anyway|after all|afterwards|midway|halfway
        """),
    ),
    examples=("edit after approval", "cancel what is paid", "while locked"),
    needs="a method that changes data",
    plan=(
        "bring the thing into the state as production does",
        "read what could change",
        "send the request",
        "see the refusal, and that nothing changed",
    ),
    expectation=(
        "the same transition that was captured",
        "the 409 that was captured for the operation",
        "the 409 that the specification declares",
        "what sibling operations answer",
        "convention (RFC 9110, 15.5.10)",
    ),
    outcomes=("conflict",),
    tag="edge",
)

UNKNOWN_REFERENCE = FailureMode(
    name="unknown_reference",
    meaning="the thing named does not exist, or no longer",
    cues=(
        names(r"""
            non-?exist(ent|ing)
            not (really |actually |even )?(exist~|there)
            (never|not) existed
            (no|never any) such
            no longer (exists?|there|around)
            made[ -]?up (id|number|\w+ id)
            unknown (id|identifier|number|reference|\w+ id)
            0{8}-0{4}-0{4}-0{4}-0{12}
            never heard of
            (delet|remov|eras|wip|purg)(es?|ed|ing) .. (and|then) .. (then|afterwards|later|\
                after that)
            (with|has|under) (the |an? )?id [\'"]\w+[\'"]
            (id|number) (nobody|no one|that nobody|never)
            (nobody|no one) (has )?(ever )?(sent|created|made|issued|seen|knows?|heard)
            (not|no longer) (in|on) (the|our) (system|database|books|list|server|shop|catalogue)
            (fictitious|fictional|invented|imaginary|phantom) (?!<list>)\w+
            (id|number) (999\d*|0+|12345\d*)
            (has|have|had) (long )?(been )?(gone|vanished|disappeared)
            unknown (?!<list>)\w+
            dangling|orphan~|ghost
            (bogus|fantasy|invented|random|guessed) (id|uuid|number|reference|\w+ id|\w+ number)
            (wrong|mistyped|bad) (id|identifier|number|\w+ id|\w+ number)
            (typo|digit|digits) .. (id|number|identifier|link|url)
            (that|which|who|has|had|been|have|already|long|was just|were just) .. (deleted|removed)
            (that|which|who|has|had|been|have|already|long) .. (erased|purged|wiped|gone|vanished)
            (after|since|once) .. (deleted|removed|erased|purged|wiped|gone|deletion)
            (deleted|removed|erased) (before|earlier|yesterday|long ago|last \w+|in the meantime)
            (an?|the) (deleted|removed|erased) \w+
        """),
        says(r"""
            (nobody|no one) (ever )?(created|made|issued|has|had)
            (never|not) (been )?(created|issued|registered|stored|made)
            cannot be found
            not found
            not there any ?more
            we (do not|never) (have|had)
            nowhere to be found
            not in (the|our) (system|database|books)
        """),
        hints(r"""
            exists?|existing|typo|mistyped|wrong number|in the meantime|gone|deleted
        """),
    ),
    examples=("that does not exist", "was deleted", "unknown id"),
    needs="a parameter of the path, or a field that names a thing",
    plan=(
        "bring the state about as production does",
        "send the request with a reference to nothing, or after the thing was deleted",
        "see that it is not found, and that nothing changed",
    ),
    expectation=(
        "the 404 that was captured for the operation",
        "the 404 that the specification declares",
        "what sibling operations answer",
        "convention (RFC 9110, 15.5.5)",
    ),
    outcomes=("not_found", "invalid"),
    tag="edge",
    refines=("forbidden_transition", "stale_change"),
)

STALE_CHANGE = FailureMode(
    name="stale_change",
    meaning="a change based on an outdated version",
    cues=(
        names(r"""
            stale (?!token|session|cookie|key)~
            out[ -]?dated (?!token|session|cookie|key)~
            out of date
            if-(match|none-match|unmodified-since)
            e-?tags?
            lost update
            optimistic lock~
            (old|earlier|previous|older|outdated) (version|revision|copy|snapshot|state|data)
            (revision|version) (tag|mismatch|conflict)
            precondition
            (yesterday|last week|last month|this morning)('s|s)? (version|copy|state|data)
            old(er)? (screen|tab|page|form|window|copy|browser|view|screenshot)
            (chang|edit|modif|updat|sav|touch|renam)\w+ (it |this |that |them )?since
            since .. (read|loaded|opened|fetched|looked|saw) (it|them|that)
            last (write|save|one) wins|(two|both) .. tabs
            (not|never) (seen|noticed|know|knew) .. (chang|edit|modif|updat)\w+
            overwrit\w+ (each other|\w+ changes|the changes?|his|her|their|mine|newer)
            mid-?air collision
            (not|never) .. (seen|loaded|fetched|got|have|had) .. (newest|latest|current) (version|\
                state|one|copy)
            (newer|later|more recent) (version|one|copy)
            (loaded|opened|fetched|read|cached|copied|downloaded|seen) .. (before|earlier|yesterday)
            (loaded|opened|fetched|read|cached|copied|downloaded) .. (this morning|ago|last week)
            (meanwhile|in between|in the meantime) .. (chang|edit|modif|updat|sav|overwr|alter|\
                stor)\w+
            (chang|edit|modif|updat|sav|alter|renam)\w+ .. (meanwhile|in between|in the meantime)
        """),
        says(r"""
            (else|another \w+|colleague|other) .. (has|had|just|already) (chang|edit|modif|updat|\
                sav)\w+
            (else|colleague|other one) (chang|edit|modif|updat|sav|alter)\w+
            from before .. (modif|chang|edit|updat)\w+
            open in two tabs|two tabs
            both have .. open
            (still|only) (has|sees|shows|shown) .. old
        """),
        hints(r"""
            meanwhile|in the meantime|in between|since then|yesterday|by then
            old(er)? (screen|tab|page|form)
        """),
    ),
    examples=("with an outdated version", "somebody changed it in between", "stale ETag"),
    needs="a version that requests carry (If-Match), or a method that changes data",
    plan=(
        "bring the state about as production does, and keep its version",
        "change the thing, so that the version is outdated",
        "send the request with the version kept",
        "see the refusal, and that the change in between stands",
    ),
    expectation=(
        "the 412 that was captured for the operation",
        "the 412 or 409 that the specification declares",
        "what sibling operations answer",
        "convention (RFC 9110, 13.1.1 and 15.5.13)",
    ),
    outcomes=("conflict",),
    tag="edge",
    refines=("forbidden_transition", "others_data", "wrong_order"),
)

OVER_TOTAL = FailureMode(
    name="over_total",
    meaning="several operations each fine alone exceed a whole",
    cues=(
        names(r"""
            (in|of the) total
            (all )?together
            combined
            add(s|ed|ing)? up
            sum(s|med)?( up)?
            cumulativ~
            over-?(pay|paid|refund|draw|credit|book|deliver|spen[dt])~
            \d[\d.,]* .. (then|later|after that|afterwards|another|once more|again|one more) .. \d+
            (exceed~|beyond|above|larger than|bigger than|higher than|more than|over) .. (the \
                )?(payment|balance|remainder|outstanding)
            (exceed~|beyond|larger than|bigger than|higher than|greater than|more than) .. \
                (invoice|order|bill|purchase|stock|budget)
            (more|bigger|larger|higher|greater) (\w+ )?than (the|an?|what|his|her|its|their|was|\
                is|were|are|he|she|they|we|it) \
                .. (worth|paid|costs?|bought|owes?|got|has|covers?|allows?)
            more than .. (paid|left|open|ordered|owed|due|remains|remaining|available|billed|\
                charged)
            more (back )?than (he|she|they|we|it|was|were|what|the \w+) .. (paid|cost|bought|\
                owes?|got)
            (several|two|three|a few|many|multiple|\d+) (small|smaller|partial|part|half) \w+
            (second|another|further|third) (partial|part) \w+
        """),
        says(r"""
            more (\w+ )?than (the|an?|his|her|its|their) (?!max|limit|allowed|min|mill|hund|thou|\
                few|day|week|year)\w+
            partial(ly)? (refund|payment|credit|deliver)~
            instal?ments?
            in (two|three|several|small|four) (parts|pieces|steps|portions|goes)
            bit by bit|piece by piece
            too much (back|money)
            the rest|the remainder|what is left|what's left
        """),
        hints(r"""
            partial~|rest|remaining|each|another \d+|\d+ out of|out of an? \w+ of|more than|exceed~
        """),
    ),
    examples=("partial refunds beyond the payment", "more than was paid", "in total"),
    needs="a number that is a share of another thing's number",
    plan=(
        "bring the state about as production does",
        "send the request with more than half of the whole, see it answered",
        "read what could change",
        "send it again with as much",
        "see the refusal, and that nothing changed further",
    ),
    expectation=(
        "the 409 that was captured for the operation",
        "the 409 that the specification declares",
        "what the operation answers bad requests with",
        "convention (RFC 9110, 15.5.10)",
    ),
    outcomes=("conflict", "invalid"),
    tag="edge",
    refines=("duplicate", "boundary", "forbidden_transition"),
)

MODES = (FORBIDDEN_TRANSITION, UNKNOWN_REFERENCE, STALE_CHANGE, OVER_TOTAL)
