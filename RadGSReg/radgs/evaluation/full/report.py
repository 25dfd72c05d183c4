"""The full benchmark's report: what was reached of the plan, accuracy, peers, curves, and how to make it again."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from radgs.case import VERDICTS
from radgs.evaluation.benchmark import GOOD_MM, HARMFUL_MM, benchmark_dict, is_silent_failure
from radgs.evaluation.full.capture import Point, by_start_deg, by_start_mm, found
from radgs.evaluation.full.curves import (
    NEAR_MM,
    STAGES,
    by_value,
    capture_section,
    curve_section,
    errors_mm,
    percent,
    ranges_of,
)
from radgs.evaluation.full.plan import CohortPlan, FullPlan
from radgs.evaluation.full.records import FullTrial, PeerTrial, TrialKey
from radgs.evaluation.full.voxel_grid import GridRecord, grid_section
from radgs.evaluation.report import Additions, write_report
from radgs.evaluation.tables import table
from radgs.io.json_fields import null_for_nan

TITLE = "The evidence: registration of simulated X-rays, all of it"


def write_full_report(
    plan: FullPlan,
    trials: Sequence[FullTrial],
    peers: Sequence[PeerTrial],
    grids: Sequence[GridRecord],
    folder: Path,
    runs: Sequence[Mapping[str, Any]],
) -> Path:
    """Writes report.md, report.html, benchmark.json and plots of whatever part of the plan is there.

    Args:
        plan: The benchmark.
        trials: At least one; of cohorts that the plan knows.
        peers: Others on the same cases.
        grids: Voxel grids.
        folder: Where.
        runs: What made the trials: commands, commits, hours.

    Returns:
        Path of the report.md.
    """
    by_cohort = {name: [one for one in trials if one.planned.cohort == name] for name in plan.cohorts}
    there = {name: members for name, members in by_cohort.items() if members}
    plain = [one.trial for name, members in there.items() if plan.cohorts[name].kind == "clicks" for one in members]
    shown = plain or [one.trial for one in trials]
    sections = []
    for name, members in there.items():
        cohort, picture = plan.cohorts[name], folder / f"{name.replace('-', '_')}.png"
        if cohort.kind == "pose":
            sections.append(capture_section(cohort, members, picture))
        elif cohort.values:
            sections.append(curve_section(cohort, members, picture))
    before = (
        short_section(plan, there),
        reached_section(plan, there, peers),
        runs_section(runs, trials, peers),
    )
    after = (peers_section(trials, peers), *sections, grid_section(grids))
    additions = Additions(
        tuple(part for part in before if part),
        tuple(part for part in after if part),
        _members(plan, there, peers, grids),
        len(trials) - len(shown),
    )
    return write_report(shown, folder, TITLE, None, additions)


def short_section(plan: FullPlan, there: Mapping[str, Sequence[FullTrial]]) -> str:
    """A row for every kind of CT in every cohort, and in every world where there are several."""
    groups: dict[str, list[FullTrial]] = {}
    for name, members in there.items():
        apart = plan.cohorts[name].kind == "clicks"
        for one in members:
            what = one.planned.world if apart else name
            groups.setdefault(f"{one.trial.cohort}, {what}", []).append(one)
    rows = []
    for words, members in groups.items():
        errors = errors_mm(members)
        below = [str(int((errors < limit).sum())) for limit in (GOOD_MM, HARMFUL_MM)]
        verdicts = [one.trial.verdict for one in members]
        given = " / ".join(str(verdicts.count(verdict)) for verdict in VERDICTS)
        silent = sum(is_silent_failure(one.trial) for one in members)
        rows.append(
            [words, str(len(members)), f"{np.median(errors):.2f}", f"{errors.max():.2f}", *below, given, str(silent)]
        )
    headings = ["mTRE in mm", "n", "median", "worst", "< 1 mm", "< 2 mm", " / ".join(VERDICTS), "accepted beyond 2 mm"]
    return "\n\n".join(["## In short", table(headings, rows)])


def reached_section(plan: FullPlan, there: Mapping[str, Sequence[FullTrial]], peers: Sequence[PeerTrial]) -> str:
    """How many of the planned trials there are."""
    planned = plan.trials()
    rows = []
    for name, cohort in plan.cohorts.items():
        of = sum(one.cohort == name for one in planned)
        members = there.get(name, ())
        patients, vertebrae = ({getattr(one.trial, what) for one in members} for what in ("patient", "vertebra"))
        of_peers = sum(one.planned.cohort == name for one in peers)
        rows.append(
            [name, cohort.kind, f"{len(members)} of {of}", str(len(patients)), str(len(vertebrae)), str(of_peers)]
        )
    total = sum(len(members) for members in there.values())
    rows.append(["all", "", f"{total} of {len(planned)}", "", "", str(len(peers))])
    headings = ["cohort", "kind", "trials that there are, of the plan", "patients", "vertebrae", "of peers"]
    note = (
        "" if total >= len(planned) else "Not all of the plan has been run: the same command goes on where it stopped."
    )
    return "\n\n".join(part for part in ("## What was run", table(headings, rows), note) if part)


def runs_section(runs: Sequence[Mapping[str, Any]], trials: Sequence[FullTrial], peers: Sequence[PeerTrial]) -> str:
    """Commands, commits and hours."""
    rows = [
        [
            f"`{run['command']}`",
            run["commit"] or "-",
            str(run["trials"]),
            f"{run['cpu_hours']:.2f}",
            f"{run['hours']:.2f}",
        ]
        for run in runs
    ]
    ours = sum(one.cpu_seconds for one in trials) / 3600
    theirs = sum(one.cpu_seconds for one in peers) / 3600
    note = f"Processor hours, by the trials' own logs: {ours:.2f} of ours, {theirs:.2f} of peers'."
    parts = ["## Made by"]
    if rows:
        parts.append(table(["command", "commit", "new trials", "processor hours", "hours"], rows))
    return "\n\n".join([*parts, note])


def peers_section(trials: Sequence[FullTrial], peers: Sequence[PeerTrial]) -> str:
    """Every peer against ours, and against the paper's chain alone, on the very cases that the peer was given."""
    rows = []
    ours = {one.key: one for one in trials}
    groups: dict[tuple[str, str], dict[str, list[PeerTrial]]] = {}
    for one in peers:
        groups.setdefault((one.planned.cohort, one.planned.world), {}).setdefault(one.peer, []).append(one)
    for (cohort, world), by_peer in groups.items():
        told: set[frozenset[TrialKey]] = set()
        for peer, members in by_peer.items():
            rows.append([cohort, world, peer, *_error_cells([one.mtre_mm for one in members]), _seconds(members)])
            cases = frozenset((one.planned, one.seed) for one in members)
            if cases not in told:
                rows += _ours_rows(cohort, world, [ours[case] for case in sorted(cases, key=repr) if case in ours])
            told.add(cases)
    if not rows:
        return ""
    headings = ["cohort", "world", "way", "n", "< 2 mm", "< 1 mm", "median mTRE, mm", "worst", "processor s, median"]
    note = (
        "On the same images, from the same clicks, unless it says from where. Ours and the paper's chain alone (with "
        "generic networks: Kabsch, RegM) are given for exactly the cases that the peer was given. Our seconds include "
        "simulating the case and, once for each vertebra, preparing it; the peers' are registration alone."
    )
    return "\n\n".join(["## Peers", note, table(headings, rows)])


