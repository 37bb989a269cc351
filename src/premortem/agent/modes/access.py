"""Failure modes of who may do what: roles, credentials, others' things, hostile input."""

from __future__ import annotations

from premortem.agent.modes.mode import NAMES, Cue, FailureMode, hints, names, says

FORBIDDEN_ROLE = FailureMode(
    name="forbidden_role",
    meaning="somebody does what their role does not allow",
    cues=(
        names(r"""
            unauthori[sz]ed
            (auth|authori[sz]ation|unauthenticated|permission|role|access control) (scenario|test)s?
            (auth|authori[sz]ation|unauthenticated|permission|role|access control) (case|check)s?
            (without|no|lacks?|lacking|missing) (the |any )?(right |necessary |proper )?permissions?
            (without|no|lacks?|lacking|missing) (the |any )?(rights|privileges?|authori[sz]ation)
            wrong role
            (nobody|no one) else|only (the |an? )?\w+ (can|may|should be able)
            unprivileged|underprivileged
            non-?admin~|(ordinary|regular|normal|plain|junior) (user|member|employee|account|\
                staff|clerk)
            (approv|confirm|sign|releas|grant|review|authori[sz])\w* (his|her|their|its|my|your) own
            insufficient (rights|permissions?|privileges?)
            privilege escalation
            read-?only (user|account|role)
        """),
        says(r"""
            forbidden
            (not|never) (be )?(allowed|permitted|supposed|entitled)
            must not
            should not be able
            is .. allowed to
            has no business
        """),
        Cue(weight=1.0, pattern=r"^(?:can|may|could|should|is|are|does)\b"),
    ),
    examples=("a role's name before a verb", "not signed in", "without permission"),
    needs="nothing",
    plan=(
        "bring the state about as production does",
        "read what could change",
        "send the request as the role in question",
        "see the refusal, and that nothing changed",
    ),
    expectation=(
        "the role matrix that was captured",
        "the roles that the specification's summary names",
        "the 401 or 403 that the specification declares",
        "what the role was answered elsewhere",
        "convention (RFC 9110, 15.5)",
    ),
    outcomes=("denied", "accepted"),
    tag="security",
)

INVALID_TOKEN = FailureMode(
    name="invalid_token",
    meaning="expired, tampered, revoked or incomplete credentials",
    cues=(
        names(r"""
            <spoiled> (\w+ )?<key>
            <key> .. (is|are|was|were|has|have|had|been|got|gets|'s) .. <spoiled>
            <key> (that |which )?(had |has )?(expires?|expired|ran out|runs out|times? out|\
                timed out|from yesterday)
            (revoked|rotated|withdr[ae]wn?|tampers? with|tampered|forge[sd]?|steals?|stole|\
                stolen) .. <key>
            (the|his|her|their|my|your|an?) (old|previous|former|earlier) (one|password|token|\
                key|login|credentials?)
            sessions? (has |had |have |is |was |were )?(been )?(ended|closed|expired|terminated|\
                killed)
            (junk|garbage|gibberish|empty|blank) (bearer|token|key|jwt|credentials?|authorization)
            (token|session|cookie) .. (of|from) (yesterday|the morning|this morning|last \w+)
            (mistypes?|mistyped|forgets?|forgot|wrong) (\w+ )?(password|pin|passphrase)
            (after|once|although|though|has|have|had|i|he|she|they|who|already) .. (logged|\
                signed|logging|signing)[ -]?(out|off)
            after (the )?(log-?out|sign-?out|logoff|log out)
            alg ?= ?none
            forg(ets?|ot|etting) .. (password|token|api key|credentials?|passphrase)
            (changes?|edits?|flips?|tampers? with) .. (token|jwt|signature|claim)
        """),
        says(r"""
            revoked|tampered~|expired
            still (\w+ )?(works?|valid|accepted|usable)
            (signed|logged) (him|her|them|it)?sel(f|ves) out
        """),
        hints(r"""
            tokens?|jwts?|bearer|credentials?|passwords?|api keys?
            (signed|logged) out
        """),
    ),
    examples=("expired token", "after signing out", "a wrong password"),
    needs="nothing",
    plan=(
        "bring the state about as production does",
        "read what could change",
        "send the request with the credentials spoiled",
        "see the refusal, and that nothing changed",
    ),
    expectation=(
        "the 401 that was captured for the operation",
        "the 401 that the specification declares",
        "what sibling operations answer",
        "convention (RFC 9110, 15.5.2)",
    ),
    outcomes=("denied",),
    tag="security",
    refines=(
        "forbidden_role",
        "forbidden_transition",
        "unknown_reference",
        "missing_value",
        "duplicate",
    ),
)

OTHERS_DATA = FailureMode(
    name="others_data",
    meaning="a resource of another user, customer or tenant",
    cues=(
        names(r"""
            (<else>)('s|s'|s) \w+
            (cross|foreign|wrong)[ -]?(tenant|customer|account|company)~
            idor
            (belong(s|ing)? to|owned by|of|from|for|made by|created by|by) <else>
            (not|never) (hers|his|theirs|mine|ours|yours)
            (not|never) (his|her|their|my|your|our) own
            (never|not) (been )?shared
            without .. sharing
            whose .. (is|are|was) not
            (not|never) (really )?(hers|his|theirs|mine|ours)
            (guess|chang|swap|increment|try|edit)(es|s|ed|ing|ies)? .. (id|ids|number|url|link) \
                .. (of|in|to|until|and)
            (made|created|keeps?|kept|wrote) .. (for )?(herself|himself|themselves)
        """),
        says(r"""
            private
            peeks?|snoops?|spies|nosy|curious
            <else>
        """),
        hints(r"""
            other|another|someone|somebody|else|colleague~|neighbou?r~|shared|own|foreign
        """),
    ),
    examples=("somebody else's", "of another customer", "that belongs to another"),
    needs="a parameter of the path or a field that names a thing",
    plan=(
        "bring the state about as production does, as its owner",
        "read what could change",
        "send the request as another",
        "see the refusal, and that nothing changed",
    ),
    expectation=(
        "the refusals that were captured for others' things",
        "the 403 or 404 that the specification declares",
        "what sibling operations answer",
        "convention (RFC 9110, 15.5.4 and 15.5.5)",
    ),
    outcomes=("denied", "not_found"),
    tag="security",
    refines=("forbidden_role",),
)

