"""Demonstrations and forms for a room: interactive where a kernel runs, and a static table beside each for where none does.

Everything that a server, a model or a person wrote is escaped before it is shown.
"""

from .explorer import CallExplorer, examples_table, exchange_html
from .preference import Preference, preference_table
from .reviewer import Reviewer, review_table

__all__ = ["CallExplorer", "Preference", "Reviewer", "examples_table", "exchange_html", "preference_table", "review_table"]
