"""One HTML file that shows a run: the frontier, the chosen network, every cost, and doubts."""

from nas.report.data import ReportData
from nas.report.gather import gather
from nas.report.page import render, write_report

__all__ = ["ReportData", "gather", "render", "write_report"]
