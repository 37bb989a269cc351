"""Secrets and personal data in bodies that are text: XML, logs, CSV, YAML, HTML, settings."""

from __future__ import annotations

from html import escape

from tests.quality.redaction.scenes import Make, Scene


def xml(give: Make) -> list[Scene]:
    s = Scene("xml", "POST https://freight.osterway.example/v1/consignments", 201)
    p = lambda kind: escape(s.plant(kind, give(kind)))  # noqa: E731
    s.text(
        "request",
        f"""<?xml version="1.0" encoding="UTF-8"?>
<consignment ref="CN-88213" service="overnight">
  <weight unit="kg">12.4</weight>
  <consignee>
    <fullName>{p("name")}</fullName><street>{p("street")}</street>
    <phone>{p("phone")}</phone><email>{p("email")}</email>
  </consignee>
  <customs><declaredValue currency="NOK">1890.00</declaredValue></customs>
  <auth apiKey="{p("hex")}" password="{p("password")}"/>
  <payer><iban>{p("iban")}</iban></payer><note><![CDATA[call {p("phone")}]]></note>
</consignment>""",
        "application/xml",
        keep=("CN-88213", "overnight", "12.4", "1890.00"),
    )
    for tag in ("weight", "declaredValue"):
        s.keep(("request.body", f"xml:{tag}"), {"weight": "12.4", "declaredValue": "1890.00"}[tag])
    return [s]


def soap(give: Make) -> list[Scene]:
    s = Scene("soap", "POST https://core.quillon.example/ws/AccountService")
    p = lambda kind: escape(s.plant(kind, give(kind)))  # noqa: E731
    head = 'xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/" xmlns:q="urn:quillon:accounts"'
    s.header("request", "soapaction", '"urn:quillon:accounts#Open"', keep=True)
    s.text(
        "request",
        f"""<soap:Envelope {head}><soap:Header><wsse:Security><wsse:UsernameToken>
<wsse:Username>teller-9</wsse:Username>
<wsse:Password Type="PasswordText">{p("password")}</wsse:Password>
<wsse:Nonce>{p("token")}</wsse:Nonce></wsse:UsernameToken></wsse:Security></soap:Header>
<soap:Body><q:OpenAccount><q:product>everyday-plus</q:product>
<q:FirstName>{p("first")}</q:FirstName><q:LastName>{p("last")}</q:LastName>
<q:DateOfBirth>{p("born")}</q:DateOfBirth><q:SSN>{p("ssn")}</q:SSN>
<q:deposit>250.00</q:deposit></q:OpenAccount></soap:Body></soap:Envelope>""",
        "text/xml",
        keep=("everyday-plus", "250.00", "OpenAccount"),
    )
    s.text(
        "response",
        f"<soap:Envelope {head}><soap:Body><q:OpenAccountResponse><q:IBAN>{p('iban')}</q:IBAN>"
        f"<q:CardNumber>{p('card')}</q:CardNumber><q:InitialPin>{p('pin')}</q:InitialPin>"
        "<q:branch>B-114</q:branch></q:OpenAccountResponse></soap:Body></soap:Envelope>",
        "text/xml",
        keep=("B-114",),
    )
    return [s]


