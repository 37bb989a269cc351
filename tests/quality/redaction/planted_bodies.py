"""Secrets and personal data in structured bodies: JSON in every wrapping, forms, multipart."""

from __future__ import annotations

import json

from tests.quality.redaction.scenes import Make, Scene, b64


def json_flat(give: Make) -> list[Scene]:
    s = Scene("json flat", "POST https://shop.tidemark.example/api/v2/customers", 201)
    p = lambda kind: s.plant(kind, give(kind))  # noqa: E731
    s.json(
        "request",
        {
            "first_name": p("first"),
            "last_name": p("last"),
            "email": p("email"),
            "password": p("password"),
            "date_of_birth": p("born"),
            "locale": "nb-NO",
            "newsletter": True,
            "referrer": "autumn-fair",
        },
    )
    s.json("response", {"id": "cus_8fK2mQ", "status": "pending", "tier": "bronze"})
    t = Scene("json flat", "POST https://bank.quillon.example/v1/mandates", 201)
    q = lambda kind: t.plant(kind, give(kind))  # noqa: E731
    t.json(
        "request",
        {
            "accountHolder": q("name"),
            "iban": q("iban"),
            "ssn": q("ssn"),
            "Kennwort": q("password"),
            "pin": q("pin"),
            "scheme": "sepa-core",
            "currency": "EUR",
            "limit": "1200.00",
        },
    )
    t.json("response", {"mandate": "MND-2025-00417", "state": "active", "token": q("token")})
    u = Scene("json flat", "POST https://hub.nimbusworks.example/api/keys", 201)
    r = lambda kind: u.plant(kind, give(kind))  # noqa: E731
    u.json("request", {"label": "deploy pipeline", "scopes": ["read", "write"], "otp": r("pin")})
    u.json("response", {"id": "key_19", "value": r("token"), "key": r("provider"), "rate": 600})
    return [s, t, u]


def json_nested(give: Make) -> list[Scene]:
    s = Scene("json nested", "PUT https://clinic.alderbrook.example/api/patients/PT-20417")
    p = lambda kind: s.plant(kind, give(kind))  # noqa: E731
    s.json(
        "request",
        {
            "patient": {
                "identity": {
                    "givenName": p("first"),
                    "familyName": p("last"),
                    "birthDate": p("born"),
                    "numero_securite_sociale": p("nir"),
                },
                "contact": {
                    "telephone": p("phone"),
                    "address": {"street": p("street"), "country": "FR"},
                },
            },
            "ward": {"code": "W-3", "floor": 2},
            "insurance": {"plan": "basic-plus", "currency": "EUR"},
        },
    )
    s.json("response", {"updated": True, "version": 14})
    t = Scene("json nested", "POST https://shop.tidemark.example/api/v2/checkout", 201)
    q = lambda kind: t.plant(kind, give(kind))  # noqa: E731
    t.json(
        "request",
        {
            "cart": {"items": [{"sku": "TM-4410-BLU", "qty": 2, "unit_price": "18.50"}]},
            "payment": {
                "method": "card",
                "card": {"number": q("card_spaced"), "cardholder": q("name"), "cvc": q("pin")},
            },
            "shipping": {"carrier": "northpost", "recipient": {"full_name": q("name")}},
            "client": {"ip_address": q("ip"), "device": {"device_id": q("device")}},
        },
    )
    t.json("response", {"order": {"number": "TM-2025-118842", "total": "44.90"}})
    return [s, t]


def json_array(give: Make) -> list[Scene]:
    s = Scene("json array", "GET https://hub.nimbusworks.example/api/members?page=2")
    p = lambda kind: s.plant(kind, give(kind))  # noqa: E731
    s.json(
        "response",
        [
            {"id": 3001 + i, "role": role, "displayName": p("name"), "mail": p("email")}
            for i, role in enumerate(("owner", "editor", "viewer"))
        ],
        ascii_only=True,
    )
    t = Scene("json array", "POST https://freight.osterway.example/v3/drivers/batch", 202)
    q = lambda kind: t.plant(kind, give(kind))  # noqa: E731
    t.json(
        "request",
        {
            "depot": "OST-7",
            "drivers": [{"phones": [q("phone"), q("phone")], "dni": q("dni"), "class": "CE"}],
            "emergency_contacts": [{"name": q("name"), "mobile": q("phone")}],
            "access_tokens": [q("token"), q("hex")],
        },
    )
    return [s, t]


