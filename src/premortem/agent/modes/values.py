"""Failure modes of values: edges, absence, types, lists, units, pages, dates."""

from __future__ import annotations

from premortem.agent.modes.mode import SAYS, Cue, FailureMode, hints, names, says

_VALUE_PLAN = (
    "bring the state about as production does",
    "read what could change",
    "send the request with that one value changed",
    "see the refusal, and that nothing changed",
)
_VALUE_EXPECTATION = (
    "an answer to the same value that was captured",
    "the specification's schema",
    "the shape of everything that was captured",
)

BOUNDARY = FailureMode(
    name="boundary",
    meaning="a value at or beyond the edge of its range or length",
    cues=(
        names(r"""
            (hundred|thousand|million|\d{3,}) times( long| over)?
        """),
        says(r"""
            limits?|boundar(y|ies)|edge (case|value)s?|extreme~
            (one|a|a single|half a) (cent|penny|character|char|letter) (more|less|over|under|too|\
                above|below)
            decimals?( places)?|fractions? of a cent|half a cent
            too (many|few)
            out of range|off by one
            longer than|shorter than
            (of|with|has|have|is|only) (a single|one|two|three|1|2|3) (letter|character|char|\
                digit|word|item)s?
            [\d.,]+ (characters?|chars|letters|digits|decimals|bytes|[kmg]b|items|entries|elements)
            [\d.,]+ (words|lines|rows|members|tags|signs|percent)
            (hundred|thousand|million|billion)s?( and one)?( of)? (characters?|chars|letters|digits)
            (hundred|thousand|million|billion)s?( and one)?( of)? (items|entries|elements|words)
            (hundreds|thousands|millions|billions) of
            (a|one|ten|\d+) (million|billion|trillion)
            (very|extremely|ridiculously|insanely|really|absurdly) (long|large|big|high|small|tiny)
            (novel|essay|poem|paragraph|wall of text|page of text|war and peace|encyclop\w+)
            (just|right|exactly|barely) (at|over|under|above|below|beyond) (the|its|our|an?)
            \d{7,}|\d+e\d+|0\.00\d+
            (gigantic|enormous|massive|ridiculous|insane|astronomic|absurd|tiny|giant|monstrous)\w*
        """),
        says(
            r"\b(?:strange|odd|weird|unusual|silly|crazy|impossible|absurd|invalid) "
            r"(?:amounts?|numbers?|prices?|quantit(?:y|ies)|sums?|totals?)\b"
        ),
        hints(r"""
            long|large|big|high|low|small|short|million|billion|thousand|cents?|percent
            more than \S+|less than \S+
        """),
    ),
    examples=("zero", "negative", "too long", "too high"),
    needs="a field of a fitting type in body, query or path",
    plan=_VALUE_PLAN,
    expectation=_VALUE_EXPECTATION,
    outcomes=("invalid", "accepted"),
    tag="edge",
    refines=("duplicate",),
)

