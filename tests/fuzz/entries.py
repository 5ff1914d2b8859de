"""Every way in: good input, how it is spoiled, and what reads it. Only StudyError may come out."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from studylib import planner
from studylib.changes import changed, read_changes
from studylib.design import StudyDesign, check_dose, check_replicate
from studylib.evidence import checksums, index, verify, writer
from studylib.io import dataset
from studylib.io.files import write_json
from studylib.io.readers import open_here
from studylib.run import removal, study
from studylib.run.hub import Hub
from studylib.run.parameters import Run
from studylib.samples import load_base
from tests.asymmetric import N, probe, scan_of, specimen
from tests.fuzz.mutations import VALUES, archives, documents, edits, spoil
from tests.unit.fake_hub import fabricate

SETTINGS = b"[map]\ntv = 0.4\ncoarse = [4, 8]\n[sample]\nscan_step = 4.0\n[pinn.grouping]\ngridsize = 2\n"
FORMATS = Path(__file__).resolve().parents[1] / "formats"
DOCS = Path(__file__).resolve().parents[2] / "docs"


@dataclass(frozen=True)
class Entry:
    """A way in.

    Attributes
    ----------
    name
        Of the file that is given.
    made
        From a folder to the strategy of what is given: bytes or text of the file, or a value.
    read
        Is given the file, or the value where there is no name.
    """

    made: Callable[[Path], st.SearchStrategy]
    read: Callable[[Any], Any]
    name: str = ""


def _scan() -> dict[str, np.ndarray]:
    told = scan_of(1000).take(np.arange(24))
    places = {"xcoords": told.positions[:, 0], "ycoords": told.positions[:, 1]}
    return {"diff3d": told.counts.astype(np.uint16), "probeGuess": probe(), "mask": np.ones((N, N), bool), **places}


def _data_set(folder: Path) -> dict[str, np.ndarray]:
    path = dataset.save(folder / "good.npz", scan_of(1000).take(np.arange(24)), specimen())
    with np.load(path) as members:
        return dict(members)


def _formats(name: str) -> Callable[[Path], st.SearchStrategy]:
    return lambda folder: edits.map(lambda how: spoil((FORMATS / name).read_bytes(), how))


def _one_spoiled(good: dict[str, bytes]) -> st.SearchStrategy:
    """From the files of a folder to those files with one spoiled: its bytes, or values of its JSON."""
    texts = {name: json.loads(content) for name, content in good.items() if name.endswith(".json")}

    def spoiled(name: str) -> st.SearchStrategy:
        content = edits.map(lambda how: spoil(good[name], how))
        if name in texts:
            content = st.one_of(content, documents(texts[name]).map(_bytes))
        return content.map(lambda made: (name, made))

    return st.sampled_from(sorted(good)).flatmap(spoiled)


def _files(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", errors="surrogateescape")


def _spoiled_folder(make: Callable[[Path], Any]) -> Callable[[Path], st.SearchStrategy]:
    """From what makes a folder to the strategy of the folder with one of its files spoiled, the others restored."""

    def made(above: Path) -> st.SearchStrategy:
        folder = above / "good"
        make(folder)
        good = _files(folder)

        def placed(change: tuple[str, bytes]) -> Path:
            for name in set(_files(folder)) - set(good):
                (folder / name).unlink()
            for name, content in (good | dict([change])).items():
                if not (folder / name).is_file() or (folder / name).read_bytes() != content:
                    (folder / name).parent.mkdir(parents=True, exist_ok=True)
                    (folder / name).write_bytes(content)
            return folder

        return _one_spoiled(good).map(placed)

    return made


def _zarr(folder: Path) -> None:
    import zarr

    group = zarr.open_group(folder, mode="w")
    for name, array in _scan().items():
        group.create_array(name, data=array)


def _hub(folder: Path) -> None:
    scan = scan_of(1000).take(np.arange(4))
    hub = fabricate(folder, scan, specimen(), splits=("test",))
    writer.write_evidence(hub, 1000, "dense", ["test"])
    write_json(hub / "plan/run.json", Run(splits=("test",)).model_dump(mode="json"))
    verify.report(hub)
    checksums.sign(hub)


def _use_hub(folder: Path) -> None:
    """Do what commands do with a hub that they find: list it, read its plan, verify it, say what is to be deleted."""
    hub = Hub(folder)
    index.row(hub, folder.parent)
    removal.made(hub, study.study_of(hub))
    verify.verify(hub)


def _response() -> Any:
    told = json.loads((DOCS / "response/samples/thick.json").read_text(encoding="utf-8"))
    return {name: value[:2] if isinstance(value, list) else value for name, value in told.items()}


def _look(scan: Any) -> None:
    """Use what a study uses of a scan."""
    scan.missing(), scan.far_field_doubt()
    if scan.patterns is not None:
        scan.counts(slice(0, 2))


def _setting(word: str) -> None:
    changed(StudyDesign.for_profile("smoke"), read_changes([word]))


_words = st.sampled_from(
    ("map.tv", "map.coarse", "pinn.grouping.gridsize", "sample.scan_step", "ptychi.step", "seeds.sample", "x")
)
ENTRIES: dict[str, Entry] = {
    "base": Entry(lambda f: archives({"probeGuess": probe(), "objectGuess": specimen((160, 176))}), load_base, "a.npz"),
    "scan NPZ": Entry(lambda f: archives(_scan()), lambda path: _look(open_here(path)), "a.npz"),
    "data set": Entry(lambda f: archives(_data_set(f)), dataset.load_scan, "a.npz"),
    "CXI": Entry(_formats("cdtools.cxi"), lambda path: _look(open_here(path)), "a.cxi"),
    "ptychodus product": Entry(_formats("ptychodus_product.h5"), lambda path: _look(open_here(path)), "a.h5"),
    "ptychodus diffraction": Entry(_formats("ptychodus_diffraction.h5"), lambda p: _look(open_here(p)), "a.h5"),
    "ptyr": Entry(_formats("ptypy.ptyr"), lambda path: _look(open_here(path)), "a.ptyr"),
    "response": Entry(lambda f: documents(_response()), lambda path: planner.read_responses([path]), "a.json"),
    "Zarr": Entry(_spoiled_folder(_zarr), lambda folder: _look(open_here(folder))),
    "hub": Entry(_spoiled_folder(_hub), _use_hub),
    "settings file": Entry(
        lambda f: edits.map(lambda how: spoil(SETTINGS, how)),
        lambda path: changed(StudyDesign.for_profile("smoke"), read_changes(file=path)), "a.toml",
    ),
    "dose": Entry(lambda f: st.one_of(st.sampled_from(VALUES), st.text(max_size=8)), check_dose),
    "replicate": Entry(lambda f: st.one_of(st.sampled_from(VALUES), st.text(max_size=8)), check_replicate),
    "setting": Entry(
        lambda f: st.builds(
            lambda name, value: f"{name}={value}", st.one_of(_words, st.text(max_size=12)),
            st.one_of(st.sampled_from(VALUES).map(json.dumps), st.text(max_size=12)),
        ),
        _setting,
    ),
}  # fmt: skip


def run(entry: Entry, folder: Path, given: Any) -> None:
    """Give an entry some input."""
    if entry.name:
        path = folder / entry.name
        path.write_bytes(given if isinstance(given, bytes) else _bytes(given))
        given = path
    entry.read(given)
