"""What results mean: findings, the reports of a run, and what the terminal shows."""

from premortem.analyse.baseline import (
    FailOn,
    active,
    decide,
    load_baseline,
    save_baseline,
    until_date,
)
from premortem.analyse.curl import curl_line
from premortem.analyse.excerpt import printable
from premortem.analyse.findings import Candidate, alike, finding_of, fingerprint, group
from premortem.analyse.hdr_log import hdr_log
from premortem.analyse.report import Report, compose_report, count_operations
from premortem.analyse.report_html import render_html
from premortem.analyse.report_junit import render_junit
from premortem.analyse.reports import write_html, write_junit
from premortem.analyse.run_comparison import Compared, compare_runs
from premortem.analyse.slices import slice_for, slices
from premortem.analyse.terminal.difference import difference_view
from premortem.analyse.terminal.findings import finding_view, findings_table, plan_view, run_view
from premortem.analyse.terminal.profile import profile_view
from premortem.analyse.terminal.runs import comparison_view, runs_view
from premortem.analyse.terminal.scenarios import scenario_view
from premortem.analyse.terminal.traffic import (
    case_view,
    cases_table,
    exchange_view,
    traffic_table,
)

__all__ = [
    "Candidate",
    "Compared",
    "FailOn",
    "Report",
    "active",
    "alike",
    "case_view",
    "cases_table",
    "compare_runs",
    "comparison_view",
    "compose_report",
    "count_operations",
    "curl_line",
    "decide",
    "difference_view",
    "exchange_view",
    "finding_of",
    "finding_view",
    "findings_table",
    "fingerprint",
    "group",
    "hdr_log",
    "load_baseline",
    "plan_view",
    "printable",
    "profile_view",
    "render_html",
    "render_junit",
    "run_view",
    "runs_view",
    "save_baseline",
    "scenario_view",
    "slice_for",
    "slices",
    "traffic_table",
    "until_date",
    "write_html",
    "write_junit",
]
