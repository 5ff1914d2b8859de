"""A scan scrambled in all sixteen ways, and which way round it is found to be: `make orientation DATA=scan`.

With the stored probe each is looked for among all sixteen; without it, its class. Writes docs/orientation.md.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from studylib import orientation
from studylib.io.files import write_text
from studylib.io.readers import open_scan
from studylib.orientation import ORIENTATIONS, scrambled

PAGE = Path(__file__).resolve().parents[1] / "docs/orientation.md"


def main() -> None:
    """Scramble and find."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", nargs="+", help="files of one scan, whose own orientation is right")
    scan = open_scan(*parser.parse_args().data)
    rows = []
    for by in ORIENTATIONS:
        wrong, start = scrambled(scan, by), time.perf_counter()
        first, second, *_ = orientation.with_probe(wrong)
        seconds = time.perf_counter() - start
        told = orientation.without_probe(wrong)
        behind = f"{second.loss - first.loss:,.0f} ± {second.standard_error:,.0f}"
        found = "yes" if first.orientation == by else f"no: {first.orientation}"
        in_class = "yes" if by in told.members and told.clear else "no"
        rows.append((str(by), found, behind, in_class, f"{told.curl:.2f}, {told.next_curl:.2f}", f"{seconds:.0f}"))
        print(" | ".join(rows[-1]), flush=True)
    lines = [
        "# Which way round: sixteen scramblings of one scan", "",
        f"Written by `make orientation` from {scan.name}. Its patterns were transposed and flipped, and its positions",
        "negated, in all sixteen ways; *mended by* is what turns them back. With the probe: found as the best of",
        "sixteen short reconstructions, and by how many nats per pattern of counts that were not fitted the next one",
        "is behind. Without: whether its class of four is found and clear, by the curl of the deflections of it and of",
        "the next class.", "",
        "| mended by | found with the probe | next one behind | class found without | curl, next | s, with the probe |",
        "|---|---|---|---|---|---|", *("| " + " | ".join(row) + " |" for row in rows), "",
    ]  # fmt: skip
    write_text(PAGE, "\n".join(lines))


if __name__ == "__main__":
    main()