def json_in_json(give: Make) -> list[Scene]:
    scenes = []
    for index, name in enumerate(("payload", "body", "Message")):
        s = Scene("json in a json string", "POST https://events.pellucid.example/v1/publish", 202)
        p = lambda kind: s.plant(kind, give(kind))  # noqa: B023, E731
        inner = (
            {"event": "user.created", "user": {"email": p("email"), "phone": p("phone")}},
            {"event": "card.added", "card_number": p("card"), "holder_name": p("name")},
            {"event": "login", "secret_answer": p("password"), "client_ip": p("ip")},
        )[index]
        # Only the texts of the chosen message are planted.
        said = json.dumps(inner, ensure_ascii=False)
        s.planted = [item for item in s.planted if item[1][0] in said]
        s.json("request", {"topic": "accounts", "partition": index, name: json.dumps(inner)})
        s.inside(("request.body", f"json:/{name}"), inner)
        scenes.append(s)
    t = Scene("json in a json string", "POST https://events.pellucid.example/v1/replay", 202)
    q = lambda kind: t.plant(kind, give(kind))  # noqa: E731
    deep = {"session_token": q("token"), "passphrase": q("password"), "cpf": q("cpf"), "try": 1}
    t.json("request", {"queue": "late", "data": json.dumps({"attempt": json.dumps(deep)})})
    return [*scenes, t]


def base64_json(give: Make) -> list[Scene]:
    s = Scene("base64 of json", "POST https://ingest.pellucid.example/collect", 204)
    p = lambda kind: s.plant(kind, give(kind))  # noqa: E731
    data = {"email": p("email"), "lastName": p("last"), "api_key": p("hex"), "build": "2025.11.3"}
    s.raw("request", b64(data), "text/plain")
    t = Scene("base64 of json", "POST https://ingest.pellucid.example/collect/batch", 204)
    q = lambda kind: t.plant(kind, give(kind))  # noqa: E731
    more = {
        "events": [
            {"name": "page_view", "user": {"full_name": q("name"), "ssn": q("ssn")}},
            {"name": "purchase", "card_number": q("card"), "mobile_phone": q("phone")},
        ]
    }
    t.raw("request", b64(more), "application/octet-stream")
    return [s, t]


def base64_field(give: Make) -> list[Scene]:
    s = Scene("base64 in a json field", "POST https://queue.pellucid.example/v1/messages", 202)
    p = lambda kind: s.plant(kind, give(kind))  # noqa: E731
    first = {"customerName": p("name"), "iban": p("iban"), "amount": "95.00"}
    second = {"email": p("email"), "token": p("token"), "kind": "reset"}
    s.json(
        "request",
        {
            "messages": [
                {"id": "m-1", "attributes": {"source": "billing"}, "data": b64(first)},
                {"id": "m-2", "attributes": {"source": "accounts"}, "data": b64(second)},
            ]
        },
    )
    s.left_out |= {b64(first), b64(second)}
    s.kept = [(place, value) for place, value in s.kept if not place[-1].endswith("/data")]
    s.inside(("request.body", "json:/messages/0/data", "base64"), first)
    s.inside(("request.body", "json:/messages/1/data", "base64"), second)
    t = Scene("base64 in a json field", "GET https://vault.nimbusworks.example/v1/secret/db")
    q = lambda kind: t.plant(kind, give(kind))  # noqa: E731
    data = {"username": "svc-reports", "password": b64(q("password")), "private_key": b64(q("pem"))}
    t.unjudged("svc-reports")
    t.json("response", {"kind": "Secret", "apiVersion": "v1", "data": data})
    u = Scene("base64 in a json field", "POST https://clinic.alderbrook.example/api/forms", 201)
    r = lambda kind: u.plant(kind, give(kind))  # noqa: E731
    text = f"first_name={r('first')}&last_name={r('last')}&dob={r('born')}&ward=W-9"
    u.json("request", {"form": "admission", "version": 3, "content": b64(text)})
    u.kept = [(place, value) for place, value in u.kept if value != b64(text)]
    return [s, t, u]


def graphql(give: Make) -> list[Scene]:
    s = Scene("graphql variables", "POST https://api.saltmarsh.example/graphql")
    p = lambda kind: s.plant(kind, give(kind))  # noqa: E731
    s.json(
        "request",
        {
            "operationName": "SignUp",
            "query": "mutation SignUp($input: SignUpInput!) { signUp(input: $input) { id plan } }",
            "variables": {
                "input": {
                    "emailAddress": p("email"),
                    "password": p("password"),
                    "fullName": p("name"),
                    "phoneNumber": p("phone"),
                    "plan": "team",
                }
            },
        },
    )
    s.json("response", {"data": {"signUp": {"id": "u_4471", "plan": "team"}}})
    t = Scene("graphql variables", "POST https://api.saltmarsh.example/graphql")
    q = lambda kind: t.plant(kind, give(kind))  # noqa: E731
    mail, number = q("email"), q("card")
    document = f'mutation {{ invite(email: "{mail}", role: EDITOR) {{ id }} }}'
    t.json("request", {"query": document, "variables": {"cardNumber": number, "seats": 5}})
    t.json(
        "response",
        {"data": {"me": {"accessToken": q("jwt"), "birthday": q("born"), "theme": "dark"}}},
    )
    return [s, t]


