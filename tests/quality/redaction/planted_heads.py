"""Secrets and personal data outside bodies: URLs, cookies, credentials and other headers."""

from __future__ import annotations

import json
from urllib.parse import quote

from tests.quality.redaction.scenes import Make, Scene, b64


def query(give: Make) -> list[Scene]:
    scenes = []
    for url, names, kinds in (
        (
            "https://api.saltmarsh.example/v1/forecast?units=metric&days=5",
            ("api_key", "lat", "lon"),
            ("hex", "lat", "lon"),
        ),
        (
            "https://shop.tidemark.example/account/reset?step=2&lang=pl",
            ("token", "email"),
            ("token", "email"),
        ),
        (
            "https://clinic.alderbrook.example/api/patients?sort=ward&limit=25",
            ("last_name", "dob", "phone"),
            ("last", "born", "phone"),
        ),
        (
            "https://files.nimbusworks.example/d/report-q3.pdf?disposition=inline",
            ("X-Amz-Security-Token", "X-Amz-Signature", "X-Amz-Credential"),
            ("token", "hex", "provider"),
        ),
        (
            "https://bank.quillon.example/v1/lookup?currency=EUR",
            ("iban", "access_token", "q"),
            ("iban", "jwt", "email"),
        ),
    ):
        s = Scene("url query", f"GET {url}")
        s.query += tuple((n, s.plant(k, give(k))) for n, k in zip(names, kinds, strict=True))
        s.json("response", {"count": 1, "status": "ok"})
        scenes.append(s)
    return scenes


def path(give: Make) -> list[Scene]:
    scenes = []
    for before, kind, after in (
        ("https://api.saltmarsh.example/v1/users/by-email/", "email", "/preferences"),
        ("https://shop.tidemark.example/account/confirm/", "jwt", ""),
        ("https://hooks.nimbusworks.example/services/", "token", "/post"),
        ("https://bank.quillon.example/v1/accounts/", "iban", "/balance"),
        ("https://api.saltmarsh.example/v2/subscribers/phone/", "phone", ""),
        ("https://clinic.alderbrook.example/api/insured/ssn/", "ssn", "/claims"),
        ("https://shop.tidemark.example/password/reset/", "token", "/new"),
        ("https://pay.quillon.example/v1/cards/", "card", "/block"),
        ("https://api.chatterly.example/bot", "provider", "/sendMessage"),
    ):
        s = Scene("url path segment", "GET " + before + "x")
        text = s.plant(kind, give(kind))
        s.path = s.path[:-1] + quote(text, safe="@" if kind == "email" else "") + after
        s.json("response", {"status": "ok", "page": 1})
        scenes.append(s)
    return scenes


def userinfo(give: Make) -> list[Scene]:
    s = Scene("url userinfo", "POST https://deploy.nimbusworks.example/v1/mirrors", 201)
    p = lambda kind: s.plant(kind, give(kind))  # noqa: E731
    s.json(
        "request",
        {
            "source": f"https://bot:{p('provider')}@git.internal/team/reports.git",
            "target": f"https://{p('token')}:x-oauth-basic@git.external/reports.git",
            "proxy": f"http://corp:{quote(p('password'))}@proxy.internal:3128",
            "branch": "main",
        },
    )
    s.planted = [(k, (*t, quote(t[0]))) if k == "password" else (k, t) for k, t in s.planted]
    t = Scene("url userinfo", "POST https://deploy.nimbusworks.example/v1/fetch", 202)
    q = lambda kind: t.plant(kind, give(kind))  # noqa: E731
    t.form("request", {"url": f"ftp://sync:{q('password')}@files.internal/in/", "mode": "pull"})
    t.header("request", "referer", f"https://admin:{q('password')}@stage.internal/jobs?tab=2")
    u = Scene("url userinfo", "GET https://deploy.nimbusworks.example/v1/mirrors/7")
    r = lambda kind: u.plant(kind, give(kind))  # noqa: E731
    u.text(
        "response",
        f"fetching https://ci:{r('token')}@git.internal/a.git\n"
        f"warning: sftp://anna:{r('password')}@files.internal is slow\nphase: unpack\n",
        "text/plain",
        keep=("fetching", "phase: unpack"),
    )
    return [s, t, u]


