"""The `[context]` part of a plan file."""

from __future__ import annotations

import msgspec

from premortem.domain.context import DISTRIBUTIONS, KINDS, TONES, Context
from premortem.plan.toml import toml_text

_EXAMPLE = f"""\
# Whose requests, of which kinds, with which values; all of it may be left out. For example:
#   requests = ["create", "read"]      # of: {", ".join(KINDS)}
#   tone = "realistic"                 # of: {", ".join(TONES)}
#   [context.user]
#   role = "Clerk"                     # also tenant, locale ("de-AT"), edition
#   [context.ranges.amount]            # every field of that name; or "body:/amount", or
#   min = 1                            # "POST /invoices amount". max, values, weights, pattern,
#   distribution = "lognormal"         # mean, deviation, since, until, null_share, absent_share;
#                                      # distributions: {", ".join(DISTRIBUTIONS)}"""


def context_lines(context: Context) -> list[str]:
    """CONTEXT as the lines of a TOML table, behind a comment that teaches the keys."""
    lines = [*_EXAMPLE.splitlines(), "[context]"]
    if context.requests:
        lines.append(f"requests = {toml_text(context.requests)}")
    if context.tone:
        lines.append(f"tone = {toml_text(context.tone)}")
    user = {key: value for key, value in msgspec.structs.asdict(context.user).items() if value}
    if user:
        lines += ["", "[context.user]"]
        lines += [f"{key} = {toml_text(value)}" for key, value in user.items()]
    for name, wanted in context.ranges.items():
        lines += ["", f"[context.ranges.{toml_text(name)}]"]
        for key in wanted.__struct_fields__:
            value = getattr(wanted, key)
            if value != getattr(type(wanted)(), key):
                lines.append(f"{key} = {toml_text(value)}")
    return lines