MISSING_VALUE = FailureMode(
    name="missing_value",
    meaning="a field is null, empty, blank or left out",
    cues=(
        names(r"""
            leav(es?|ing) .. (out|blank|empty|off|away|unfilled)
            left .. (out|blank|empty|off|away|unfilled)
            forg(ets?|ot|otten|etting) (the|to (give|fill|enter|put|say|add|include|specify|set|\
                name|provide|attach|mention|write|pass|send|type))
            (not|never|without) .. (giv|provid|fill|enter|say|specif|writ|stat|typ|put|nam|\
                mention|includ|set|pick|choos|select|suppl|pass|attach)\w* .. (any|a|an|the|in|\
                anything|one|name|nothing|it|at)
            (just|only|nothing but) (spaces|whitespace|blanks)|spaces only|whitespace
            (empty|no) (body|payload|request body|json)
            (with|has|have|contains|carries) no \w+
            no \w+ (given|provided|set|supplied|attached|filled in|entered|specified|chosen|\
                selected|at all)
            (field|value) (is )?(skipped|unset|not set|not there)
            (no|without|lacks?|lacking|missing) (an? |the |any |its |their |his |her )?(name|\
                reason|amount|title|e-?mail|password|text|description|content|date|value|label|\
                note|key|currency|address|id|body|username|method|kind|type|message|query|\
                identifier|header|url|file|data)
        """),
        says(r"""
            nothing (in|at all|but|filled)
            skips? (the|an?|his|her) \w+( field)?
            none at all
            incomplete (request|body|form|data)
            nameless|untitled
            not (have|carry|contain|come with|bring) (an?|any)
        """),
        hints(r"""
            without|no|only|nothing|any|forg(ets?|ot)
        """),
    ),
    examples=("null", "missing", "empty", "without a"),
    needs="a field in body, query or header",
    plan=_VALUE_PLAN,
    expectation=_VALUE_EXPECTATION,
    outcomes=("invalid", "accepted"),
    tag="edge",
)

WRONG_TYPE = FailureMode(
    name="wrong_type",
    meaning="a value of another type or of a malformed format",
    cues=(
        names(r"""
            wrong (data ?)?(type|format)
            (no|without( an?)?|missing( the)?|lacks?( an?)?) (@|at sign|domain)
            malformed|mal-formed|ill-formed|unpars~|not parse~|cannot be parsed
            not (even )?(an? )?(valid |real |proper |well-formed )?(number|date|e-?mail( \
                address)?|uuid|url)
            not (even )?(an? )?(valid |real |proper )?(json|integer|boolean|list|array|object|\
                hex code|iban|base64)
            not (really |actually )?one
            not an? (hex|valid hex|colou?r code|hex code|phone number)
            (broken|invalid|garbled|truncated|bad|corrupt~|half) (json|body|payload|xml|yaml|\
                file|format|e-?mail~|date|url|uuid|csv)
            non-?numeric
            (text|string|word|words|letters?|number|list|array|object|boolean|sentence|free text|\
                date|timestamp) (instead of|rather than|in place of)
            instead of (an? |the |its |using )?(number|list|array|object|date|figure|digits?|id|\
                boolean|json|text|string|true|timestamp|amount|hex|integer|real)
            spelled out|in words|written out
            as (an? )?(plain )?(text|string|words?|json string|number|array|list|boolean|object)
            gibberish|garbage|nonsense|random letters|abc|asdf|n/a
            emoji~
            (type|enter|write|put|send)s? (words|letters|text|"\w+"|'\w+') (for|as|in|into)
        """),
        says(r"""
            without an? (@|at sign)
            content[ -]type|xml|csv
            (contains?|with|has|have|full of) .. (slashes|spaces|umlauts|punctuation|symbols)
            (contains?|with|has|have|full of) .. (special|control|foreign|chinese) characters
            mm/dd|dd\.mm|dd/mm
            day and month swapped|comma instead|decimal comma|with a comma
            letters|format
            tomorrow as|next week as
        """),
        hints(r"""
            instead|rather than|text|string|quotes|plain|just
        """),
    ),
    examples=("text for a number", "not a date", "broken JSON"),
    needs="a field in body or query",
    plan=_VALUE_PLAN,
    expectation=_VALUE_EXPECTATION,
    outcomes=("invalid",),
    tag="edge",
)

_UNKNOWN = (
    "unknown|unsupported|invalid|unexpected|made[ -]?up|fantasy|fictional|imaginary|"
    "non-?exist(?:ent|ing)|undefined|unlisted|bogus|invented|funny|exotic|weird|nonsense|wrong"
)