def location(give: Make) -> list[Scene]:
    scenes = []
    for target, names, kinds in (
        ("https://app.saltmarsh.example/cb#", ("access_token", "id_token"), ("token", "jwt")),
        ("https://app.saltmarsh.example/cb?", ("code", "session_state"), ("token", "hex")),
        ("/account/verify?step=3&", ("email", "verification_code"), ("email", "pin")),
        (
            "https://pay.quillon.example/3ds?lang=de&",
            ("client_secret", "phone"),
            ("token", "phone"),
        ),
    ):
        s = Scene(
            "redirect location", "GET https://id.quillon.example/oauth2/continue?theme=dark", 302
        )
        pairs = [(n, s.plant(k, give(k))) for n, k in zip(names, kinds, strict=True)]
        s.header("response", "location", target + "&".join(f"{n}={quote(v)}" for n, v in pairs))
        scenes.append(s)
    return scenes


def authorization(give: Make) -> list[Scene]:
    scenes = []

    def scene(form: str, header: str, value: str, kind: str, text: str, **more: str) -> None:
        s = Scene(form, "GET https://api.saltmarsh.example/v1/orders?state=open&page=3")
        s.plant(kind, text)
        for other, said in more.items():
            s.plant(other, said)
        s.header("request", header, value)
        s.header("request", "accept", "application/json", keep=True)
        s.json("response", {"items": [], "next": None, "total": 0})
        scenes.append(s)

    for user in ("reports", give("email"), "svc-import", give("email"), "kiosk-7"):
        word = give("password")
        more = {"email": user} if "@" in user else {}
        value = f"Basic {b64(f'{user}:{word}')}"
        scene("auth basic", "authorization", value, "password", word, **more)
    for kind in ("jwt", "token", "provider", "hex", "jwt", "token"):
        text = give(kind)
        scene("auth bearer", "authorization", f"Bearer {text}", kind, text)
    for nonce, answer in ((give("hex"), give("hex")), (give("token"), give("hex"))):
        scene(
            "auth digest",
            "authorization",
            f'Digest username="u-9", realm="eu", nonce="{nonce}", uri="/v1", response="{answer}"',
            "hex",
            answer,
        )
    for signature in (give("hex"), give("hex"), give("hex")):
        key = "AK" + "IA" + give("token")[:16].upper()
        scene(
            "auth aws4-hmac",
            "authorization",
            f"AWS4-HMAC-SHA256 Credential={key}/20251103/eu-north-1/s3/aws4_request, "
            f"SignedHeaders=host;x-amz-date, Signature={signature}",
            "hex",
            signature,
            provider=key,
        )
    for shape in (
        "Token {}",
        "Token token={}",
        "ApiKey {}",
        "{}",
        "SSWS {}",
        "GenieKey {}",
        "NTLM {}",
    ):
        text = give("token")
        scene("auth other", "authorization", shape.format(text), "token", text)
    text = give("jwt")
    scene("auth other", "proxy-authorization", f"Bearer {text}", "jwt", text)
    return scenes


def cookies(give: Make) -> list[Scene]:
    scenes = []
    for names in (
        ("sessionid", "csrftoken"),
        ("connect.sid", "remember_me"),
        ("PHPSESSID", "auth"),
        ("__Host-session", "XSRF-TOKEN"),
    ):
        s = Scene("cookie", "GET https://shop.tidemark.example/cart?view=full")
        values = [s.plant("token", give("token")) for _ in names]
        pairs = "; ".join(f"{n}={v}" for n, v in zip(names, values, strict=True))
        s.header("request", "cookie", f"theme=dark; {pairs}; lang=sv")
        s.keep(("request.header:cookie", "cookie:theme"), "dark")
        s.keep(("request.header:cookie", "cookie:lang"), "sv")
        s.json("response", {"items": 3, "currency": "SEK"})
        scenes.append(s)
    t = Scene("cookie", "GET https://shop.tidemark.example/cart?view=mini")
    user = {"email": t.plant("email", give("email")), "name": t.plant("name", give("name"))}
    t.header(
        "request",
        "cookie",
        f"profile={quote(json.dumps(user))}; last_login_ip={t.plant('ip', give('ip'))}",
    )
    scenes.append(t)
    for index, name in enumerate(
        ("sid", "refresh_token", "SESSION", "jwt", "id_token", "XSRF-TOKEN", "rack.session")
    ):
        kind = "jwt" if name in ("jwt", "id_token") else "token"
        s = Scene("set-cookie", "POST https://shop.tidemark.example/session?from=cart", 200)
        text = s.plant(kind, give(kind))
        s.header("response", "set-cookie", f"{name}={text}; Path=/; HttpOnly; SameSite=Lax")
        s.json("response", {"ok": True, "step": index + 1})
        scenes.append(s)
    u = Scene("set-cookie", "POST https://id.quillon.example/login", 302)
    u.header(
        "response", "set-cookie", f"user_email={quote(u.plant('email', give('email')))}; Path=/"
    )
    u.header("response", "set-cookie", f"device={u.plant('device', give('device'))}; Max-Age=900")
    scenes.append(u)
    return scenes


