"""A second corpus in miniature: other services, other languages, other carriers.

Written after the rules and from memory, before it was ever measured; its first measurement is
noted in docs/redaction.md. All values are made up.
"""

from __future__ import annotations

import base64
import json
from urllib.parse import quote, urlencode

from tests.quality.redaction.blind_ordinary import ordinary
from tests.quality.redaction.scenes import Corpus, Scene, gather


def hotel() -> list[Scene]:
    """Bookings: JSON, a form, a confirmation in plain text."""
    s = Scene("hotel json", "POST https://rooms.bellaluna.example/v3/bookings?channel=web", 201)
    p = s.plant
    s.json(
        "request",
        {
            "roomType": "double-sea-view",
            "arrival": "2025-08-14",
            "departure": "2025-08-18",
            "adults": 2,
            "breakfast": True,
            "leadGuest": {
                "givenNames": p("name", "Rosalinde"),
                "surname": p("name", "Quastenberger"),
                "mobilePhone": p("phone", "+43 664 8837215"),
                "passportNumber": p("id", "P4419027K"),
                "nationality": "AT",
            },
            "guarantee": {
                "type": "card",
                "cardNumber": p("card", "4929 1234 5678 9015"),
                "expiry": "11/27",
                "holderName": p("name", "Rosalinde Quastenberger"),
                "securityCode": p("cvv", "884"),
            },
            "specialRequests": "quiet room, late arrival",
            "ratePlan": "FLEX-BAR-2",
        },
    )
    s.json(
        "response",
        {
            "confirmation": "BL-77120-Q",
            "state": "confirmed",
            "total": {"amount": "612.00", "currency": "EUR"},
            "modifyToken": p("token", "mt_9fQz3LxW7bTnK2vRc8Yd5HsA"),
            "policies": ["free cancellation until 2025-08-12", "no pets"],
            "hotel": {"name": "Bella Luna Resort", "stars": 4, "city": "Rimini"},
        },
    )
    t = Scene("hotel form", "POST https://rooms.bellaluna.example/login", 302)
    form = {
        "correo": t.plant("email", "ines.vallcorba@correo-demo.example"),
        "clave": t.plant("password", "Ventana-Azul-88"),
        "recordarme": "1",
        "idioma": "es",
    }
    t.form("request", form)
    t.header(
        "response", "set-cookie", "BLSESS=" + t.plant("token", "u7Wq2ZpR9xVb4Nf6") + "; Path=/"
    )
    t.header("response", "location", "/mi-cuenta", keep=True)
    return [s, t]


def school() -> list[Scene]:
    """A school's register: XML, CSV in German, GraphQL."""
    s = Scene("school xml", "POST https://schulportal.lindenhof.example/soap/Anmeldung", 200)
    p = s.plant
    body = (
        "<?xml version='1.0'?><Anmeldung><Schuljahr>2025/26</Schuljahr><Klasse>7b</Klasse>"
        f"<Schueler><Vorname>{p('name', 'Thorvin')}</Vorname>"
        f"<Familienname>{p('name', 'Plietschmann')}</Familienname>"
        f"<Geburtsdatum>{p('born', '2012-11-03')}</Geburtsdatum>"
        f"<Konfession>{p('sensitive', 'evangelisch')}</Konfession></Schueler>"
        f"<Erziehungsberechtigte><Telefonnummer>{p('phone', '0511 7749023')}</Telefonnummer>"
        f"<Strasse>{p('street', 'Tannhuderweg 41')}</Strasse></Erziehungsberechtigte>"
        "<Wahlfach>Robotik</Wahlfach><Mensa>ja</Mensa></Anmeldung>"
    )
    s.text("request", body, "text/xml", ("2025/26", "7b", "Robotik", "Wahlfach"))
    t = Scene("school csv", "POST https://schulportal.lindenhof.example/import", 202)
    rows = (
        "Nachname;Vorname;Geb.-Datum;Klasse;Fach;Note\r\n"
        f"{t.plant('name', 'Krähenwinkel')};{t.plant('name', 'Mirabella')};"
        f"{t.plant('born', '17.02.2011')};8a;Erdkunde;2\r\n"
    )
    t.text("request", rows, "text/csv", ("8a", "Erdkunde", "Klasse"))
    u = Scene("school graphql", "POST https://api.eduroam-plus.example/graphql")
    u.json(
        "request",
        {
            "operationName": "UpdateGuardian",
            "query": "mutation UpdateGuardian($input: In!) { update(input: $input) { id } }",
            "variables": {
                "input": {
                    "guardianFirstName": u.plant("name", "Solveigh"),
                    "guardianLastName": u.plant("name", "Trondstad"),
                    "parentEmail": u.plant("email", "s.trondstad@postkasse.example"),
                    "homePhone": u.plant("phone", "+47 22 93 41 07"),
                    "relation": "mother",
                    "pickupAllowed": True,
                    "grade": "4",
                }
            },
        },
    )
    u.json("response", {"data": {"update": {"id": "grd_5512", "revision": 3}}})
    return [s, t, u]