UNKNOWN_VALUE = FailureMode(
    name="unknown_value",
    meaning="a value outside a closed list",
    cues=(
        names(rf"""
            ({_UNKNOWN}) (\w+ )?<list>
            (which|that) (we|it|the \w+|nobody) (do not|does not|never|cannot) (have|know|support)s?
            (which|that) (we|it|the \w+|nobody) (do not|does not|never|cannot) (offer|accept|\
                understand|use|take)s?
            not (on|in|one of|among|part of) (the |our |your )?(list|allowed|supported|known|\
                options?|values?|choices|ones)
            (is|are|was|were) ?not (supported|known|on offer|a thing|a valid \w+|listed|available)
            <list> .. not exist
            <list> (that |which )?(we|our \w+|nobody|it|the \w+|they) (do not|does not|never|\
                cannot|no longer) \w+
            (field|column|property|parameter|attribute) .. (not exist|nobody knows|unknown)
            (typo|misspelled|misspelt|spelling mistake) .. <list>
            (misspelled|misspelt) <list>
            (not|none) (one )?of (the|our) \w+ (options|values|kinds|types|choices)
            <list> (we|that|which|nobody) .. (never|not) (heard|seen|exist|know)~
            enum
        """),
        says(r"""
            bitcoins?|btc|doge~|crypto~|monopoly money|schillings?|drachm~|deutschmarks?
            klingon|esperanto|atlantis|elvish
            cheque|carrier pigeon|seashells|barter
            (by|with|in|via) (cash|cheque|check|paypal|vouchers?|gift cards?|fax|iou|favou?rs)
            made-?up|unsupported|something like|such as
        """),
        Cue(
            weight=SAYS,
            pattern=r"\b(?:(?<!as )(?<!as the )(?:role|status|kind|type|method|currency|language|"
            r"country|category|state|colou?r|level|priority|mode) "
            r"(?:of |is |to |like |called |as )?['\"\u201c]\w+|"
            r"other than|called ['\"]\w+)",
        ),
        hints(r"""
            like [a-z]+
        """),
    ),
    examples=("a currency that does not exist", "an unknown status", "not on the list"),
    needs="a field with a closed list of values",
    plan=_VALUE_PLAN,
    expectation=_VALUE_EXPECTATION,
    outcomes=("invalid",),
    tag="edge",
    refines=("unknown_reference",),
)

UNIT_SWITCH = FailureMode(
    name="unit_switch",
    meaning="currency or unit differs from the one used before",
    cues=(
        names(r"""
            (currenc(y|ies)|units?) .. (switch|chang|mismatch|differ|mix|conver)\w*
            (switch|chang|mix|mismatch|convert)\w* .. (currenc(y|ies)|units?)
            (different|other|another|wrong|foreign|mixed|second|not the same) (currenc(y|ies)|\
                units?)
            cents instead|instead of cents
            (<money>|kilos?|grams?|miles|metres?|inches|celsius) (instead of|rather than|while|\
                but|where)
            (pays?|paid|paying|refund\w*|charg\w*|book\w*|credit\w*|billed) .. in <money>
        """),
        says(r"""
            <money>.{1,80}\b<money>
        """),
        hints(r"""
            currenc(y|ies)
            in (us )?<money>
        """),
    ),
    examples=("in another currency", "currency switched", "mixed units"),
    needs="a field for a currency or unit",
    plan=(
        "bring the state about as production does, in one unit",
        "read what could change",
        "send the request with another unit",
        "see the refusal, and that nothing changed",
    ),
    expectation=(
        "an answer to another unit that was captured",
        "the invariant that held for everything that was captured",
        "the 409 or 422 that the specification declares",
        "convention",
    ),
    outcomes=("invalid", "conflict"),
    tag="edge",
    refines=("unknown_value", "over_total"),
)

