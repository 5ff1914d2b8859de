"""A SLURM of one node on the loopback interface, from Debian's packages slurm-wlm and munge."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import until

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue")
CONFIGURATION = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={node}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
KillWait=5
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=16000 State=UNKNOWN
PartitionName=debug Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def _wait(what: str, ready: Callable[[], bool], folder: Path, seconds: float = 30) -> None:
    if not until(ready, seconds):
        logs = "\n".join(path.read_text(errors="replace")[-2000:] for path in folder.glob("*.log"))
        raise RuntimeError(f"{what} did not come up:\n{logs}")


@pytest.fixture(scope="session")
def slurm(tmp_path_factory) -> Iterator[dict[str, str]]:
    """Start munged, slurmctld and slurmd; yield the environment in which sbatch finds them."""
    missing = [name for name in PROGRAMS if shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin") is None]
    if missing:
        pytest.skip(f"Debian's packages slurm-wlm and munge are missing ({', '.join(missing)})")
    if os.getuid() != 0:
        pytest.skip("slurmctld and slurmd are started as root")
    folder = tmp_path_factory.mktemp("slurm")
    for name in ("state", "spool"):
        (folder / name).mkdir()
    key = folder / "munge.key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o400)
    configuration = folder / "slurm.conf"
    configuration.write_text(
        CONFIGURATION.format(
            host=socket.gethostname().partition(".")[0], folder=folder, controller=_free_port(), node=_free_port(),
            cpus=os.cpu_count(),
        )
    )  # fmt: skip
    # A cluster has its configuration in /etc; this one is told, also within jobs, which lose all SLURM_ variables.
    step = folder / "srun"
    step.write_text(f'#!/bin/sh\nSLURM_CONF={configuration} exec {shutil.which("srun")} "$@"\n')
    step.chmod(0o755)
    path = f"{folder}:{os.environ['PATH']}:/usr/sbin"
    environment = {"SLURM_CONF": str(configuration), "PATH": path}
    munge = [
        f"--{name}={folder}/munge.{end}"
        for name, end in (
            ("key-file", "key"), ("socket", "socket"), ("pid-file", "pid"), ("log-file", "log"), ("seed-file", "seed"),
        )
    ]  # fmt: skip
    commands = (
        ["munged", "--foreground", "--force", *munge], ["slurmctld", "-D"], ["slurmd", "-D"],
    )  # fmt: skip
    daemons: list[subprocess.Popen] = []

    def answers() -> bool:
        told = subprocess.run(
            ["sinfo", "--noheader", "--format=%T"],
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | environment,
        )
        return told.stdout.strip() in ("idle", "mixed", "allocated")

    try:
        for command in commands:
            with (folder / f"{command[0]}.out.log").open("w") as log:
                daemons.append(
                    subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=os.environ | environment)
                )
            if command[0] == "munged":
                _wait("munged", (folder / "munge.socket").exists, folder)
        _wait("slurmd", answers, folder)
        yield environment
    finally:
        for daemon in reversed(daemons):
            daemon.terminate()
            try:
                daemon.wait(timeout=10)
            except subprocess.TimeoutExpired:
                daemon.kill()
