"""Read prompts that others wrote: spreadsheets, tables, lines, JSON, promptsource, NeMo-Skills.

:func:`read_candidates` keeps every row as it stands, repeats and invalid templates included, and says
what cannot be expressed as a template; :func:`import_prompts` is the strict reading built on it.
"""

from paft.bank.backslashes import decode_escapes
from paft.bank.importers.candidate import Candidate, Imported, Skipped
from paft.bank.importers.read import FORMATS, import_prompts, prompts_of, read_candidates

__all__ = [
    "read_candidates",
    "import_prompts",
    "prompts_of",
    "Candidate",
    "Skipped",
    "Imported",
    "FORMATS",
    "decode_escapes",
]