def rides() -> list[Scene]:
    """Ride hailing: positions, devices, a path, a log."""
    s = Scene("ride json", "POST https://api.wheelie.example/v2/rides/estimate?city_id=14")
    p = s.plant
    s.json(
        "request",
        {
            "pickup": {"lat": float(p("lat", "52.5163071")), "lng": float(p("lng", "13.3777226"))},
            "product": "economy",
            "seats": 2,
            "rider": {
                "phone_number": p("phone", "+4915207738812"),
                "first_name": p("name", "Leokadia"),
            },
            "device_id": p("device", "a1f0c9d2-7b3e-4e55-9d10-5c2b8e7f6a31"),
            "promo": "SPRING10",
        },
    )
    s.json(
        "response",
        {
            "fare": {"low": 1140, "high": 1490, "currency": "EUR"},
            "eta_minutes": 4,
            "surge": 1.2,
            "vehicle": "compact",
        },
    )
    s.header("request", "authorization", "Bearer " + p("token", "whl-7GkP2xQv9LrZ4TnB8cWd"))
    s.header("request", "x-client-version", "8.14.2", keep=True)
    t = Scene("ride log", "POST https://logs.wheelie.example/ingest", 204)
    t.text(
        "request",
        "2025-03-02T08:11:09Z INFO dispatch ride=R-99182 zone=mitte "
        f"driver_phone={t.plant('phone', '+4917644120933')} "
        f"client_ip={t.plant('ip', '91.203.44.17')} fare=1180 eta=4\n"
        f"2025-03-02T08:11:12Z WARN auth "
        f"api_key={t.plant('token', 'wk_3nHs8QzT5vLp1XyR')} rejected\n",
        "text/plain",
        ("R-99182", "zone=mitte", "fare=1180", "rejected"),
    )
    return [s, t]


def tax() -> list[Scene]:
    """A tax office: Polish, Spanish, French."""
    s = Scene("tax polish", "POST https://epodatki.example/api/deklaracje", 201)
    p = s.plant
    s.json(
        "request",
        {
            "rokPodatkowy": 2024,
            "formularz": "PIT-37",
            "podatnik": {
                "imie": p("name", "Wojciechosław"),
                "nazwisko": p("name", "Brzęczykowicz"),
                "pesel": p("id", "85010112349"),
                "dataUrodzenia": p("born", "1985-01-01"),
                "numerTelefonu": p("phone", "601 774 238"),
                "ulica": p("street", "Kasztanowa 17/4"),
            },
            "kwotaZwrotu": "1284.55",
            "nrRachunku": p("account", "PL61109010140000071219812874"),
        },
        ascii_only=True,
    )
    s.json("response", {"status": "przyjęto", "numer": "UPO-2025-11873"})
    t = Scene("tax spanish", "POST https://sede.tributos.example/declaracion", 200)
    form = {
        "ejercicio": "2024",
        "modelo": "100",
        "nif": t.plant("id", "48217739R"),
        "apellidos": t.plant("name", "Zurriaga Echenique"),
        "nombre": t.plant("name", "Bonifacia"),
        "domicilio_fiscal": t.plant("street", "Calle del Olmo 23"),
        "telefono_movil": t.plant("phone", "655 901 334"),
        "contraseña": t.plant("password", "Tejado!Rojo7"),
        "importe": "903,17",
    }
    t.form("request", form)
    u = Scene("tax french", "PUT https://impots-demo.example/foyer/declaration")
    q = u.plant
    u.json(
        "request",
        {
            "anneeRevenus": 2024,
            "declarant": {
                "nomDeNaissance": q("name", "Vauquelinart"),
                "prenoms": q("name", "Apolline"),
                "dateNaissance": q("born", "14/07/1979"),
                "numeroFiscal": q("id", "3012457789014"),
                "adressePostale": q("street", "8 impasse des Glycines"),
            },
            "motDePasse": q("password", "tulipe_Noire_19"),
            "nombreParts": 2.5,
            "situation": "C",
        },
    )
    u.json("response", {"etat": "brouillon", "reference": "FD-2025-0099812"})
    return [s, t, u]


