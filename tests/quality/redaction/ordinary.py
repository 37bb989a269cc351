"""Traffic with nothing to hide: what redaction must leave as it is.

Names that look like a secret's and are none (`pinned_at`, `token_type`, `tokens_used`,
`key`/`value` of settings, `name` of a product) stand here on purpose.
"""

from __future__ import annotations

import base64
import random
import uuid
import zlib
from typing import Any

from tests.quality.redaction.scenes import Scene

HEX = "0123456789abcdef"
ULID = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
THINGS = [
    "Kettle",
    "Rucksack",
    "Lampshade",
    "Notebook",
    "Trowel",
    "Anorak",
    "Teapot",
    "Bookend",
    "Whisk",
    "Stool",
]
MAKES = ("Linden & Söhne", "Copperfield Works", "Atelier Nord", "Okapi Goods", "Três Marias Ltda")
TINTS = ["copper", "slate", "olive", "ivory", "indigo", "ochre"]
CITIES = ("Rotterdam", "Gdańsk", "Malmö", "Porto", "Leeds", "São Paulo", "Köln", "Osaka")
STATES = ("draft", "open", "paid", "shipped", "in_transit", "delivered", "returned", "on-hold")
SENTENCES = (
    "Keeps water warm for two hours; the lid is dishwasher safe.",
    "Die Lieferung erfolgt innerhalb von drei Werktagen.",
    "Ce produit n'est plus disponible en magasin.",
    "El pedido se ha enviado desde nuestro almacén central.",
    "Zamówienie zostało przekazane do realizacji.",
    "商品は三日以内に発送されます。",
    "Produto indisponível para entrega nesta região.",
    "Varan skickas inom två arbetsdagar från lagret.",
    "Password must have at least 12 characters and one digit.",
    "Your session will expire in 15 minutes, please save your work.",
    "Доставка осуществляется по рабочим дням.",
    "The token budget for this plan is 50,000 per month.",
)


def _hex(rng: random.Random, length: int) -> str:
    return "".join(rng.choices(HEX, k=length))


def _uuid(rng: random.Random) -> str:
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def _png(rng: random.Random) -> str:
    pixels = zlib.compress(rng.randbytes(90))
    head = (
        b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x05\x00\x00\x00\x06\x08\x02\x00\x00\x00"
    )
    return base64.b64encode(head + pixels).decode()


def _stamp(rng: random.Random) -> str:
    day = f"2025-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}"
    return f"{day}T{rng.randint(0, 23):02d}:{rng.randint(10, 59)}:07Z"


def _price(rng: random.Random) -> str:
    return f"{rng.randint(3, 900)}.{rng.randint(0, 99):02d}"


def _heads(s: Scene, rng: random.Random) -> None:
    s.header("request", "accept", "application/json", keep=True)
    s.header("request", "traceparent", f"00-{_hex(rng, 32)}-{_hex(rng, 16)}-01", keep=True)
    s.header("response", "etag", f'"{_hex(rng, 32)}"', keep=True)
    s.header("response", "x-request-id", _uuid(rng), keep=True)
    s.header("response", "cache-control", f"max-age={rng.randint(10, 9000)}, public", keep=True)


