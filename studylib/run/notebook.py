"""What every stage notebook needs first: its hub, and parameters that are what they should be.

To import it in a notebook refuses parameters that the notebook does not have, which papermill only warns of, and makes
errors of the study one line.
"""

from __future__ import annotations

import ast
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any

from studylib.errors import InputError, StudyError
from studylib.run.hub import Hub
from studylib.run.provenance import ROOT
from studylib.run.study import STUDY

INJECTED = "# Parameters"
"""First line of the cell in which papermill puts what it is given."""


def open_hub(hub: str) -> Hub:
    """Return the hub; an empty name is the scratch hub reports/scratch of the repository."""
    show_figures()
    return Hub(Path(hub) if hub else ROOT / "reports/scratch").create()


def open_study(hub: str) -> Hub:
    """Return the folder of a study of many conditions; an empty name is the newest one of the repository's reports.

    Raises
    ------
    InputError
        There is none.
    """
    show_figures()
    found = [path.parent.parent for path in (ROOT / "reports").glob(f"*/{STUDY}")] if not hub else [Path(hub)]
    existing = [path for path in found if (path / STUDY).is_file()]
    if not existing:
        raise InputError("hub", hub, f"the folder of a study, with {STUDY}", "run make response")
    return Hub(max(existing, key=lambda path: (path / STUDY).stat().st_mtime))


def show_figures() -> None:
    """Let a notebook show a matplotlib Figure that did not come from pyplot."""
    from IPython import get_ipython
    from matplotlib_inline.backend_inline import set_matplotlib_formats

    if get_ipython() is not None:
        set_matplotlib_formats("png")


def round_table(rows: list[dict], columns: list[str], digits: int = 4):
    """Return the rows as a data frame, rounded, for display."""
    import pandas as pd

    return pd.DataFrame(rows, columns=columns).round(digits)


def _assigned(code: str) -> set[str]:
    """Return the names that the statements of a cell assign."""
    try:
        body = ast.parse(code).body
    except SyntaxError:
        return set()
    return {t.id for line in body if isinstance(line, ast.Assign) for t in line.targets if isinstance(t, ast.Name)}


def refuse_unknown(cells: list[str]) -> None:
    """Refuse parameters that papermill put into a notebook which does not have them.

    Parameters
    ----------
    cells
        The code that was run so far, the cell of the parameters first.

    Raises
    ------
    InputError
        Names them, and those that there are.
    """
    for before, given in pairwise(cells):
        if given.startswith(INJECTED):
            known = _assigned(before)
            if unknown := sorted(_assigned(given) - known):
                words = "one of " + ", ".join(sorted(known))
                raise InputError("parameter", ", ".join(unknown), words, f"papermill -p {min(known, default='')} ...")


def _in_a_line(shell: Any, kind: type, error: BaseException, trace: TracebackType, tb_offset: Any = None) -> list[str]:
    """Show an error of the study without the way there: it says what was given, expected, and what mends it."""
    text = [f"{kind.__module__}.{kind.__name__}: {error.args[0]}"]
    shell._showtraceback(kind, error, text)
    return text


def _begin() -> None:
    from IPython import get_ipython

    if (shell := get_ipython()) is not None:
        shell.set_custom_exc((StudyError,), _in_a_line)
        refuse_unknown([str(cell) for cell in shell.user_ns.get("In", [""])[1:]])


_begin()
