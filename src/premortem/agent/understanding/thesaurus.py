"""Everyday English for what services do: words that mean the same, and verbs of two words.

Nothing here is any service's own: a word only counts where a profile has one that it stands for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from premortem.agent.understanding.words import stem

_ALIKE = """
    invoice bill
    refund reimburse reimbursement repay repayment
    payment pay charge collect
    customer client buyer consumer shopper
    account user profile
    user person account
    order purchase
    item article product goods line position
    cart basket bag
    shipment delivery parcel package consignment ship deliver dispatch
    approve accept authorize authorise okay greenlight endorse grant confirm bless ratify
    deny reject decline refuse denial rejection disapprove veto dismiss
    cancel void annul abort withdraw retract rescind cancellation revoke recall scrap
    lock freeze seal
    unlock unfreeze reopen thaw
    release free unblock unfreeze clear unhold
    hold block suspend
    activate enable
    deactivate disable
    register signup enrol enroll account user
    login signin logon
    logout signout logoff
    statement balance
    report figures overview digest
    summary glance overview figures
    audit history trail log journal
    check verify inspect examine screen validate
    fee surcharge penalty
    late overdue
    message transcript conversation
    session conversation
    document file
    folder directory
    image picture photo
    note comment remark annotation memo
    tag label
    key token secret
    record entry row
    group team
    member participant
    permission right access
    booking reservation book reserve appointment
    email mail address
    amount sum price money cost
    total sum
    name title called
    title name heading titled
    colour color
    reason explanation justification why
    description text
    quantity amount number units
    day date
    phone telephone mobile
    method way means
    status state
    start begin from since
    expiry expire expiration
    end finish until
    transfer move shift relocate shove push haul carry migrate
    payout disburse
    upload import
    download export
    publish release
    archive shelve
    notification alert
    search find query
    setting preference configuration config option
    stock inventory
    ticket issue incident case
    task todo job
    employee staff colleague
    student pupil learner
    coupon voucher discount promo
    subscription plan
    evaluation score rating
    review rating
    delete remove removal deletion erase wipe
    split partition
    template blueprint
    country nation
    language locale
    owner holder
    policy rule
    instalment installment payment
    deposit payment
    latest newest recent current last
    annotation rating feedback grade evaluation judgment assessment opinion verdict thumbs
    annotate rate grade judge assess
    member folk participant people
    group team crowd circle
    membership member
    chat conversation dialogue dialog
    message reply line
    report figures statistics stats
    daily day
    monthly month
    log journal trail
    screening screen check verification
    fraud scam suspicious
    vat tax
    late overdue delay tardy
    customer debtor payer
    secret credential password
    password passphrase passcode pin
    token credential
    username login user
    mail email
    document paper
    label badge sticker
    tag marker
    experiment trial
    run execution attempt try
    dataset data set
    example sample row
    split fold partition
    prompt instruction
    version revision edition
    model llm
    span step
    trace trail
    project workspace
    retention lifetime keep
    policy rule
    column field attribute property
    tool function
    approval approve consent permission
    summary abstract outline
    compact compress condense shrink
    title caption headline
    webhook hook callback
    setting option
    provider vendor supplier
    attachment file upload
    archive zip
    extension plugin addon
    flow workflow pipeline
    activity event
    preset bookmark
    relation link connection
    asset image media
    translation localization
    schedule timetable plan
    appointment slot visit
    patient sick
    doctor physician
    nurse carer
    prescription medication drug medicine
    course class lesson
    exam test quiz
    grade mark score
    teacher tutor lecturer instructor
    vehicle car
    driver chauffeur
    trip ride journey tour
    ticket pass
    seat place
    room chamber
    hotel hostel
    guest visitor
    restaurant diner
    dish meal
    table desk
    menu card
    kitchen cook
    warehouse depot store
    stock supply
    salary wage payroll
    employee worker
    shift duty
    holiday leave vacation absence
    contract agreement
    claim case
    loan credit
    debt due
    book volume title
    author writer
    library collection
    song track
    playlist list
    album record
    film movie
    device gadget machine
    sensor probe
    measurement reading
    location place site
    city town
    street road
    house home
    tenant renter
    owner landlord
    house flat apartment
    rent lease
    key secret
    company firm business enterprise organization organisation
    department division unit
    post article entry
    blog site
    page site
    picture photo image
    video clip film
    folder directory drawer
    notification notice alert reminder
    newsletter mailing
    subscriber follower
    friend contact
    address residence
    feature flag toggle
    wallet purse
    transaction booking transfer
    bank institution
    currency money
    rate price tariff
    discount rebate reduction
    voucher coupon
    gift present
    return refund
    complaint claim
    survey poll questionnaire
    answer reply response
    question query
    vote ballot
    game match
    player participant
    score points result
    event happening
    backup copy snapshot
    import load
    health alive heartbeat ping
    permission grant
    batch bulk
    flush clear empty
    capability feature ability
    weight heavier
    latency slower faster delay
    speed slower faster
    temperature hotter colder warmer cooler
    price cheaper dearer
    height taller
    age older younger
    distance farther
    width wider
    depth deeper
    noise louder
    duration lasting