def products(rng: random.Random) -> list[Scene]:
    scenes = []
    for page in range(10):
        s = Scene(
            "ordinary",
            f"GET https://shop.tidemark.example/api/v2/products?page={page}&sort=-created_at",
        )
        _heads(s, rng)
        items = []
        for _ in range(5):
            thing, tint = rng.choice(THINGS), rng.choice(TINTS)
            items.append(
                {
                    "id": _uuid(rng),
                    "sku": f"TM-{rng.randint(1000, 9999)}-{tint[:3].upper()}",
                    "name": f"{tint.title()} {thing} {rng.randint(1, 9)}.{rng.randint(0, 9)} l",
                    "slug": f"{tint}-{thing.lower()}-{rng.randint(10, 99)}",
                    "brand": {"name": rng.choice(MAKES), "id": rng.randint(100, 999)},
                    "description": rng.choice(SENTENCES),
                    "price": {"amount": _price(rng), "currency": rng.choice(("EUR", "SEK", "GBP"))},
                    "colour": f"#{_hex(rng, 6)}",
                    "ean": f"40{rng.randint(10**10, 10**11 - 1)}",
                    "pinned_at": _stamp(rng),
                    "weight_g": rng.randint(80, 4000),
                    "url": f"https://tidemark.example/p/{thing.lower()}?v={rng.randint(10, 99)}",
                    "thumbnail": f"data:image/png;base64,{_png(rng)}",
                }
            )
        s.json("response", {"items": items, "next_page": page + 2, "total_count": 1480})
        scenes.append(s)
    return scenes


def orders(rng: random.Random) -> list[Scene]:
    scenes = []
    for _ in range(20):
        number = f"TM-2025-{rng.randint(100000, 999999)}"
        s = Scene(
            "ordinary", f"GET https://shop.tidemark.example/api/v2/orders/{number}?expand=lines"
        )
        _heads(s, rng)
        s.json(
            "response",
            {
                "number": number,
                "invoice_number": f"INV-{rng.randint(10000, 99999)}/25",
                "status": rng.choice(STATES),
                "created_at": _stamp(rng),
                "updated_ms": 1_730_000_000_000 + rng.randint(0, 10**10),
                "delivery_date": _stamp(rng)[:10],
                "card_brand": rng.choice(("visa", "mastercard", "amex")),
                "address_type": rng.choice(("billing", "pickup-point")),
                "shipping_method": rng.choice(("express", "economy")),
                "email_template": f"order-{rng.choice(STATES)}-v{rng.randint(2, 9)}",
                "tracking": {
                    "carrier": "northpost",
                    "number": f"NP{rng.randint(10**8, 10**9 - 1)}SE",
                },
                "warehouse": {"city": rng.choice(CITIES), "code": f"WH-{rng.randint(1, 60)}"},
                "lines": [
                    {
                        "sku": f"TM-{rng.randint(1000, 9999)}",
                        "qty": rng.randint(1, 9),
                        "total": _price(rng),
                    }
                    for _ in range(3)
                ],
                "totals": {"net": _price(rng), "vat": _price(rng), "gross": float(_price(rng))},
                "note": rng.choice(SENTENCES),
            },
        )
        scenes.append(s)
    return scenes


def builds(rng: random.Random) -> list[Scene]:
    scenes = []
    for index in range(20):
        s = Scene(
            "ordinary",
            f"GET https://hub.nimbusworks.example/api/repos/parcel-core/builds/{5500 + index}",
        )
        _heads(s, rng)
        s.json(
            "response",
            {
                "commit": _hex(rng, 40),
                "parent_sha": _hex(rng, 40),
                "branch": rng.choice(("main", "release/4.2", "fix/login-redirect")),
                "version": f"{rng.randint(1, 9)}.{rng.randint(0, 40)}.{rng.randint(0, 9)}",
                "firmware": ".".join(str(rng.randint(1, 40)) for _ in range(4)),
                "image_digest": f"sha256:{_hex(rng, 64)}",
                "md5": _hex(rng, 32),
                "trace_id": _hex(rng, 32),
                "span_id": _hex(rng, 16),
                "run_id": "".join(["01JB", *rng.choices(ULID, k=22)]),
                "job_id": _hex(rng, 24),
                "duration_ms": rng.randint(400, 90000),
                "tokens_used": rng.randint(100, 90000),
                "token_type": "Bearer",
                "password_policy": rng.choice(("strong", "standard")),
                "secret_count": rng.randint(2, 40),
                "key_size": rng.choice((2048, 4096)),
                "log_url": f"https://hub.nimbusworks.example/logs/{rng.randint(10**5, 10**6)}?t=2",
                "conclusion": rng.choice(("success", "failure", "cancelled")),
            },
        )
        scenes.append(s)
    return scenes


