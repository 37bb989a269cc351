"""Findings in the forms that other tools read."""

from premortem.analyse.exports.curl_script import curl_script
from premortem.analyse.exports.har import har
from premortem.analyse.exports.pytest_file import Setting, Unwritable, file_name, pytest_file
from premortem.analyse.exports.reports import allure, junit, sarif

__all__ = [
    "Setting",
    "Unwritable",
    "allure",
    "curl_script",
    "file_name",
    "har",
    "junit",
    "pytest_file",
    "sarif",
]
