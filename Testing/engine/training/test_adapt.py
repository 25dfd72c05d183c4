"""Adaptation to real X-rays, end to end on a few that are simulated and whose poses are told or kept from it."""

from __future__ import annotations

from dataclasses import replace
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from radgs.case import LevelResult, RegistrationCase, RegistrationResult
from radgs.cli import app
from radgs.errors import CaseError, InputFileError
from radgs.io.transforms import write_transform
from radgs.networks import PreparedFor, load_generic, load_networks
from radgs.simulation import ArticulatedAnatomy, Exposure, SimulationSettings, simulate_case
from radgs.simulation.worlds import WORLDS
from radgs.training.adapt import adapt, unexplained
from radgs.training.adaptation_cases import AdaptationCase, read_adaptation_cases
from radgs.training.batches import PairSource, TrainingBatch
from radgs.training.pairs import PairBank
from radgs.training.trainer import Trainer, TrainingSettings
from radgs.training.training_vertebra import TrainingVertebra
from radgs.training.xray_source import VertebraOnXRays, XRaySource


def case_of(anatomy: ArticulatedAnatomy, number: int) -> RegistrationCase:
    """X-rays of a world that no network was trained in."""
    settings = SimulationSettings(detector_pixels=160, world=WORLDS["mixture"])
    return simulate_case(anatomy, "L3", np.random.default_rng([11, number]), settings)


@pytest.fixture(scope="module")
def cases(phantom_anatomy: ArticulatedAnatomy) -> list[RegistrationCase]:
    return [case_of(phantom_anatomy, number) for number in range(2)]


def test_crops_with_a_pose_know_what_crops_show(cases: list[RegistrationCase], vertebra: TrainingVertebra) -> None:
    """The vertebra's own image correlates with the X-ray where the pose says that it is, at every shift of the crop."""
    case = cases[0]
    clean = simulated_without_noise(case)
    shown = VertebraOnXRays(
        "a L3", clean.views, case.truth["L3"].apply(vertebra.frame_to_ct.translation), vertebra, case.truth["L3"]
    )
    source = XRaySource([shown], 64, seed=2, crops=3)
    assert len(source) == 3
    assert len(source.centred) == 1
    for number in range(3):
        batch = source._batches[number]
        assert isinstance(batch, TrainingBatch)
        rotation, translation = (part[0].double().numpy() for part in batch.pose)
        np.testing.assert_allclose(rotation, case.truth["L3"].rotation @ vertebra.frame_to_ct.rotation, atol=1e-5)
        assert np.linalg.norm(translation) <= (8.1 if number else 1e-3)
        for view in range(2):
            xray, image = batch.views.images[0, view], batch.images[0, view]
            assert float(torch.corrcoef(torch.stack([xray.flatten(), image.flatten()]))[0, 1]) > 0.98


def simulated_without_noise(case: RegistrationCase) -> RegistrationCase:
    """The case's views, showing the vertebra alone as the CT's own voxels project it."""
    from radgs.case import Level
    from radgs.drr import VolumeRenderer
    from radgs.vertebra import SeparatedCT

    level: Level = case.level("L3")
    excess = VolumeRenderer(SeparatedCT.around(case.ct, case.labels, level.label).excess[level.label])
    with torch.no_grad():
        images = [excess.render(case.truth["L3"], view.geometry).numpy() for view in case.views]
    return replace(case, views=tuple(replace(view, image=i) for view, i in zip(case.views, images, strict=True)))


def test_a_model_of_another_ct_is_not_adapted(cases: list[RegistrationCase], tmp_path: Path) -> None:
    base = replace(load_generic(), prepared_for=PreparedFor("L3", (0.0, 0.0, 0.0), "another"))
    with pytest.raises(InputFileError, match=r"can be learned from.*another CT"):
        adapt([AdaptationCase("a", cases[0])], base, tmp_path / "a.radgs.safetensors")


def test_a_bone_without_an_anatomical_frame_is_not_learned_from(small_case: RegistrationCase, tmp_path: Path) -> None:
    """The networks place every voxel in a vertebra's frame; another bone has none."""
    with pytest.raises(InputFileError, match="can be learned from"):
        adapt([AdaptationCase("block", small_case)], load_generic(), tmp_path / "a.radgs.safetensors")