def settings(rng: random.Random) -> list[Scene]:
    keys = (
        "shipping.free_threshold",
        "search.page_size",
        "theme.accent",
        "mail.footer",
        "cart.ttl_s",
    )
    scenes = []
    for index in range(8):
        s = Scene("ordinary", f"GET https://api.saltmarsh.example/v1/settings/{index}?format=flat")
        _heads(s, rng)
        values: tuple[Any, ...] = (
            _price(rng),
            "50",
            f"#{_hex(rng, 6)}",
            rng.choice(SENTENCES),
            "1800",
        )
        s.json(
            "response",
            {
                "settings": [{"key": k, "value": v} for k, v in zip(keys, values, strict=True)],
                "data": {"country": rng.choice(("NO", "BRA", "DEU")), "timezone": "Europe/Warsaw"},
                "features": ["fast-search", f"cart-v{index}", "dark-mode"],
                "auth_methods": ["password", "passkey", "otp"],
                "session_timeout_minutes": rng.randint(5, 90),
                "cookie_policy_version": f"2025-{index + 1:02d}",
                "max_login_attempts": rng.randint(3, 9),
            },
        )
        scenes.append(s)
    return scenes


def forms_and_texts(rng: random.Random) -> list[Scene]:
    scenes = []
    for index in range(8):
        s = Scene("ordinary", "POST https://freight.osterway.example/quotes?lang=en")
        s.form(
            "request",
            {
                "origin_city": rng.choice(CITIES),
                "incoterm": rng.choice(("DAP", "EXW", "FOB")),
                "weight": _price(rng),
                "pickup": _stamp(rng)[:10],
                "pallets": str(rng.randint(1, 30)),
                "remarks": rng.choice(SENTENCES),
            },
        )
        codes = [f"HS{rng.randint(1000, 9999)}.{rng.randint(10, 99)}" for _ in range(6)]
        rows = [f"{c},{rng.choice(THINGS)},{_price(rng)},{rng.choice(STATES)}" for c in codes]
        s.raw("response", "\n".join(["code,product,duty,state", *rows]) + "\n", "text/csv")
        for number, row in enumerate(rows):
            for name, value in zip(
                ("code", "product", "duty", "state"), row.split(","), strict=True
            ):
                s.keep(("response.body", f"csv:{number}:{name}"), value)
        scenes.append(s)
        t = Scene(
            "ordinary",
            f"GET https://docs.tidemark.example/{rng.choice(('guide', 'help'))}/returns-{index}",
        )
        title, line = f"Returns, part {index + 1}", rng.choice(SENTENCES)
        word = rng.choice(TINTS)
        t.text(
            "response",
            f"<html><head><title>{title}</title></head><body><h2>{word}</h2><p>{line}</p>"
            f'<a href="/help/{word}-{index}">more</a><i>{_stamp(rng)[:10]}</i></body></html>',
            "text/html",
            keep=(title, line, f"/help/{word}-{index}"),
        )
        u = Scene(
            "ordinary",
            f"GET https://logs.nimbusworks.example/v1/tail?service=cart&since={17 * 10**8 + index}",
        )
        lines = [
            f"{_stamp(rng)} INFO route=/cart/{rng.randint(100, 999)} "
            f"took={rng.randint(3, 900)}ms trace={_hex(rng, 32)}"
            for _ in range(6)
        ]
        u.raw("response", "\n".join(lines), "text/plain")
        for number, text in enumerate(lines):
            u.keep(("response.body", f"line:{number}"), text)
        scenes += [t, u]
    return scenes


def scenes() -> list[Scene]:
    """All exchanges in which nothing is planted."""
    rng = random.Random("ordinary")
    return [s for w in (products, orders, builds, settings, forms_and_texts) for s in w(rng)]
