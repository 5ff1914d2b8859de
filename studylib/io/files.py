"""Files that are whole or absent: written under another name, then renamed."""

from __future__ import annotations

import contextlib
import csv
import errno
import io
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from studylib.errors import InputError, StageError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What a full disk, a full quota or a limit on the size of files says."""


@contextlib.contextmanager
def writing(path: str | Path, mode: str = "wb") -> Iterator[Any]:
    """Open a file that appears under its name only when the block ends without an error.

    Raises
    ------
    StageError
        The name is a link: it would be replaced, not its target; or the disk is full: what was there stays.
    """
    path = Path(path)
    if path.is_symlink():
        raise StageError(f"{path.name} is a link, and a link is not written through")
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix)
    try:
        with os.fdopen(handle, mode, encoding=None if "b" in mode else "utf-8") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as error:
        written = Path(temporary).stat().st_size if Path(temporary).exists() else 0
        Path(temporary).unlink(missing_ok=True)
        if error.errno not in FULL:
            raise
        free = shutil.disk_usage(path.parent).free
        raise StageError(
            f"{path.name}: the disk is full ({error.strerror}): {written:,} bytes of it were written, {free:,} are "
            f"free in {path.parent}; what was there before is as it was; make room and repeat the command"
        ) from error
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_text(path: str | Path, text: str) -> Path:
    """Write a text file, whole or not at all."""
    with writing(path, "w") as file:
        file.write(text)
    return Path(path)


def write_json(path: str | Path, content: object) -> Path:
    """Write JSON that any reader accepts: NaN and infinity are refused with ValueError."""
    return write_text(path, json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False) + "\n")


def write_with(path: str | Path, save: Callable[[BinaryIO], object]) -> Path:
    """Write a binary file through a function that takes the open file."""
    with writing(path) as file:
        save(file)
    return Path(path)


def read_json(path: str | Path, remedy: str) -> Any:
    """Read JSON.

    Raises
    ------
    InputError
        Absent or not JSON.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError("file", path.name, "an existing JSON file", remedy)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:  # no JSON, no UTF-8, or nested without end
        raise InputError("file", path.name, f"valid JSON ({error})", remedy) from error


def write_table(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Write rows as CSV; None is an empty field.

    Raises
    ------
    StageError
        There is no row.
    """
    if not rows:
        raise StageError(f"{path.name} would have no rows")
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return write_text(path, buffer.getvalue())


def tail(path: Path, size: int = 2000) -> str:
    """Return the end of a text file, empty if there is none."""
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - size))
        return file.read().decode("utf-8", errors="replace")


def is_complete(log: Path) -> bool:
    """Return whether a stage's log ends in the word `complete`, which is written when the stage succeeded."""
    return tail(log, 20).split()[-1:] == ["complete"]


def read_table(path: Path) -> list[dict[str, str]]:
    """Read the rows of a CSV; none when there is no file yet."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
