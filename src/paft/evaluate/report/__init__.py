"""What people read: a terminal table, a sentence on who wins, one HTML page."""

from paft.evaluate.report.html import write_report
from paft.evaluate.report.table import comparison, method_rows, results_table

__all__ = ["comparison", "method_rows", "results_table", "write_report"]
