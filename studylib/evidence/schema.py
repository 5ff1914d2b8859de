"""Models of the JSON artefacts, from which the published JSON Schemas are made."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

UtcTime = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")]
RelativePath = Annotated[str, StringConstraints(pattern=r"^(?!/)(?!.*\\)(?!.*(^|/)\.\.(/|$))(?![A-Za-z]:).+$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Number = Annotated[float, Field(allow_inf_nan=False)]


class Strict(BaseModel):
    """Unknown fields are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, regex_engine="python-re")


class ChannelDelta(Strict):
    """PtychoPINN - other, by channel; null where a job gave no number."""

    amplitude: Number | None
    phase: Number | None


class MetricDeltas(Strict):
    """Deltas against one other model."""

    ms_ssim: ChannelDelta
    mae: ChannelDelta


class ArmStatus(Strict):
    """What became of an arm: ok, or why its scores are not compared."""

    status: Literal["ok", "did not learn", "contrast out of bounds"]
    reason: str


class Deltas(Strict):
    """Deltas against both others (STUDY-001)."""

    vs_Baseline: MetricDeltas
    vs_PtyChi: MetricDeltas


class Provenance(Strict):
    """Where the deltas come from."""

    schema_version: str
    study: str
    git_commit: str | None
    git_dirty: bool | None
    python: str
    platform: str
    packages: dict[str, str]
    processors: list[str]
    threads: dict[str, int]
    """That every stage computed with."""
    backend: Literal["torch", "tensorflow"]
    device: str
    seeds: dict[str, int]
    sample: str
    """Built-in, or the file name of the base."""
    dose: int
    view: str
    splits: list[str]
    parameters: dict[str, dict[str, Any]]
    """Of every stage, seeds and the name of an arm's code (algorithm) among them."""
    settings: dict[str, dict[str, Any]]
    """Of every stage that trained or reconstructed: the settings, and where they come from."""
    inputs: dict[RelativePath, Sha256]
    stage_seconds: dict[str, Number]
    commands_document: RelativePath


class DeltaSummary(Strict):
    """analysis/metrics_delta_summary.json."""

    generated_at: UtcTime
    source_metrics: RelativePath
    deltas_split: str
    deltas: Deltas
    deltas_by_split: dict[str, Deltas]
    deltas_by_arm: dict[str, dict[str, MetricDeltas]]
    """PtychoPINN - other for every arm beside the two of `deltas`, by split and by the arm's name."""
    status: dict[str, dict[str, ArmStatus]]
    """Whether each arm learned, by split and by the arm's name."""
    provenance: Provenance