def headers(give: Make) -> list[Scene]:
    scenes = []
    for name, kind in (
        ("x-api-key", "hex"),
        ("x-auth-token", "token"),
        ("x-csrf-token", "token"),
        ("x-forwarded-for", "ip"),
        ("x-real-ip", "ip"),
        ("x-user-email", "email"),
        ("x-user-name", "name"),
        ("x-device-id", "device"),
        ("x-amz-security-token", "provider"),
        ("ocp-apim-subscription-key", "hex"),
        ("x-saltmarsh-signature", "hex"),
        ("x-customer-phone", "phone"),
        ("forwarded", "ip"),
        ("from", "email"),
        ("x-vault-token", "token"),
        ("private-token", "provider"),
    ):
        s = Scene("custom header", "GET https://api.saltmarsh.example/v1/plans?currency=CHF")
        text = s.plant(kind, give(kind))
        shown = f'for="{text}";proto=https' if name == "forwarded" else text
        s.header("request", name, quote(shown) if kind == "name" else shown)
        s.header("request", "accept-language", "de-CH,de;q=0.9", keep=True)
        s.json("response", {"plans": [{"code": "solo", "price": "9.00"}]})
        scenes.append(s)
    for name, kind in (
        ("x-refresh-token", "jwt"),
        ("x-session-id", "token"),
        ("authentication-info", "hex"),
    ):
        s = Scene("custom header", "POST https://api.saltmarsh.example/v1/refresh?grant=rolling")
        text = s.plant(kind, give(kind))
        s.header("response", name, f'rspauth="{text}"' if name.startswith("auth") else text)
        s.header("response", "server", "edge/2.14", keep=True)
        scenes.append(s)
    return scenes


def percent_json(give: Make) -> list[Scene]:
    s = Scene("percent-encoded json", "GET https://api.saltmarsh.example/v1/search?page=1")
    p = lambda kind: s.plant(kind, give(kind))  # noqa: E731
    wanted = {"email": p("email"), "last_name": p("last"), "status": "open", "limit": 20}
    s.query += (("filter", json.dumps(wanted)),)
    s.inside(("request.query:filter",), wanted)
    t = Scene("percent-encoded json", "GET https://ingest.pellucid.example/p.gif?v=3")
    q = lambda kind: t.plant(kind, give(kind))  # noqa: E731
    seen = {
        "device_id": q("device"),
        "client_ip": q("ip"),
        "lat": q("lat"),
        "lon": q("lon"),
        "os": "ios",
    }
    t.query += (("d", quote(json.dumps(seen))),)
    t.inside(("request.query:d", "unquote"), seen)
    u = Scene("percent-encoded json", "POST https://api.saltmarsh.example/v1/rpc")
    r = lambda kind: u.plant(kind, give(kind))  # noqa: E731
    call = {"method": "login", "params": {"password": r("password"), "phone": r("phone")}}
    u.form("request", {"request": json.dumps(call), "rpc": "2.0"})
    u.kept = [(place, value) for place, value in u.kept if "request" not in place[-1]]
    u.inside(("request.body", "form:request"), call)
    return [s, t, u]


ALL = (query, path, userinfo, location, authorization, cookies, headers, percent_json)
