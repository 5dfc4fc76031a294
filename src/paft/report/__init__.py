"""What people read: a terminal table, a sentence on who wins, one HTML page."""

from paft.report.html import write_report
from paft.report.method_rows import method_rows, results_table
from paft.report.verdict import read_verdict

__all__ = ["method_rows", "read_verdict", "results_table", "write_report"]
