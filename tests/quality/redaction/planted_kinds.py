"""National ids, dates, places, and credentials under names that are not English."""

from __future__ import annotations

from tests.quality.redaction.scenes import Make, Scene


def national_ids(give: Make) -> list[Scene]:
    s = Scene("json nested", "POST https://payroll.brackenhall.example/v1/employees", 201)
    p = lambda kind: s.plant(kind, give(kind))  # noqa: E731
    s.json(
        "request",
        {
            "employees": {
                "in": {"aadhaar_number": p("aadhaar"), "grade": "E4"},
                "br": {"cpf": p("cpf"), "grade": "E5"},
                "de": {"steuerId": p("steuer_id"), "grade": "E3"},
                "gb": {"ni_number": p("nino"), "grade": "E2"},
                "fr": {"nir": p("nir"), "grade": "E6"},
                "es": {"documento_identidad": p("dni"), "grade": "E1"},
                "us": {"socialSecurityNumber": p("ssn"), "grade": "E7"},
            },
            "effective_from": "2025-12-01",
        },
    )
    return [s]


def other_languages(give: Make) -> list[Scene]:
    s = Scene("form", "POST https://tienda.marazul.example/cuenta", 303)
    p = lambda kind: s.plant(kind, give(kind))  # noqa: E731
    s.form(
        "request",
        {
            "correo_electronico": p("email"),
            "contraseña": p("password"),
            "apellido": p("last"),
            "fecha_nacimiento": p("born"),
            "moneda": "EUR",
            "idioma": "es",
        },
    )
    t = Scene("json flat", "POST https://konto.heidekamp.example/api/anmeldung", 201)
    q = lambda kind: t.plant(kind, give(kind))  # noqa: E731
    t.json(
        "request",
        {
            "vorname": q("first"),
            "nachname": q("last"),
            "passwort": q("password"),
            "geburtsdatum": q("born"),
            "strasse": q("street"),
            "telefonnummer": q("phone"),
            "produkt": "Girokonto Plus",
            "sprache": "de",
        },
    )
    return [s, t]


def where_people_are(give: Make) -> list[Scene]:
    s = Scene("json nested", "POST https://freight.osterway.example/v3/couriers/41/ping", 202)
    p = lambda kind: s.plant(kind, give(kind))  # noqa: E731
    s.json(
        "request",
        {
            "courier": {"position": {"latitude": float(p("lat")), "longitude": float(p("lon"))}},
            "device": {"imei": p("device"), "os": "android-15"},
            "speed_kmh": 34,
            "leg": "L-2",
        },
    )
    return [s]


ALL = (national_ids, other_languages, where_people_are)
