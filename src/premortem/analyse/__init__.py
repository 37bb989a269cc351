"""What results mean: findings, the reports of a run, and what the terminal shows."""

from typing import TYPE_CHECKING

from premortem.domain.on_demand import on_demand

if TYPE_CHECKING:
    from premortem.analyse.baseline import (
        FailOn,
        active,
        decide,
        load_baseline,
        save_baseline,
        until_date,
    )
    from premortem.analyse.coverage_html import render_coverage_html
    from premortem.analyse.coverage_map import CoverageMap
    from premortem.analyse.curl import curl_line
    from premortem.analyse.excerpt import printable
    from premortem.analyse.findings import (
        Candidate,
        alike,
        as_one,
        finding_of,
        fingerprint,
        group,
        shared_id,
    )
    from premortem.analyse.kinds import KINDS, alike_answers, as_declared, freedom_of, kind_of, same
    from premortem.analyse.report import Report, compose_report, count_operations
    from premortem.analyse.report_html import render_html
    from premortem.analyse.report_junit import render_junit
    from premortem.analyse.reports import (
        write_access_html,
        write_coverage_html,
        write_html,
        write_junit,
    )
    from premortem.analyse.request_faults import RequestFaults
    from premortem.analyse.run_comparison import Compared, compare_runs
    from premortem.analyse.slices import slice_for
    from premortem.analyse.terminal.access import access_view, contradictions_view
    from premortem.analyse.terminal.coverage import coverage_view, untested_view
    from premortem.analyse.terminal.difference import difference_view
    from premortem.analyse.terminal.editions import differences_view
    from premortem.analyse.terminal.findings import (
        finding_view,
        findings_table,
        plan_view,
        run_view,
    )
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
    "KINDS",
    "Candidate",
    "Compared",
    "CoverageMap",
    "FailOn",
    "Report",
    "RequestFaults",
    "access_view",
    "active",
    "alike",
    "alike_answers",
    "as_declared",
    "as_one",
    "case_view",
    "cases_table",
    "compare_runs",
    "comparison_view",
    "compose_report",
    "contradictions_view",
    "count_operations",
    "coverage_view",
    "curl_line",
    "decide",
    "difference_view",
    "differences_view",
    "exchange_view",
    "finding_of",
    "finding_view",
    "findings_table",
    "fingerprint",
    "freedom_of",
    "group",
    "kind_of",
    "load_baseline",
    "plan_view",
    "printable",
    "profile_view",
    "render_coverage_html",
    "render_html",
    "render_junit",
    "run_view",
    "runs_view",
    "same",
    "save_baseline",
    "scenario_view",
    "shared_id",
    "slice_for",
    "traffic_table",
    "untested_view",
    "until_date",
    "write_access_html",
    "write_coverage_html",
    "write_html",
    "write_junit",
]

_HOMES = {
    "baseline": ("FailOn", "active", "decide", "load_baseline", "save_baseline", "until_date"),
    "coverage_html": ("render_coverage_html",),
    "coverage_map": ("CoverageMap",),
    "curl": ("curl_line",),
    "excerpt": ("printable",),
    "findings": ("Candidate", "alike", "as_one", "finding_of", "fingerprint", "group", "shared_id"),
    "kinds": ("KINDS", "alike_answers", "as_declared", "freedom_of", "kind_of", "same"),
    "report": ("Report", "compose_report", "count_operations"),
    "report_html": ("render_html",),
    "report_junit": ("render_junit",),
    "reports": ("write_access_html", "write_coverage_html", "write_html", "write_junit"),
    "request_faults": ("RequestFaults",),
    "run_comparison": ("Compared", "compare_runs"),
    "slices": ("slice_for",),
    "terminal.access": ("access_view", "contradictions_view"),
    "terminal.coverage": ("coverage_view", "untested_view"),
    "terminal.difference": ("difference_view",),
    "terminal.editions": ("differences_view",),
    "terminal.findings": ("finding_view", "findings_table", "plan_view", "run_view"),
    "terminal.profile": ("profile_view",),
    "terminal.runs": ("comparison_view", "runs_view"),
    "terminal.scenarios": ("scenario_view",),
    "terminal.traffic": ("case_view", "cases_table", "exchange_view", "traffic_table"),
}
__getattr__ = on_demand(__name__, _HOMES)
