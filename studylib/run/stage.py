"""A stage: one notebook with its parameters, the files it reads and writes, and what it needs of a machine."""

from __future__ import annotations

import posixpath
import shlex
from dataclasses import dataclass, replace

from studylib.design import MEASURED
from studylib.run import paths
from studylib.run.resources import Resources, resources


@dataclass(frozen=True)
class Stage:
    """One notebook with its parameters.

    Attributes
    ----------
    phase
        1..8, the banner under which it runs.
    name
        Stem of the executed notebook.
    notebook
        Stem of the source notebook.
    inputs, outputs, log
        Hub-relative POSIX paths.
    threads
        Threads it computes with, wherever it runs: two stages of one thread do more than one of two.
    """

    phase: int
    name: str
    notebook: str
    parameters: dict[str, str | int]
    inputs: list[str]
    outputs: list[str]
    log: str
    threads: int = 1
    hub: str = "."
    """The hub in which it runs, relative to the folder of the study."""
    source: str = ""
    """The hub in which the same stage runs for all conditions that share it; its files are then linked from there."""

    def at(self, hub: str, source: str = "") -> Stage:
        """Return the stage in a hub of its own, its files linked from another one when that is named."""
        return replace(self, hub=hub, source=source)

    @property
    def needs(self) -> list[str]:
        """Return what it reads, relative to the folder of the study."""
        if self.source:
            return [posixpath.normpath(f"{self.source}/{name}") for name in self.outputs]
        return [self.under(name) for name in self.inputs]

    def under(self, name: str) -> str:
        """Return a path of its hub relative to the folder of the study."""
        return posixpath.normpath(f"{self.hub}/{name}")

    @property
    def resources(self) -> Resources:
        """Return memory, time and GPUs that it asks for."""
        measured = self.parameters.get("sample") == MEASURED
        return resources(self.notebook, str(self.parameters.get("profile", "laptop")), measured)

    @property
    def key(self) -> str:
        """Return a name that no other stage of the study has."""
        return self.under(self.name)

    @property
    def rule(self) -> str:
        """Return the name of its rule in the graph."""
        return self.key.replace("-", "_").replace(".", "_").replace("/", "__")

    @property
    def executed(self) -> str:
        """Return the executed notebook."""
        return f"notebooks/{self.name}.ipynb"

    @property
    def part(self) -> str:
        """Return the executed notebook while it is being written."""
        return f"notebooks/.{self.name}.part.ipynb"

    def command(self, python: str, notebooks: str, root: str = ".", executed: str = "") -> str:
        """Return the papermill command, to be run in the folder of the study, or where `root` names that folder."""
        if self.source:
            return self._link(root)
        hub = posixpath.normpath(f"{root}/{self.hub}")
        executed = executed or posixpath.normpath(f"{hub}/{self.executed}")
        words = [python, "-m", "papermill", f"{notebooks}/{self.notebook}.ipynb", executed]
        words += ["--kernel", "python3", "--no-progress-bar", "--log-output"]
        for name, value in (self.parameters | {"hub": hub}).items():
            words += ["-r" if isinstance(value, str) else "-p", name, str(value)]
        return shlex.join(words)

    def _link(self, root: str) -> str:
        """Return the shell command that takes over what the stage left in another hub.

        Data as relative symbolic links: hard ones share their time with the original, and Snakemake sets that anew.
        """
        here, there = (posixpath.normpath(f"{root}/{hub}") for hub in (self.hub, self.source))
        stamp = paths.stamp(self.name)
        folders = sorted({posixpath.dirname(f"{here}/{name}") for name in (*self.outputs, self.executed, stamp)})
        words = [["mkdir", "-p", *folders]]
        for name in self.outputs:
            target = posixpath.relpath(f"{there}/{name}", posixpath.dirname(f"{here}/{name}"))
            words.append(["ln", "-sfn", target, f"{here}/{name}"])
        words += [["cp", f"{there}/{name}", f"{here}/{name}"] for name in (self.executed, stamp)]
        words.append(["echo", "shared by the conditions of", self.source])
        return " && ".join(map(shlex.join, words))
