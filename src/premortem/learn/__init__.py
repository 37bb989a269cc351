"""Learns a profile: operations, shapes, values, links, flows, recipes, timing."""

from premortem.learn.openapi import Spec, SpecOperation, SpecParameter, load_spec
from premortem.learn.profile import content_version, learn_profile

__all__ = [
    "Spec",
    "SpecOperation",
    "SpecParameter",
    "content_version",
    "learn_profile",
    "load_spec",
]
