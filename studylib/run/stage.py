"""A stage: one notebook with its parameters, the files that it reads and writes, and the resources that it needs."""

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
        1 to 8: the banner under which it runs.
    name
        Stem of the executed notebook's file name, unique in a hub.
    notebook
        Stem of the source notebook's file name.
    parameters
        Parameters of the notebook, by name.
    inputs, outputs, log
        Hub-relative POSIX paths.
    threads
        Threads with which it computes, wherever it runs. Two stages of one thread do more than one stage of two.
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
    """Hub in which the stage runs, relative to the folder of the study."""
    source: str = ""
    """Hub in which this stage runs for all conditions that share it; its files are then linked from there. Empty for a
    stage that runs itself."""

    def at(self, hub: str, source: str = "") -> Stage:
        """Return the stage in a hub of the study.

        Parameters
        ----------
        hub
            Hub, relative to the folder of the study.
        source
            Hub from which the files are linked; empty where the stage runs in `hub` itself.
        """
        return replace(self, hub=hub, source=source)

    @property
    def needs(self) -> list[str]:
        """Files that the stage reads, relative to the folder of the study."""
        # A linked stage depends on the files that it links, not on the inputs that made them.
        if self.source:
            return [posixpath.normpath(f"{self.source}/{name}") for name in self.outputs]
        return [self.under(name) for name in self.inputs]

    def under(self, name: str) -> str:
        """Return a hub-relative path relative to the folder of the study."""
        return posixpath.normpath(f"{self.hub}/{name}")

    @property
    def resources(self) -> Resources:
        """Memory, time and GPUs for which the stage asks."""
        measured = self.parameters.get("sample") == MEASURED
        return resources(self.notebook, str(self.parameters.get("profile", "laptop")), measured)

    @property
    def key(self) -> str:
        """Name that no other stage of the study has."""
        return self.under(self.name)

    @property
    def rule(self) -> str:
        """Name of the stage's rule in the graph."""
        return self.key.replace("-", "_").replace(".", "_").replace("/", "__")

    @property
    def executed(self) -> str:
        """Hub-relative path of the executed notebook."""
        return f"notebooks/{self.name}.ipynb"

    @property
    def part(self) -> str:
        """Hub-relative path of the executed notebook while papermill writes it."""
        return f"notebooks/.{self.name}.part.ipynb"

    def command(self, python: str, notebooks: str, root: str = ".", executed: str = "") -> str:
        """Return the shell command of the stage: papermill, or the links of a stage that is shared.

        Parameters
        ----------
        python
            Python interpreter.
        notebooks
            Folder of the source notebooks.
        root
            Folder of the study, as seen from where the command runs.
        executed
            Where papermill writes the notebook; the usual place when empty.
        """
        if self.source:
            return self._link(root)
        hub = posixpath.normpath(f"{root}/{self.hub}")
        executed = executed or posixpath.normpath(f"{hub}/{self.executed}")
        words = [python, "-m", "papermill", f"{notebooks}/{self.notebook}.ipynb", executed]
        words += ["--kernel", "python3", "--no-progress-bar", "--log-output"]
        for name, value in (self.parameters | {"hub": hub}).items():
            # papermill takes a value of -r as it is, and guesses the type of a value of -p.
            words += ["-r" if isinstance(value, str) else "-p", name, str(value)]
        return shlex.join(words)

    def _link(self, root: str) -> str:
        """Return the shell command that takes over the files that the stage left in another hub.

        Data become relative symbolic links. Hard links would share their time with the original, and Snakemake changes
        that time. The executed notebook and the stamp are copied.

        Parameters
        ----------
        root
            Folder of the study, as seen from where the command runs.
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
