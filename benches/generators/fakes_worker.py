"""Runs in an environment with Faker, mimesis and polyfactory: writes the order of twelve leaves.

Faker and mimesis are told by hand, field by field, what their documentation has for it;
polyfactory gets a pydantic model with the schema's constraints. Line by line: `{"make": name,
"count": n}` -> the bodies as JSON texts and the CPU seconds that they took.
"""

from __future__ import annotations

import json
import random
import sys
import time
import uuid
from collections.abc import Callable
from datetime import date, datetime
from typing import Annotated, Literal

from faker import Faker
from mimesis import Generic
from mimesis.locales import Locale
from polyfactory.factories.pydantic_factory import ModelFactory
from pydantic import AwareDatetime, BaseModel, EmailStr, Field

Body = Callable[[], str]


def by_faker() -> Body:
    fake = Faker("en_US")
    Faker.seed(1)

    def body() -> str:
        return json.dumps(
            {
                "reference": fake.uuid4(),
                "customer": fake.first_name().lower(),
                "email": fake.email(),
                "amount": float(fake.pydecimal(right_digits=2, min_value=1, max_value=500)),
                "currency": fake.random_element(("EUR", "USD", "GBP")),
                "day": fake.date(),
                "placed": fake.date_time().isoformat() + "Z",
                "gift": fake.pybool(truth_probability=10),
                "quantity": fake.pyint(1, 30),
                "note": fake.sentence(nb_words=5),
                "token": fake.hexify("^" * 24),
                "address": {"city": fake.city()},
            }
        )

    return body


def by_mimesis() -> Body:
    made = Generic(locale=Locale.EN, seed=1)

    def body() -> str:
        return json.dumps(
            {
                "reference": made.cryptographic.uuid(),
                "customer": made.person.first_name().lower(),
                "email": made.person.email(),
                "amount": made.numeric.float_number(start=1, end=500, precision=2),
                "currency": made.random.choice(["EUR", "USD", "GBP"]),
                "day": made.datetime.date().isoformat(),
                "placed": made.datetime.datetime().isoformat() + "Z",
                "gift": made.random.random() < 0.1,
                "quantity": made.numeric.integer_number(1, 30),
                "note": made.text.quote()[:200],
                "token": made.cryptographic.token_hex(12),
                "address": {"city": made.address.city()},
            }
        )

    return body


class Address(BaseModel):
    city: str


class Order(BaseModel):
    reference: uuid.UUID
    customer: Annotated[str, Field(min_length=1, max_length=40)]
    email: EmailStr
    amount: Annotated[float, Field(gt=0, le=100000)]
    currency: Literal["EUR", "USD", "GBP"]
    day: date
    placed: AwareDatetime
    gift: bool
    quantity: Annotated[int, Field(ge=1, le=100)]
    note: Annotated[str, Field(max_length=200)]
    token: str
    address: Address


class Orders(ModelFactory[Order]):
    __model__ = Order
    __random_seed__ = 1


def by_polyfactory() -> Body:
    Orders.add_provider(
        AwareDatetime, lambda: datetime.fromtimestamp(random.randrange(2**31)).astimezone()
    )
    return lambda: Orders.build().model_dump_json()


MAKERS: dict[str, Callable[[], Body]] = {
    "Faker": by_faker,
    "mimesis": by_mimesis,
    "polyfactory": by_polyfactory,
}


def main() -> None:
    for line in sys.stdin:
        asked = json.loads(line)
        body = MAKERS[asked["make"]]()
        body()
        started = time.process_time()
        bodies = [body() for _ in range(asked["count"])]
        spent = time.process_time() - started
        print(json.dumps({"bodies": bodies, "cpu_s": spent}), flush=True)


if __name__ == "__main__":
    main()