PAGINATION_EDGE = FailureMode(
    name="pagination_edge",
    meaning="page, limit, offset or cursor at or beyond its edge",
    cues=(
        names(r"""
            paginat~
            pag(e|es|ing) (size|number|through|past|beyond|after|zero|minus|\d+|back)
            page-?size
            cursors?|offsets?
            (last|next|first|single|one|huge|empty|negative|previous|few) pages?
            pages? .. (behind|beyond|past|after|before|end)
            (behind|beyond|past|after) (the )?(last|end)( page| of the list)?
            \w+s (per|a|in one|in a single|on one|on a|on a single) page
            scroll~
            (limit|page|skip) (of|is|=|to|set|zero|minus|\d+).*
            (limit|page)=
            -?\d+ (at a time|at once|per page|in one go|in a single (call|request))
            (first|next|last) -?\d+ \w+s
        """),
        says(r"""
            pages?
            (thousand|million|hundred)s? .. (at a time|at once|in one go|in a single|in one)
        """),
        hints(r"""
            limit|all of them at once|list(s|ing|ed)?|next
        """),
    ),
    examples=("beyond the last page", "page size zero", "an unknown cursor"),
    needs="a query parameter for page, limit, offset or cursor",
    plan=(
        "bring the state about as production does",
        "read the list with the parameter at its edge",
        "see an empty page or the refusal",
    ),
    expectation=(
        "an answer to the same value that was captured",
        "the specification's schema",
        "what sibling operations answer",
    ),
    outcomes=("invalid", "accepted"),
    tag="edge",
    refines=("boundary", "wrong_type", "concurrent_change"),
)

TIME_EDGE = FailureMode(
    name="time_edge",
    meaning="dates and times at their edges",
    cues=(
        names(r"""
            (in|from|into|to) the (far |distant |near )?(past|future)
            (future|past)[ -]?(dated?|due date|dates|day|timestamp|time)
            time[ -]?zones?|utc|dst|daylight saving|(summer|winter) ?time
            leap (day|year|second)
            (29th|30th|31st|30|29|31)\.?( of)? <month>
            <month> (29|30|31)(th|st)?
            new year'?s?( eve)?|midnight
            (ends?|end|ending|finish\w*|until|to) .. (before|earlier than) .. (start|begin|\
                beg[au]n|from)\w*
            (start|begin|from)\w* .. (after|later than) .. (end|ends|until|to)
            (back|post|pre|ante)-?dat\w+
            clocks? .. (ahead|behind|wrong|fast|slow|back|forward|skew\w*|late|chang\w*)
            clock skew
            (dates|times|start and end|from and to) .. (wrong way|swapped|reversed|other way|\
                mixed up)
            (yesterday|tomorrow)'s date
            year (\d{4}|zero)
            (1\d{3}|2[1-9]\d\d)-\d\d
            (unix )?epoch
            (last|next) (century|millennium)|hundred years|next century
            (due|start|end|birth|delivery|expiry|expiration)[ -]?(date|day|time)s? .. (yesterday|\
                tomorrow|ago|already|last \w+|past|before|in \d{4})
            (due|starts?|ends?|expires?|dated|valid|born|falls|overdue) .. (yesterday|last (week|\
                month|year)|years ago|in 1\d{3})
        """),
        says(r"""
            (from|since|until|dated|for|on) (yesterday|tomorrow|next (week|month|year)|last \
                (week|month|year))
            time window|date range|end of (the )?(month|year)|ends? before
            on (a )?(sunday|holiday|weekend)
            (tomorrow|next week|next year|next month)
        """),
        hints(r"""
            dates?|day|yesterday|years?|past|future|calendar|clock|expire~|deadline
            <month> \d+
            \d+(st|nd|rd|th) of
        """),
    ),
    examples=("a date in the past", "end before begin", "29 February"),
    needs="a date or time in body or query",
    plan=_VALUE_PLAN,
    expectation=_VALUE_EXPECTATION,
    outcomes=("invalid", "accepted"),
    tag="edge",
    refines=("boundary", "wrong_type", "wrong_order"),
)

MODES = (
    BOUNDARY,
    MISSING_VALUE,
    WRONG_TYPE,
    UNKNOWN_VALUE,
    UNIT_SWITCH,
    PAGINATION_EDGE,
    TIME_EDGE,
)