def _ours_rows(cohort: str, world: str, members: Sequence[FullTrial]) -> list[list[str]]:
    rows = []
    for stage, words in STAGES.items():
        refined = stage == "refined"
        errors = [one.trial.mtre_mm if refined else one.trial.stages_mm.get(stage, math.nan) for one in members]
        seconds = _seconds(members) if refined else ""
        rows.append([cohort, world, f"{words}, on the cases above", *_error_cells(errors), seconds])
    return rows


def _error_cells(errors_mm: Sequence[float]) -> list[str]:
    errors = np.array([math.inf if math.isnan(error) else error for error in errors_mm])
    if not errors.size:
        return ["0", "-", "-", "-", "-"]
    counts = [Point(0.0, limit, errors.size, int((errors < limit).sum())) for limit in (HARMFUL_MM, 1.0)]
    return [str(errors.size), *map(percent, counts), f"{np.median(errors):.2f}", f"{errors.max():.2f}"]


def _seconds(trials: Sequence[PeerTrial] | Sequence[FullTrial]) -> str:
    return f"{np.median([one.cpu_seconds for one in trials]):.0f}" if trials else "-"


def _members(
    plan: FullPlan,
    there: Mapping[str, Sequence[FullTrial]],
    peers: Sequence[PeerTrial],
    grids: Sequence[GridRecord],
) -> dict[str, Any]:
    """What benchmark.json holds beside the accuracy's trials: curves, capture ranges, peers, grids, and every trial."""
    curves, ranges = {}, {}
    for name, members in there.items():
        cohort = plan.cohorts[name]
        if cohort.kind == "pose":
            ranges[name] = _ranges(cohort, members)
            curves[name] = {"all": _points(by_start_mm(members, cohort.start))}
        elif cohort.values:
            kinds = sorted({one.trial.cohort for one in members})
            curves[name] = {
                kind: _points(by_value(cohort, [one for one in members if one.trial.cohort == kind])) for kind in kinds
            }
    made: dict[str, Any] = {
        "seed": plan.seed,
        "curves": curves,
        "capture_ranges": ranges,
        "peers": {"trials": [one.to_json_dict() for one in peers]},
        "voxel_grids": [{**asdict(one), "peak_mib": null_for_nan(one.peak_mib)} for one in grids],
        "trials": [one.to_json_dict() for members in there.values() for one in members],
    }
    plain = [one.trial for name, members in there.items() if plan.cohorts[name].kind == "clicks" for one in members]
    if plain:
        made |= _summary_with_capture(plan, there, benchmark_dict(plain))
    return made


def _summary_with_capture(
    plan: FullPlan, there: Mapping[str, Sequence[FullTrial]], benchmark: dict[str, Any]
) -> dict[str, Any]:
    """The headline's summary with the capture range of the same kind of CT, where there is one."""
    summary = dict(benchmark["summary"])
    for name, members in there.items():
        if plan.cohorts[name].kind == "pose" and {one.trial.cohort for one in members} == {benchmark["summary_of"]}:
            in_mm, in_deg = ranges_of(plan.cohorts[name], members)
            summary |= {"capture_mm": in_mm.limit, "capture_deg": in_deg.limit}
    return {"summary": summary}


def _ranges(cohort: CohortPlan, members: Sequence[FullTrial]) -> dict[str, Any]:
    in_stages = {stage: ranges_of(cohort, members, stage) for stage in STAGES}
    near = [one for one in members if one.trial.start_mm < NEAR_MM]
    return {
        "by_stage": {
            stage: {"mm": asdict(in_mm), "deg": asdict(in_deg)} for stage, (in_mm, in_deg) in in_stages.items()
        },
        "by_rotation": _points(by_start_deg(near, cohort.start)),
        "found": sum(found(one) for one in members),
        "n": len(members),
    }


def _points(points: Sequence[Point]) -> list[dict[str, Any]]:
    return [{**asdict(one), "interval": list(one.interval)} for one in points]