def saved_result(case: RegistrationCase, folder: Path, verdict: str) -> Path:
    """A case in a folder, and beside it a result with its true pose."""
    path = case.save(folder / "case")
    pose, sha256 = case.truth["L3"], RegistrationCase.load(path).sha256
    level = LevelResult(pose, verdict, {"surface_p95": 0.4}, stages={"refined": pose})  # type: ignore[arg-type]
    RegistrationResult({"L3": level}, case_sha256=sha256, case=str(path)).save(folder / "result")
    return folder / "result"


def test_accepted_poses_and_given_transforms_are_known_and_no_truth_is(
    cases: list[RegistrationCase], tmp_path: Path
) -> None:
    accepted = saved_result(cases[0], tmp_path / "one", "accept")
    doubtful = saved_result(cases[1], tmp_path / "two", "check")
    alone = tmp_path / "two" / "case" / "case.json"
    known, unknown, plain = read_adaptation_cases([accepted, doubtful / "result.json", alone], {})
    np.testing.assert_allclose(known.poses["L3"].matrix, cases[0].truth["L3"].matrix, atol=1e-9)
    assert not unknown.poses
    assert "its verdict is check" in unknown.told[0]
    assert not plain.poses
    write_transform(tmp_path / "pose.tfm", cases[1].truth["L3"])
    (given,) = read_adaptation_cases([alone], {"L3": tmp_path / "pose.tfm"})
    np.testing.assert_allclose(given.poses["L3"].matrix, cases[1].truth["L3"].matrix, atol=1e-6)
    with pytest.raises(CaseError, match="no level L9"):
        read_adaptation_cases([alone], {"L9": tmp_path / "pose.tfm"})
    with pytest.raises(InputFileError, match="2 cases"):
        read_adaptation_cases([alone, alone], {"L3": tmp_path / "pose.tfm"})


@pytest.mark.slow
def test_a_model_is_adapted_from_the_command_line(cases: list[RegistrationCase], tmp_path: Path) -> None:
    """One case with a pose, one without; the adapted model is another one than its base, and says what it saw."""
    accepted = saved_result(cases[0], tmp_path / "one", "accept")
    alone = cases[1].save(tmp_path / "two")
    out = tmp_path / "adapted.radgs.safetensors"
    with as_file(files("radgs").joinpath("data", "models", "generic_compact.radgs.safetensors")) as base:
        given = [str(accepted), str(alone), "--base", str(base), "--out", str(out), "--minutes", "0.3"]
        done = CliRunner().invoke(app, ["train", "adapt", *given])
    assert done.exit_code == 0, done.output
    assert "unexplained" in done.stdout
    adapted, generic = load_networks(out), load_generic()
    assert adapted.prepared_for is None
    assert adapted.record["stage"] == "adapted"
    assert (adapted.record["vertebrae"], adapted.record["labelled"]) == (2, 1)
    assert adapted.record["base"]["stage"] == "generic"
    assert 0.0 < adapted.record["unexplained"]["after"] < 1.0
    assert adapted.record["steps"] >= 1
    losses = adapted.record["history"][-1]
    assert {"occupancy", "volume"} <= set(losses)
    weights = [torch.cat([w.flatten() for w in one.recm.parameters()]) for one in (adapted, generic)]
    assert 0.0 < float((weights[0] - weights[1]).norm() / weights[1].norm()) < 0.2
    assert not (tmp_path / "adapted.radgs.safetensors.work").exists()


@pytest.mark.slow
def test_real_x_rays_alone_bring_down_what_is_left_unexplained(
    cases: list[RegistrationCase], vertebra: TrainingVertebra, pairs: PairBank
) -> None:
    """What is descended goes down, without any pose, in a number of steps that does not depend on the machine."""
    case, networks = cases[0], load_generic()
    centre = case.triangulated_centre("L3")
    assert centre is not None
    real = XRaySource([VertebraOnXRays("a L3", case.views, centre, vertebra)], 64, crops=1)
    settings = TrainingSettings(
        batch=1, replicas=1, learning_rate=1e-3, warm_up_steps=3, validate_every_seconds=1e9, validation_pairs=1
    )
    before = unexplained(networks, [(1.0, real)])
    held_out = PairSource([pairs], 64, Exposure())
    trainer = Trainer(networks, real, held_out, settings, 1.0, seed=1, budget_steps=20)
    trainer.run_steps(lambda progress: None, lambda accuracy: None)
    after = unexplained(networks, [(1.0, real)])
    assert trainer.steps == 20
    assert set(trainer.history[-1]) >= {"reprojection"}
    assert after < 0.9 * before