def text_log(give: Make) -> list[Scene]:
    s = Scene("plain text and logs", "POST https://logs.nimbusworks.example/v1/raw", 204)
    p = lambda kind: s.plant(kind, give(kind))  # noqa: E731
    s.text(
        "request",
        f"""2025-11-03T08:14:02.118Z INFO  gateway route=checkout took=48ms status=201
2025-11-03T08:14:02.301Z WARN  auth login failed for {p("email")} from client_ip={p("ip")}
2025-11-03T08:14:03.007Z DEBUG http Authorization: Bearer {p("jwt")}
2025-11-03T08:14:03.402Z DEBUG pay card {p("card_spaced")} declined reason=limit
2025-11-03T08:14:04.000Z DEBUG sms sent to {p("phone")} template=otp-v2
2025-11-03T08:14:05.511Z ERROR sync password={p("password")} host=db-3 retries=4
2025-11-03T08:14:06.020Z INFO  ci pushed with {p("provider")} to origin/main
2025-11-03T08:14:06.900Z INFO  sepa payout to {p("iban")} queued batch=B-2291
2025-11-03T08:14:07.100Z INFO  hr ssn: {p("ssn")} verified
""",
        "text/plain",
        keep=("route=checkout", "took=48ms", "reason=limit", "template=otp-v2", "batch=B-2291"),
    )
    t = Scene("plain text and logs", "GET https://hub.nimbusworks.example/jobs/5521/output")
    q = lambda kind: t.plant(kind, give(kind))  # noqa: E731
    t.text(
        "response",
        f"""Step 3/9: npm publish --access restricted
using token {q("provider")}
uploaded parcel-core-4.2.1.tgz (sha1 9f1c2e77ab03d4e5f60718293a4b5c6d7e8f9012)
Contact {q("email")} or call {q("phone")} if this fails.
{q("pem")}
""",
        "text/plain",
        keep=("parcel-core-4.2.1.tgz", "9f1c2e77ab03d4e5f60718293a4b5c6d7e8f9012"),
    )
    return [s, t]


def csv(give: Make) -> list[Scene]:
    s = Scene("csv", "GET https://shop.tidemark.example/exports/customers.csv")
    p = lambda kind: s.plant(kind, give(kind))  # noqa: E731
    rows = [
        (f"C-{410 + i}", p("first"), p("last"), p("email"), p("phone"), p("street"), "gold", "12")
        for i in range(2)
    ]
    header = "customer_no,first_name,last_name,email,phone,street,tier,orders"
    lines = [header, *(",".join(row) for row in rows)]
    s.raw("response", "\r\n".join(lines) + "\r\n", "text/csv")
    for index, row in enumerate(rows):
        for column in (0, 6, 7):
            place = ("response.body", f"csv:{index}:{header.split(',')[column]}")
            s.keep(place, row[column])
    t = Scene("csv", "POST https://bank.quillon.example/v1/payouts/import", 202)
    q = lambda kind: t.plant(kind, give(kind))  # noqa: E731
    body = (
        "reference;beneficiary_name;iban;amount;tax_id\n"
        f"PO-1;{q('name')};{q('iban')};120,50;{q('steuer_id')}\n"
    )
    t.text("request", body, "text/csv", keep=("PO-1", "120,50", "reference"))
    return [s, t]


def yaml(give: Make) -> list[Scene]:
    s = Scene("yaml", "PUT https://deploy.nimbusworks.example/v1/stacks/reports")
    p = lambda kind: s.plant(kind, give(kind))  # noqa: E731
    s.text(
        "request",
        f"""version: 3
service:
  image: registry/reports:4.11.0
  replicas: 3
  env:
    DB_PASSWORD: {p("password")}
    API_TOKEN: "{p("provider")}"
    LOG_LEVEL: warning
  tls:
    private_key: |
      {p("pem").replace(chr(10), chr(10) + "      ")}
owner:
  name: {p("name")}
  email: {p("email")}
  phone: "{p("phone")}"
aws:
  secret_access_key: {p("token")}
  region: eu-north-1
""",
        "application/yaml",
        keep=("registry/reports:4.11.0", "LOG_LEVEL: warning", "eu-north-1"),
    )
    return [s]


