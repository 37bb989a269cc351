"""What nobody has to hide, for the second corpus: some 400 values."""

from __future__ import annotations

from tests.quality.redaction.scenes import Scene


def rooms_scene() -> Scene:
    """What a service of this kind says of rooms."""
    rooms = Scene(
        "ordinary", "GET https://rooms.bellaluna.example/v3/rooms?from=2025-08-14&nights=4"
    )
    rooms.json(
        "response",
        {
            "rooms": [
                {
                    "code": f"DBL-{n}",
                    "title": title,
                    "beds": n % 3 + 1,
                    "size_m2": 18 + n,
                    "rate": f"{90 + 7 * n}.00",
                    "view": view,
                    "amenities": ["wifi", "minibar"],
                    "photo": f"/img/rooms/{n}/main-1280x720.webp",
                    "updated": f"2025-02-{10 + n}T09:30:00Z",
                    "etag": f'W/"5f{n}ac-188b{n}9f2e"',
                }
                for n, (title, view) in enumerate(
                    [
                        ("Garden Double", "garden"),
                        ("Sea Double", "sea"),
                        ("Family Suite", "pool"),
                        ("Attic Single", "roof"),
                        ("Junior Suite", "sea"),
                        ("Twin Budget", "yard"),
                        ("Corner King", "harbour"),
                        ("Studio Kitchenette", "street"),
                    ]
                )
            ],
            "cursor": "eyJvZmZzZXQiOjh9",
            "total": 23,
        },
    )
    return rooms


def lessons_scene() -> Scene:
    """What a service of this kind says of lessons."""
    lessons = Scene(
        "ordinary", "GET https://schulportal.lindenhof.example/api/stundenplan?klasse=7b"
    )
    lessons.json(
        "response",
        {
            "klasse": "7b",
            "woche": 11,
            "stunden": [
                {"tag": tag, "fach": fach, "raum": raum, "dauer": 45, "von": von}
                for tag, fach, raum, von in [
                    ("Mo", "Mathematik", "A-101", "08:00"),
                    ("Mo", "Deutsch", "A-101", "08:50"),
                    ("Di", "Biologie", "Labor 2", "09:45"),
                    ("Di", "Sport", "Halle Nord", "10:35"),
                    ("Mi", "Kunst", "Atelier", "11:25"),
                    ("Do", "Chemie", "Labor 1", "08:00"),
                    ("Fr", "Musik", "Aula", "12:15"),
                ]
            ],
            "version": "2025.03.1",
            "hash": "9c1185a5c5e9fc54612808977ee8f548b2258d31",
        },
    )
    return lessons


def products_scene() -> Scene:
    """What a service of this kind says of products."""
    products = Scene(
        "ordinary", "GET https://api.wheelie.example/v2/products?city_id=14&locale=de-AT"
    )
    products.json(
        "response",
        {
            "city": {"id": 14, "slug": "berlin", "timezone": "Europe/Berlin", "currency": "EUR"},
            "products": [
                {
                    "id": f"prd_{n}K7",
                    "display": name,
                    "capacity": seats,
                    "base_fare": 250 + 50 * n,
                    "per_km": f"1.{n}5",
                    "icon": f"https://cdn.wheelie.example/icons/{name.lower()}.svg",
                    "max_wait_minutes": 3 + n,
                }
                for n, (name, seats) in enumerate(
                    [("Economy", 4), ("Comfort", 4), ("Van", 7), ("Scooter", 1), ("Green", 4)]
                )
            ],
        },
    )
    return products


def forms_scene() -> Scene:
    """What a service of this kind says of forms."""
    forms = Scene("ordinary", "GET https://epodatki.example/api/formularze?rok=2024")
    forms.json(
        "response",
        {
            "rok": 2024,
            "formularze": [
                {"symbol": symbol, "wersja": n + 20, "termin": f"2025-04-{30 - n}", "opis": opis}
                for n, (symbol, opis) in enumerate(
                    [
                        ("PIT-36", "działalność gospodarcza"),
                        ("PIT-37", "umowa o pracę"),
                        ("PIT-38", "kapitały pieniężne"),
                        ("PIT-28", "ryczałt ewidencjonowany"),
                        ("CIT-8", "osoby prawne"),
                    ]
                )
            ],
            "build": "epodatki-7.2.0+1183",
            "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
        },
    )
    return forms