def ndjson(give: Make) -> list[Scene]:
    s = Scene("ndjson", "POST https://search.nimbusworks.example/_bulk")
    p = lambda kind: s.plant(kind, give(kind))  # noqa: E731
    rows = [
        {"index": {"_index": "people", "_id": "77"}},
        {"given_name": p("first"), "surname": p("last"), "email": p("email"), "team": "north"},
        {"index": {"_index": "people", "_id": "78"}},
        {"phone": p("phone"), "home_address": p("street"), "latitude": p("lat"), "team": "south"},
        {"index": {"_index": "audit", "_id": "79"}},
        {"remote_addr": p("ip"), "x_api_key": p("provider"), "national_id": p("steuer_id")},
    ]
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    s.raw("request", lines, "application/x-ndjson")
    for index, row in enumerate(rows):
        s.inside(("request.body", f"line:{index}"), row)
    return [s]


def form(give: Make) -> list[Scene]:
    s = Scene("form", "POST https://shop.tidemark.example/account/register", 302)
    p = lambda kind: s.plant(kind, give(kind))  # noqa: E731
    s.form(
        "request",
        {
            "email": p("email"),
            "mot_de_passe": p("password"),
            "prenom": p("first"),
            "nom_de_famille": p("last"),
            "telefono": p("phone"),
            "csrf_token": p("token"),
            "country": "FR",
            "terms": "accepted",
        },
    )
    t = Scene("form", "POST https://id.quillon.example/oauth2/token")
    q = lambda kind: t.plant(kind, give(kind))  # noqa: E731
    t.form(
        "request",
        {
            "grant_type": "refresh_token",
            "client_secret": q("hex"),
            "refresh_token": q("token"),
            "scope": "accounts.read payments.write",
        },
    )
    t.json(
        "response",
        {
            "access_token": q("jwt"),
            "token_type": "Bearer",
            "expires_in": 3600,
            "scope": "accounts.read",
        },
    )
    u = Scene("form", "POST https://pay.quillon.example/charge")
    r = lambda kind: u.plant(kind, give(kind))  # noqa: E731
    u.form(
        "request",
        {
            "card[number]": r("card"),
            "card[cvv]": r("pin"),
            "billing[street]": r("street"),
            "amount": "4490",
            "currency": "gbp",
        },
    )
    return [s, t, u]


def multipart(give: Make) -> list[Scene]:
    s = Scene("multipart", "POST https://clinic.alderbrook.example/api/referrals", 201)
    p = lambda kind: s.plant(kind, give(kind))  # noqa: E731
    bound = "----premortemBoundaryQ7"
    fields = [
        ("patient_name", p("name")),
        ("dob", p("born")),
        ("national_insurance_number", p("nino")),
        ("email", p("email")),
        ("contact_phone", p("phone")),
        ("upload_token", p("token")),
        ("department", "cardiology"),
        ("urgency", "routine"),
    ]
    parts = [
        f'--{bound}\r\nContent-Disposition: form-data; name="{n}"\r\n\r\n{v}\r\n' for n, v in fields
    ]
    parts.append(
        f'--{bound}\r\nContent-Disposition: form-data; name="meta"\r\n'
        f"Content-Type: application/json\r\n\r\n"
        f"{json.dumps({'guardian': {'firstName': p('first'), 'pin': p('pin')}, 'pages': 3})}\r\n"
    )
    parts.append(
        f'--{bound}\r\nContent-Disposition: form-data; name="list"; filename="contacts.csv"\r\n'
        f"Content-Type: text/csv\r\n\r\nrole,full_name,email\r\nnurse,{p('name')},{p('email')}\r\n"
    )
    s.text(
        "request",
        "".join(parts) + f"--{bound}--\r\n",
        f"multipart/form-data; boundary={bound}",
        keep=("cardiology", "routine", "contacts.csv", "nurse"),
    )
    return [s]


ALL = (
    json_flat,
    json_nested,
    json_array,
    json_in_json,
    base64_json,
    base64_field,
    graphql,
    ndjson,
    form,
    multipart,
)