"""
"""One group a line."""

_TWO_WORDS = """
    turn down = deny
    knock back = deny
    wave through = approve
    sign off = approve
    let through = release
    let go = release
    give back = refund
    pay back = refund
    pay out = payout
    call off = cancel
    back out = cancel
    take back = withdraw
    pull back = withdraw
    take off = remove
    take away = remove
    take out = remove
    take down = remove
    clear out = delete
    clean out = delete
    clean up = delete
    tidy up = delete
    wipe out = delete
    throw away = delete
    throw out = delete
    chuck out = delete
    weed out = delete
    fish out = read
    sort by = sort
    take on = create
    bring up = read
    get rid = delete
    strip off = remove
    kick out = remove
    set up = create
    put in = create
    put up = create
    write down = create
    note down = create
    type in = create
    key in = create
    fill in = create
    make up = create
    send off = send
    send out = send
    send in = submit
    hand in = submit
    bring in = create
    add up = sum
    sign up = register
    sign in = login
    log in = login
    log on = login
    sign out = logout
    log out = logout
    log off = logout
    open again = reopen
    open up = reopen
    switch on = enable
    turn on = enable
    switch off = disable
    turn off = disable
    look up = read
    look at = read
    look into = read
    read through = read
    page through = list
    go through = list
    click through = list
    pull up = read
    call up = read
    hand over = transfer
    move over = transfer
    move to = transfer
    shift over = transfer
    bring back = restore
    roll back = restore
    write off = discard
    fix up = change
    swap out = replace
    touch up = change
    hand back = refund
    send back = refund
    pay off = pay
    settle up = pay
    square up = pay
    pay for = pay
    pay in = pay
    pay down = pay
    sign away = approve
    nod through = approve
    give away = transfer
    shut down = disable
    shut off = disable
    close off = lock
    close down = lock
    cut off = disable
    opt out = unsubscribe
    back up = store
    boil down = compact
    slim down = compact
    point at = set
    point to = set
    write up = create
    hand out = create
    drop in = create
    drop off = create
    spin up = create
    punch in = create
    slip in = create
    sneak in = create
    pile on = create
    tack on = attach
    stick on = attach
    slap on = attach
    pin on = attach
    strike out = delete
    cross out = delete
    wash out = delete
    do away = delete
    kick off = start
    start off = start
    start up = start
    send over = send
    push through = submit
    put through = submit
    file away = archive
    leaf through = list
    flip through = list
    flick through = list
    scroll through = list
    glance at = read
    peek at = read
    peek into = read
    poke at = read
    poke around = read
    snoop around = read
    snoop in = read
    dig up = read
    dig out = read
    check out = read
    stare at = read
    take over = transfer
    swap in = replace
    trade in = replace
    mark up = annotate
    mark down = reduce
    bump up = raise
    move up = change
    push back = change
    put off = change
    hold back = hold
    hold up = hold
    step down = withdraw
    pull out = withdraw
"""
"""Verb, particle and what both together mean; up to SPAN words may stand in between."""

SPAN = 4
ALIKE = 0.75
"""What a word counts that only means the same."""


def _groups() -> Mapping[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for line in _ALIKE.strip().splitlines():
        group = {stem(word) for word in line.split()}
        for word in group:
            found.setdefault(word, set()).update(group - {word})
    return {word: frozenset(others) for word, others in found.items()}


_MEANS = _groups()
_PARTICLES: Mapping[tuple[str, str], str] = {
    (stem(verb), particle): stem(meaning)
    for verb, particle, _, meaning in (line.split() for line in _TWO_WORDS.strip().splitlines())
}
_VERBS = frozenset(verb for verb, _ in _PARTICLES)


def alike(base: str) -> frozenset[str]:
    """Stems that mean about the same as the stem BASE, without it."""
    return _MEANS.get(base, frozenset())


def is_known(base: str) -> bool:
    """Whether the stem BASE is a word of everyday English that stands here."""
    return base in _MEANS or base in _VERBS


def phrasal(words: Sequence[str], at: int) -> tuple[str, int] | None:
    """What the verb of two words means that starts at AT, and where its particle stands.

    WORDS: in lower case. None where none starts there.
    """
    verb = stem(words[at])
    if verb not in _VERBS or words[at].endswith(("ment", "ments")):
        return None
    for position in range(at + 1, min(len(words), at + SPAN + 2)):
        if not words[position][0].isalnum():
            return None
        meaning = _PARTICLES.get((verb, words[position]))
        if meaning is None:
            continue
        following = words[position + 1] if position + 1 < len(words) else ""
        # `60 out of a payment`, `goes in the basket`: a preposition of what follows.
        if position > at + 1 and (following == "of" or words[position] in ("in", "to", "at", "on")):
            continue
        return meaning, position
    return None
