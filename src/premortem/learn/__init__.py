"""Learns a profile: operations, shapes, values, relations, links, flows, recipes, timing."""

from premortem.learn.difference import compare_profiles
from premortem.learn.merge import merge_profiles, overlap
from premortem.learn.openapi import Spec, SpecOperation, SpecParameter
from premortem.learn.profile import content_version, learn_profile
from premortem.learn.specification import joined, load_spec

__all__ = [
    "Spec",
    "SpecOperation",
    "SpecParameter",
    "compare_profiles",
    "content_version",
    "joined",
    "learn_profile",
    "load_spec",
    "merge_profiles",
    "overlap",
]
