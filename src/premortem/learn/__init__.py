"""Learns a profile: operations, shapes, values, relations, links, flows, recipes, timing."""

from premortem.learn.difference import compare_profiles
from premortem.learn.merge import merge_profiles, overlap
from premortem.learn.openapi import Spec, SpecOperation, SpecParameter, load_spec
from premortem.learn.profile import content_version, learn_profile

__all__ = [
    "Spec",
    "SpecOperation",
    "SpecParameter",
    "compare_profiles",
    "content_version",
    "learn_profile",
    "load_spec",
    "merge_profiles",
    "overlap",
]
