"""Spoiled input at length: `make fuzz`; to docs/fuzz.md.

Each way in (tests/fuzz/entries.py) is given so many spoiled files or values by Hypothesis, in a process of its own,
whose largest memory and slowest reading are told. An input that brings out anything but an error of the study ends it
with status 1; Hypothesis keeps it, made as small as it can be, in .hypothesis, and tries it first the next time.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
import warnings
from collections import Counter
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import psutil
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from studylib.errors import StudyError
from studylib.io.files import write_text
from tests.fuzz.entries import ENTRIES, run

PAGE = Path(__file__).resolve().parents[1] / "docs/fuzz.md"


def fuzz(name: str, executions: int, seconds: float, queue: Any) -> None:
    """Feed one way in; put what came out, by kind, into a queue."""
    warnings.simplefilter("ignore")
    entry, out, slowest, most, begin = ENTRIES[name], Counter[str](), 0.0, 0.0, time.monotonic()
    process = psutil.Process()
    with tempfile.TemporaryDirectory() as folder:
        made = entry.made(Path(folder))

        @settings(max_examples=executions, deadline=None, suppress_health_check=list(HealthCheck))
        @given(data=st.data())
        def spoiled(data: Any) -> None:
            nonlocal slowest, most
            if time.monotonic() - begin > seconds:
                raise KeyboardInterrupt
            what, held, peak = data.draw(made), process.memory_info().rss / 2**20, _peak_mib()
            start = time.perf_counter()
            try:
                run(entry, Path(folder), what)
                out["read"] += 1
            except StudyError:
                out["refused"] += 1
            finally:
                slowest = max(slowest, time.perf_counter() - start)
                # Hypothesis remembers what it gave, and grows: only a peak of this one reading counts.
                most = max(most, _peak_mib() - held if _peak_mib() > peak else 0.0)

        with suppress(KeyboardInterrupt):  # the one thing that ends Hypothesis early
            spoiled()
    queue.put(dict(out) | {"slowest": slowest, "mib": most, "seconds": time.monotonic() - begin})


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def page(told: dict[str, dict[str, Any]]) -> str:
    """Return docs/fuzz.md."""
    lines = [
        "# Spoiled input", "",
        "Written by `make fuzz`: files and values that Hypothesis spoiled (tests/fuzz), given to every way in. Nothing",
        "but an error of the study came out. *MiB*: the most memory that one reading took.", "",
        "| way in | executions | read | refused | slowest, s | MiB | s |", "|---" * 7 + "|",
    ]  # fmt: skip
    for name, t in told.items():
        read, refused = t.get("read", 0), t.get("refused", 0)
        cells = [f"{read + refused:,}", f"{read:,}", f"{refused:,}", f"{t['slowest']:.2f}", f"{t['mib']:,.0f}"]
        lines.append(f"| {name} | {' | '.join(cells)} | {t['seconds']:.0f} |")
    return "\n".join([*lines, ""])


def main() -> int:
    """Feed every way in, or those that are named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("entries", nargs="*", default=list(ENTRIES), help=", ".join(ENTRIES))
    parser.add_argument("--executions", type=int, default=200_000)
    parser.add_argument("--seconds", type=float, default=1e9, help="for each way in, at the most")
    options, told, context = parser.parse_args(), {}, get_context("spawn")
    for name in options.entries:
        queue = context.Queue()
        process = context.Process(target=fuzz, args=(name, options.executions, options.seconds, queue))
        process.start()
        process.join()
        if process.exitcode:
            print(f"{name}: ended with status {process.exitcode}", flush=True)
            continue
        told[name] = queue.get()
        print(name, told[name], flush=True)
    if set(told) == set(ENTRIES):
        write_text(PAGE, page(told))
    return int(set(told) != set(options.entries))


if __name__ == "__main__":
    raise SystemExit(main())