def html(give: Make) -> list[Scene]:
    s = Scene("html", "GET https://shop.tidemark.example/account/profile")
    p = lambda kind: escape(s.plant(kind, give(kind)))  # noqa: E731
    s.text(
        "response",
        f"""<!doctype html><html lang="en"><head><title>Your profile - Tidemark</title>
<meta name="csrf-token" content="{p("token")}"></head><body><h1>Edit your profile</h1>
<form action="/account/profile" method="post">
<input type="hidden" name="authenticity_token" value="{p("token")}">
<input type="hidden" name="__RequestVerificationToken" value="{p("token")}">
<input type="text" name="first_name" value="{p("first")}">
<input name="last_name" type="text" value="{p("last")}">
<input type="email" name="email" value="{p("email")}">
<input type="tel" name="phone" value="{p("phone")}">
<input type="password" name="current" value="{p("password")}">
<select name="language"><option value="en-GB" selected>English</option></select>
<a href="mailto:{p("email")}">write</a> <button class="btn-primary">Save changes</button></form>
</body></html>""",
        "text/html",
        keep=(
            "Your profile - Tidemark",
            "Edit your profile",
            "en-GB",
            "btn-primary",
            "Save changes",
        ),
    )
    return [s]


def connection_strings(give: Make) -> list[Scene]:
    s = Scene("connection string", "GET https://deploy.nimbusworks.example/v1/stacks/reports/env")
    p = lambda kind: s.plant(kind, give(kind))  # noqa: E731
    s.json(
        "response",
        {
            "DATABASE_URL": f"postgres://reports:{p('password')}@db-3.internal:5432/reports",
            "CACHE_URL": f"redis://:{p('password')}@cache-1.internal:6379/0",
            "BROKER": f"amqps://worker:{p('password')}@mq.internal/vhost",
            "MONGO": f"mongodb+srv://app:{p('password')}@cluster0.internal/app?retryWrites=true",
            "LEGACY": f"Server=sql-2;Database=Ledger;User Id=svc;Password={p('password')};",
            "JDBC": f"jdbc:mysql://sql-4:3306/shop?user=svc&password={p('password')}",
            "BLOBS": f"DefaultEndpointsProtocol=https;AccountName=blobs;AccountKey={p('provider')}",
            "REGION": "eu-north-1",
            "POOL_SIZE": "20",
        },
    )
    return [s]


def settings_lines(give: Make) -> list[Scene]:
    s = Scene("netrc and dotenv", "PUT https://deploy.nimbusworks.example/v1/files/.env", 204)
    p = lambda kind: s.plant(kind, give(kind))  # noqa: E731
    s.text(
        "request",
        f"""APP_ENV=production
PORT=8080
SECRET_KEY={p("token")}
STRIPE_KEY={p("provider")}
export SMTP_PASSWORD='{p("password")}'
SESSION_SECRET="{p("hex")}"
ADMIN_EMAIL={p("email")}
FEATURE_FLAGS=new-cart,fast-search
""",
        "text/plain",
        keep=("APP_ENV=production", "PORT=8080", "new-cart,fast-search"),
    )
    t = Scene("netrc and dotenv", "PUT https://deploy.nimbusworks.example/v1/files/.netrc", 204)
    q = lambda kind: t.plant(kind, give(kind))  # noqa: E731
    t.text(
        "request",
        f"machine git.internal login bot password {q('token')}\n"
        f"machine files.internal\n  login sync\n  password {q('password')}\n"
        f"//registry.internal/:_authToken={q('provider')}\n",
        "text/plain",
        keep=("git.internal", "files.internal"),
    )
    return [s, t]


def pem_keys(give: Make) -> list[Scene]:
    s = Scene("pem key", "POST https://vault.nimbusworks.example/v1/certificates", 201)
    p = lambda kind: s.plant(kind, give(kind))  # noqa: E731
    s.json(
        "request", {"label": "edge-2025", "privateKey": p("pem"), "serial": 88213, "pem": p("pem")}
    )
    t = Scene("pem key", "GET https://vault.nimbusworks.example/v1/certificates/edge-2025/key")
    t.raw("response", t.plant("pem", give("pem")), "application/x-pem-file")
    u = Scene("pem key", "POST https://vault.nimbusworks.example/v1/import", 201)
    u.form("request", {"label": "edge-2026", "data": u.plant("pem", give("pem"))})
    return [s, t, u]


ALL = (
    xml,
    soap,
    text_log,
    csv,
    yaml,
    html,
    connection_strings,
    settings_lines,
    pem_keys,
)