def tariffs_scene() -> Scene:
    """What a service of this kind says of tariffs."""
    tariffs = Scene("ordinary", "GET https://mi.ondatel.example/tarifas?orden=precio&pagina=1")
    tariffs.json(
        "response",
        {
            "tarifas": [
                {
                    "codigo": f"FB{100 * (n + 1)}",
                    "titulo": titulo,
                    "megas": 100 * (n + 1),
                    "precio": f"{19 + 5 * n},90",
                    "iva": 21,
                    "activo": True,
                    "canal": "web",
                }
                for n, titulo in enumerate(
                    ["Fibra Inicio", "Fibra Plus", "Fibra Pro", "Fibra Total", "Fibra Empresa"]
                )
            ],
            "pagina": 1,
            "paginas": 3,
        },
    )
    return tariffs


def settings_scene() -> Scene:
    """What a service of this kind says of settings."""
    settings = Scene("ordinary", "PATCH https://fit.pulsar.example/v1/settings/display?dry_run=0")
    settings.json(
        "request",
        {
            "theme": "dark",
            "units": "metric",
            "week_start": "monday",
            "token_limit": 4000,
            "password_min_length": 12,
            "phone_required": "optional",
            "email_template": "welcome-v2",
            "address_format": "street-first",
            "name_order": "given-family",
            "pin_length": "4",
            "max_tokens": 512,
            "session_timeout_s": 1800,
            "key_bindings": "vim",
            "author_note": "see handbook section 4",
            "map_zoom": 11,
        },
    )
    settings.header("request", "accept-language", "pl-PL,pl;q=0.8", keep=True)
    settings.header("request", "x-request-id", "7d9f0a52-88a1-4c0b-9a5e-1f2b3c4d5e6f", keep=True)
    settings.header("response", "etag", '"5d8c72a5edda8d6a3ac1b3d6c6e3b9c5"', keep=True)
    settings.header("response", "content-language", "pl", keep=True)
    return settings


def build_scene() -> Scene:
    """What a service of this kind says of build."""
    build = Scene("ordinary", "GET https://forge.anvil.example/api/builds/88213?include=steps")
    build.json(
        "response",
        {
            "id": 88213,
            "commit": "1f7e3c9a0b5d4e2f8a6c7d9e0f1a2b3c4d5e6f70",
            "branch": "release/2025.03",
            "image": "sha256:3b8f0e1d2c4a5968778695a4b3c2d1e0f9e8d7c6b5a493827160f1e2d3c4b5a6",
            "runner": {"os": "linux", "arch": "arm64", "cpus": 4},
            "steps": [
                {"step": step, "seconds": 3 * n + 2, "exit": 0, "log": f"/logs/88213/{n}.txt"}
                for n, step in enumerate(["checkout", "install", "lint", "test", "package", "push"])
            ],
        },
    )
    return build


def pets_scene() -> Scene:
    """What a service of this kind says of pets."""
    pets = Scene("ordinary", "POST https://vets.pawprint.example/appointments/search", 200)
    pets.form(
        "request",
        {"species": "cat", "reason": "vaccination", "day": "2025-03-21", "slot": "10:30-11:00"},
    )
    pets.json(
        "response",
        {
            "slots": [
                {
                    "start": f"2025-03-21T{9 + n:02}:30",
                    "vet_room": f"R{n}",
                    "free": n % 2,
                    "min": 15,
                }
                for n in range(8)
            ],
            "species": "cat",
            "vaccines": ["rabies", "fvrcp", "felv"],
        },
    )
    return pets


def ordinary() -> list[Scene]:
    """All of it."""
    return [
        rooms_scene(),
        lessons_scene(),
        products_scene(),
        forms_scene(),
        tariffs_scene(),
        settings_scene(),
        build_scene(),
        pets_scene(),
    ]