def telecom() -> list[Scene]:
    """A telephone company: query, JSON in a string, Base64, HTML."""
    token = "tk4QmZ8rW2nXc6VbL9sHd3Fy"
    s = Scene(
        "telecom query",
        f"GET https://mi.ondatel.example/linea?msisdn=34611902877&plan=fibra-600&access_token={token}",
    )
    s.plant("phone", "34611902877")
    s.plant("token", token)
    s.json("response", {"plan": "fibra-600", "gigas": 40, "estado": "activa", "permanencia": 12})
    t = Scene("telecom nested", "POST https://events.ondatel.example/track", 204)
    inner = {
        "customerName": t.plant("name", "Eustaquio Belmonte"),
        "iccid": t.plant("device", "8934071100276980483"),
        "step": "sim-swap",
        "store": "Gran Via",
    }
    t.json("request", {"event": "sim_swap_started", "payload": json.dumps(inner), "v": 3})
    u = Scene("telecom base64", "POST https://events.ondatel.example/batch", 204)
    packed = {"pin": u.plant("pin", "739105"), "puk": u.plant("pin", "48201937"), "kind": "unlock"}
    data = base64.b64encode(json.dumps(packed).encode()).decode()
    u.json("request", {"encoding": "base64", "data": data, "sequence": 17})
    v = Scene("telecom html", "GET https://mi.ondatel.example/perfil")
    v.text(
        "response",
        "<html><body><h1>Tu perfil</h1><dl><dt>Titular</dt>"
        f"<dd>{v.plant('name', 'Eustaquio Belmonte')}</dd><dt>Correo</dt>"
        f"<dd>{v.plant('email', 'e.belmonte@buzon-demo.example')}</dd><dt>Tarifa</dt>"
        "<dd>Fibra 600</dd></dl>"
        f'<input type="hidden" name="csrf_token" value="{v.plant("token", "c9Rk2Xw7Qm4Lz8Pv")}">'
        "</body></html>",
        "text/html",
        ("Fibra 600", "Tu perfil", "Tarifa"),
    )
    w = Scene("telecom path", "GET https://api.ondatel.example/v1/numbers/%2B34699120457/usage")
    w.plant("phone", "+34699120457")
    w.json("response", {"minutes": 112, "sms": 4, "data_mb": 10231, "cycle": "2025-03"})
    return [s, t, u, v, w]


def mixed() -> list[Scene]:
    """Multipart, NDJSON, YAML and a cookie of other houses."""
    s = Scene("gym multipart", "POST https://fit.pulsar.example/members", 201)
    parts = {
        "nom": s.plant("name", "Desrosiers"),
        "courriel": s.plant("email", "m.desrosiers@boite.example"),
        "abonnement": "annuel",
        "code_secret": s.plant("pin", "550183"),
    }
    lines = "".join(
        f'--gYm7\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in parts.items()
    )
    s.raw("request", lines + "--gYm7--\r\n", "multipart/form-data; boundary=gYm7")
    s.keep(("request.body", "has:annuel"), "annuel")
    t = Scene("vet ndjson", "POST https://vets.pawprint.example/bulk", 200)
    rows = [
        {"ownerName": t.plant("name", "Gwendolyn Ashgrove"), "species": "ferret", "weight": 1.1},
        {"ownerMobile": t.plant("phone", "(415) 555-0182"), "species": "dog", "weight": 22.4},
    ]
    t.text(
        "request",
        "\n".join(map(json.dumps, rows)) + "\n",
        "application/x-ndjson",
        ("ferret", "22.4", "species"),
    )
    u = Scene("ci yaml", "PUT https://forge.anvil.example/pipelines/31/config")
    u.text(
        "request",
        "stages: [build, deploy]\nimage: python:3.12\nvariables:\n  REGION: eu-west-1\n"
        f"  DEPLOY_KEY: {u.plant('token', 'Zx81qPlm20VnTr55')}\n"
        f"  DB_URL: postgres://ci:{u.plant('password', 'Gr4nite-Owl')}@db.anvil.example/ci\n",
        "application/yaml",
        ("python:3.12", "eu-west-1", "db.anvil.example"),
    )
    v = Scene("bank cookie", "GET https://online.sparbuch.example/konten?sprache=de&seite=2")
    v.header(
        "request",
        "cookie",
        f"farbe=dunkel; JSESSIONID={v.plant('token', '8F2C91D07AB34E6F')}; sprache=de",
    )
    v.json(
        "response",
        {
            "kontoinhaber": v.plant("name", "Ottokar Wiesengrund"),
            "kontostand": "2210.40",
            "waehrung": "EUR",
            "letzteBuchung": "2025-02-27",
        },
    )
    w = Scene("redirect", "GET https://id.sparbuch.example/cb?lang=de", 302)
    target = "https://online.sparbuch.example/start?" + urlencode(
        {"ticket": w.plant("token", "ST-48213-qPzR7vXk2LmN9wBt"), "von": "login"}
    )
    w.header("response", "location", target)
    x = Scene("encoded form", "POST https://apply.jobs-norte.example/candidatura", 200)
    data = quote(json.dumps({"telefone": x.plant("phone", "+351 912 774 380"), "vaga": "A-17"}))
    x.raw("request", f"origem=site&dados={data}", "application/x-www-form-urlencoded")
    x.keep(("request.body", "form:origem"), "site")
    return [s, t, u, v, w, x]


def blind() -> Corpus:
    """All of it."""
    return gather([*hotel(), *school(), *rides(), *tax(), *telecom(), *mixed(), *ordinary()])
