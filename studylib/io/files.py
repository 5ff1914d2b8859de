"""Write files so that they are whole or absent: under a temporary name first, then renamed."""

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
from typing import Any, BinaryIO, TypeVar

from pydantic import BaseModel, ValidationError

from studylib.errors import InputError, StageError

Model = TypeVar("Model", bound=BaseModel)

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Error numbers of a full disk, a full quota and a limit on the size of files."""


@contextlib.contextmanager
def writing(path: str | Path, mode: str = "wb") -> Iterator[Any]:
    """Open a file that appears under its name only when the block ends without an error.

    Parameters
    ----------
    path
        The file to write; missing folders are made.
    mode
        As for `open`; text is UTF-8.

    Yields
    ------
    The open file, under a temporary name in the same folder

    Raises
    ------
    StageError
        The path is a symbolic link, which would itself be replaced instead of its target; or the disk is full. An
        earlier file of that name stays as it was.
    """
    path = Path(path)
    if path.is_symlink():
        raise StageError(f"{path.name} is a link, and a link is not written through")
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix)
    try:
        with os.fdopen(handle, mode, encoding=None if "b" in mode else "utf-8") as file:
            yield file
            # The content must be on the disk before the new name is: a crash must not leave an empty file behind it.
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)  # mkstemp lets nobody else read it
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
    except BaseException:  # also when the user interrupts
        Path(temporary).unlink(missing_ok=True)
        raise


def write_text(path: str | Path, text: str) -> Path:
    """Write a text file in UTF-8, whole or not at all.

    Parameters
    ----------
    path
        The file to write.
    text
        Its content.

    Returns
    -------
    Path
        `path`.
    """
    with writing(path, "w") as file:
        file.write(text)
    return Path(path)


def write_json(path: str | Path, content: object) -> Path:
    """Write JSON that every reader accepts, whole or not at all.

    Parameters
    ----------
    path
        The file to write.
    content
        What `json.dumps` accepts, without NaN and infinity.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    ValueError
        A number is NaN or infinite, which JSON does not know.
    """
    return write_text(path, json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False) + "\n")


def write_with(path: str | Path, save: Callable[[BinaryIO], object]) -> Path:
    """Write a binary file with a function that takes the open file, whole or not at all.

    Parameters
    ----------
    path
        The file to write.
    save
        Writes the content to the open binary file.

    Returns
    -------
    Path
        `path`.
    """
    with writing(path) as file:
        save(file)
    return Path(path)


def read_json(path: str | Path, remedy: str) -> Any:
    """Read a JSON file.

    Parameters
    ----------
    path
        The file.
    remedy
        What the error message tells the user to do.

    Returns
    -------
    The content, as `json.loads` returns it

    Raises
    ------
    InputError
        There is no such file, or it does not hold JSON.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError("file", path.name, "an existing JSON file", remedy)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:  # not JSON, not UTF-8, or nested without end
        raise InputError("file", path.name, f"valid JSON ({error})", remedy) from error


def read_model(path: str | Path, kind: type[Model], remedy: str) -> Model:
    """Read a JSON file into a model that checks it.

    Parameters
    ----------
    path
        The file.
    kind
        A pydantic model.
    remedy
        What the error message tells the user to do.

    Returns
    -------
    An instance of `kind`

    Raises
    ------
    InputError
        There is no such file, it does not hold JSON, or its content does not fit the model. The message names the
        first field that does not.
    """
    try:
        return kind.model_validate(read_json(path, remedy))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the whole"
        raise InputError(f"{where} in {Path(path).name}", first["input"], first["msg"], remedy) from error


def write_table(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Write rows as CSV, whole or not at all.

    Parameters
    ----------
    path
        The file to write.
    rows
        One dictionary per row, with the keys of the first one; None becomes an empty field.

    Returns
    -------
    Path
        `path`.

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
    """Return the end of a text file.

    Parameters
    ----------
    path
        The file.
    size
        Largest number of bytes.

    Returns
    -------
    str
        The text, empty if there is no such file; bytes that are not UTF-8 become a replacement character.
    """
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - size))
        return file.read().decode("utf-8", errors="replace")


def is_complete(log: Path) -> bool:
    """Return whether the log of a stage ends with the word `complete`, which a stage writes when it succeeds."""
    return tail(log, 20).split()[-1:] == ["complete"]


def read_table(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file, each a dictionary of texts by column; an empty list if there is no file yet."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