INJECTION = FailureMode(
    name="injection",
    meaning="text that is code somewhere",
    cues=(
        names(r"""
            inject(s|ed|ion|ions|ing)?
            sql
            xss
            drop table|union select
            script[ -]tags?|java ?script|html( tags?)?|markup|iframe
            (template|jinja|handlebars) (expression|syntax|code|braces)?
            (path|directory) traversal
            crlf|header injection|line ?breaks? in .. header
            shell (command|code)|command line
            log4j|jndi|ssrf|xxe|onerror|cross-site
            (excel|spreadsheet|a) formula
            apostrophes?|single quotes?|quote characters?
            malicious|dot dot slash
        """),
        Cue(
            weight=NAMES,
            pattern=r"<\s*(?:script|img|b|svg|iframe)\b|\.\./|'? ?\bor ?'?1'? ?= ?'?1|"
            r"'\s*;|;\s*--|\{\{.*\}\}|\$\{(?!\w+\}).*\}",
        ),
        hints(r"""
            code|hacker|attacker|script|snippet|piece of|quotes?|special characters|payload|hack~
        """),
    ),
    examples=("SQL in a text", "a script tag", "../"),
    needs="a text in body, query or path",
    plan=(
        "bring the state about as production does",
        "send the request with harmless text that would be code",
        "see it refused, or stored and shown as plain text",
        "see that nothing else changed",
    ),
    expectation=(
        "an answer to such text that was captured",
        "the specification's schema",
        "convention (OWASP ASVS 4.0, V5)",
    ),
    outcomes=("accepted", "invalid"),
    tag="security",
    refines=("boundary", "wrong_type", "unknown_value", "missing_value"),
)

MASS_ASSIGNMENT = FailureMode(
    name="mass_assignment",
    meaning="the request sets a field that is not the client's to set",
    cues=(
        names(r"""
            mass[ -]?assign~
            over-?post~
            smuggl\w+|sneak~|slip(s|ped|ping)? .. (in|into|along)
            (own|made-?up) <own> (along|with)
            (brings?|bringing|come?s?|supplies|supplying) .. (its|his|her|their|an|your) own <own>
            (sets?|sends?|chooses?|picks?|includes?|passes|provides?|puts?|adds?|gives?) .. own \
                <own>
            (sets?|sends?|includes?|puts?|adds?|gives?) .. <own> .. (along|as well|himself|\
                herself|itself)
            read-?only (?!user|account|role)~
            server-?side (field|value)
            <own> .. (himself|herself|itself|themselves|myself|on (his|her|its|their) own)
            (as|to) (paid|approved|admin|done|verified|closed|owner) (himself|herself|itself|\
                themselves)
            (extra|additional|undocumented|hidden|internal|surplus) (fields?|propert(y|ies)|\
                attributes?)
            (extra|additional|undocumented|hidden|internal|surplus) (keys?|parameters?)
            (make|promote|declare|turn|grant|give|mark|approve)s? (himself|herself|themselves|\
                itself|myself)
            (already|directly|right away|from the start) (as |marked as |set to |with \
                )?(approved|paid|admin|done)
            (with|marked|sets?|setting|sends?|says|claim~) .. (status|state|role) .. (already|\
                directly|set)
            <own> .. in the (body|request|payload|json)
            <own> ?= ?\w+ (along|too|as well|in|with)
            (adds?|puts?|sends?|includes?|passes) (an? |the |some )?(extra )?<own>( field)? (to|\
                in|into|with|along)
            (signs? up|registers?|logs? in) .. as (an? )?(admin|owner|cfo|superuser)
            (sets?|setting|picks?|chooses?) (the )?(\w+ )?<own> .. (himself|herself|itself|\
                themselves)
            not (his|hers|theirs|the client's|supposed) to (set|choose|change|decide)
            (backdates|fakes) .. (created|creation)
        """),
        says(r"""
            (along with|together with|with|setting|sending|including|passing) (an?|the|its|his|\
                her|their) (own )?<own> (field|set|already)
            meant to be fixed|cannot be (changed|set)
            as <state> (right|straight|already|when|from)
            (approved|paid|admin) (flag|status|role) (set|already)
        """),
        hints(r"""
            along|own (id|number)|secretly|on (his|her|their|its) own|directly|as well|himself|\
                herself
        """),
    ),
    examples=("brings its own id", "sets the status itself", "a read-only field"),
    needs="a body",
    plan=(
        "bring the state about as production does",
        "send the request with the field set besides",
        "see it refused, or the field left as the service sets it",
    ),
    expectation=(
        "an answer to such a field that was captured",
        "the specification's schema (readOnly, additionalProperties)",
        "the values of everything that was captured",
        "convention (OWASP API Security 2023, API3)",
    ),
    outcomes=("unchanged", "invalid"),
    tag="security",
    refines=("unknown_value", "boundary", "forbidden_transition"),
)

MODES = (FORBIDDEN_ROLE, INVALID_TOKEN, OTHERS_DATA, INJECTION, MASS_ASSIGNMENT)
