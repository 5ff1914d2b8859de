"""What every stage notebook needs first: its hub, and a check of its parameters.

The import itself has two effects in a notebook. Parameters that the notebook does not have are refused; papermill only
warns of them. And an error of the study is shown in one line.
"""

from __future__ import annotations

import ast
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from studylib.errors import InputError, StudyError
from studylib.run.hub import Hub
from studylib.run.provenance import ROOT
from studylib.run.study import STUDY

if TYPE_CHECKING:
    import pandas

INJECTED = "# Parameters"
"""First line of the cell in which papermill writes the parameters that it is given."""


def open_hub(hub: str) -> Hub:
    """Return the hub of a notebook, its folders made.

    Parameters
    ----------
    hub
        Folder of the run; empty for reports/scratch of the repository.

    Raises
    ------
    InputError
        The folder holds files of somebody else, or cannot be written to.
    """
    show_figures()
    return Hub(Path(hub) if hub else ROOT / "reports/scratch").create()


def open_study(hub: str) -> Hub:
    """Return the hub of a study of many conditions.

    Parameters
    ----------
    hub
        Folder of the study; empty for the newest study in reports/ of the repository.

    Raises
    ------
    InputError
        There is no study.
    """
    show_figures()
    found = [path.parent.parent for path in (ROOT / "reports").glob(f"*/{STUDY}")] if not hub else [Path(hub)]
    existing = [path for path in found if (path / STUDY).is_file()]
    if not existing:
        raise InputError("hub", hub, f"the folder of a study, with {STUDY}", "run make response")
    return Hub(max(existing, key=lambda path: (path / STUDY).stat().st_mtime))


def show_figures() -> None:
    """Let a notebook show matplotlib figures that were made without pyplot."""
    from IPython import get_ipython
    from matplotlib_inline.backend_inline import set_matplotlib_formats

    if get_ipython() is not None:
        set_matplotlib_formats("png")


def round_table(rows: list[dict], columns: list[str], digits: int = 4) -> pandas.DataFrame:
    """Return rows as a data frame, rounded, for display.

    Parameters
    ----------
    rows
        One dictionary for each row of the table.
    columns
        Names of the columns to show, in their order.
    digits
        Decimal places that are kept.

    Returns
    -------
    pandas.DataFrame
    """
    import pandas as pd

    return pd.DataFrame(rows, columns=columns).round(digits)


def _assigned(code: str) -> set[str]:
    """Return the names that the plain assignments of a cell define; none where the cell is not plain Python."""
    try:
        body = ast.parse(code).body
    except SyntaxError:
        return set()
    return {t.id for line in body if isinstance(line, ast.Assign) for t in line.targets if isinstance(t, ast.Name)}


def refuse_unknown(cells: list[str]) -> None:
    """Refuse parameters that papermill wrote into a notebook which does not have them.

    Parameters
    ----------
    cells
        Code of the cells that were run so far. The cell of the default parameters precedes that of papermill.

    Raises
    ------
    InputError
        A parameter is unknown; the message names it, and those that the notebook has.
    """
    for before, given in pairwise(cells):
        if given.startswith(INJECTED):
            known = _assigned(before)
            if unknown := sorted(_assigned(given) - known):
                words = "one of " + ", ".join(sorted(known))
                raise InputError("parameter", ", ".join(unknown), words, f"papermill -p {min(known, default='')} ...")


def _in_a_line(shell: Any, kind: type, error: BaseException, trace: TracebackType, tb_offset: Any = None) -> list[str]:
    """Show an error of the study without its traceback: the message says what was given, what was expected and the fix.

    IPython calls this as a handler of custom exceptions.
    """
    text = [f"{kind.__module__}.{kind.__name__}: {error.args[0]}"]
    shell._showtraceback(kind, error, text)
    return text


def _begin() -> None:
    """Install the handler of the study's errors, and check the parameters of the notebook that imports this module."""
    from IPython import get_ipython

    if (shell := get_ipython()) is not None:
        shell.set_custom_exc((StudyError,), _in_a_line)
        # The first entry of IPython's list of inputs is always empty.
        refuse_unknown([str(cell) for cell in shell.user_ns.get("In", [""])[1:]])


_begin()
