"""A vertebra moved by T registers back to T."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from radgs.geometry import RigidTransform, ViewGeometry, XRayView, mean_distance, unit
from radgs.refine import Estimate, Observation, Refinement, Refiner, RelativePrior, Resolution, refine
from radgs.refine.whole_ct import POOR_START, align_whole
from radgs.simulation import XRayPhysics
from radgs.vertebra import VertebraAnatomy

pytestmark = pytest.mark.slow

Poses = dict[str, RigidTransform]
TakeXRays = Callable[..., tuple[XRayView, ...]]
OffBy = Callable[[float, float], RigidTransform]


@pytest.fixture(scope="module")
def apart_views(take_xrays: TakeXRays, moved_apart: Poses) -> tuple[XRayView, ...]:
    return take_xrays(moved_apart)


@pytest.fixture(scope="module")
def refined_apart(apart_views: tuple[XRayView, ...], phantom_vertebra: VertebraAnatomy, off_by: OffBy) -> Refinement:
    return refine(apart_views, phantom_vertebra, off_by(10.0, 8.0))


def error(pose: RigidTransform, truth: RigidTransform, vertebra: VertebraAnatomy) -> float:
    """MTRE in mm."""
    return mean_distance(vertebra.surface, pose, truth)


def test_a_spine_moved_as_a_whole_registers_back(
    take_xrays: TakeXRays, rigid_poses: Poses, phantom_vertebra: VertebraAnatomy, truth: RigidTransform, off_by: OffBy
) -> None:
    start = off_by(10.0, 8.0)
    found = refine(take_xrays(rigid_poses), phantom_vertebra, start)
    assert error(start, truth, phantom_vertebra) > 7.0
    assert error(found.ct_to_world, truth, phantom_vertebra) < 0.3
    assert found.final.correlation.min() > 0.9
    assert not found.restarted


def test_a_vertebra_among_moved_neighbours_registers_back(
    refined_apart: Refinement, phantom_vertebra: VertebraAnatomy, truth: RigidTransform
) -> None:
    """The rigid CT lands elsewhere; letting the parts move apart finds the vertebra."""
    assert error(refined_apart.ct_to_world, truth, phantom_vertebra) < 0.3
    assert error(refined_apart.whole.poses[0], truth, phantom_vertebra) > 0.3


def test_the_neighbours_and_the_tissue_are_found_too(
    refined_apart: Refinement, phantom_vertebra: VertebraAnatomy, moved_apart: Poses
) -> None:
    for name, found in zip(("L3", "", "L2", "L4"), refined_apart.final.poses, strict=True):
        assert error(found, moved_apart[name], phantom_vertebra) < 1.5, name


def test_refinement_tells_where_it_stands(apart_views: tuple[XRayView, ...], refined_apart: Refinement) -> None:
    assert refined_apart.observation.images.shape == (2, 128, 128)
    assert refined_apart.final.correlation.shape == (2,)
    assert np.linalg.eigvalsh(refined_apart.final.information).min() > 0


def test_gain_and_offset_of_the_images_do_not_matter(
    apart_views: tuple[XRayView, ...], phantom_vertebra: VertebraAnatomy, off_by: OffBy
) -> None:
    changed = [
        replace(view, image=(gain * view.image + offset).astype(np.float32))
        for view, gain, offset in zip(apart_views, (0.5, 1.8), (2.0, -1.0), strict=True)
    ]
    first, again = (align_whole(views, phantom_vertebra, off_by(10.0, 8.0))[0] for views in (apart_views, changed))
    assert error(again.poses[0], first.poses[0], phantom_vertebra) < 0.02


def test_scatter_and_noise_cost_little_and_are_owned_up_to(
    take_xrays: TakeXRays,
    moved_apart: Poses,
    refined_apart: Refinement,
    phantom_vertebra: VertebraAnatomy,
    truth: RigidTransform,
    off_by: OffBy,
) -> None:
    """With a third of scatter and a few quanta behind the patient the error stays small; the covariance grows."""
    dim = refine(take_xrays(moved_apart, XRayPhysics(photons=2.0e4)), phantom_vertebra, off_by(10.0, 8.0))
    assert error(dim.ct_to_world, truth, phantom_vertebra) < 0.8
    clean, noisy = (np.sqrt(np.diag(np.linalg.inv(r.final.information))) for r in (refined_apart, dim))
    assert (noisy > 1.5 * clean).all()
    assert noisy.max() < 1.5


def test_a_poor_start_sends_alignment_to_other_starts(
    take_xrays: TakeXRays, moved_apart: Poses, phantom_vertebra: VertebraAnatomy, truth: RigidTransform, off_by: OffBy
) -> None:
    """From 35 degrees about this axis the given start alone ends at another optimum, 14 mm away."""
    views = take_xrays(moved_apart, XRayPhysics())
    turned = truth.rotated_about(truth.apply(phantom_vertebra.centre), np.radians(35.0) * unit([0.27, -0.75, -0.6]))
    aligned, restarted = align_whole(views, phantom_vertebra, turned)
    assert restarted
    assert aligned.correlation.min() > POOR_START
    assert error(aligned.poses[0], truth, phantom_vertebra) < 1.5


@pytest.mark.parametrize("axis", [(0.19, -0.2, 0.96), (0.27, -0.75, -0.6)])
def test_a_start_said_to_be_far_off_is_looked_for_farther_off(
    axis: tuple[float, float, float],
    take_xrays: TakeXRays,
    moved_apart: Poses,
    phantom_vertebra: VertebraAnatomy,
    truth: RigidTransform,
) -> None:
    """From 45 degrees a click's other starts all end 14 mm away and more."""
    views = take_xrays(moved_apart, XRayPhysics())
    turned = truth.rotated_about(truth.apply(phantom_vertebra.centre), np.radians(45.0) * unit(axis))
    aligned, restarted = align_whole(views, phantom_vertebra, turned, start_sigma_mm=40.0)
    assert restarted
    assert error(aligned.poses[0], truth, phantom_vertebra) < 1.5


def test_a_start_that_leads_home_is_kept(
    take_xrays: TakeXRays, rigid_poses: Poses, phantom_vertebra: VertebraAnatomy, truth: RigidTransform, off_by: OffBy
) -> None:
    aligned, restarted = align_whole(take_xrays(rigid_poses), phantom_vertebra, off_by(20.0, 5.0))
    assert error(aligned.poses[0], truth, phantom_vertebra) < 0.3
    assert not restarted


def part_of(view: XRayView, columns: int) -> XRayView:
    """The view with its image cut off on the right."""
    image = np.ascontiguousarray(view.image[:, :columns])
    geometry = ViewGeometry(view.geometry.source_ras, view.geometry.detector_to_ras, (image.shape[0], columns))
    return XRayView(view.name, image, geometry)


def test_what_lies_outside_the_image_never_matters(
    take_xrays: TakeXRays, rigid_poses: Poses, phantom_vertebra: VertebraAnatomy, truth: RigidTransform, off_by: OffBy
) -> None:
    centre = truth.apply(phantom_vertebra.centre)
    cut = [part_of(view, 115) for view in take_xrays(rigid_poses)]
    observed = Observation.around(cut, centre, 128.0, 64)
    outside = observed.valid < 0.5
    assert 0.3 < float(outside.float().mean()) < 0.6
    junk = observed.images.clone()
    junk[outside] = 50.0 * torch.rand(int(outside.sum()), generator=torch.Generator().manual_seed(0))

    whole = (phantom_vertebra.whole_part.sampled_every(4.0),)
    resolutions = [Resolution(sigma_mm, 10, surround_weight=0.15, dilation_mm=6.0) for sigma_mm in (8.0, 5.0, 3.0)]
    found = []
    for images in (observed.images, junk):
        refiner = Refiner(replace(observed, images=images), whole, centre, silhouette=phantom_vertebra.vertebra_part)
        found.append(refiner.run(Estimate([off_by(8.0, 5.0)]), resolutions).poses[0])
    assert error(found[0], truth, phantom_vertebra) < 0.5
    assert error(found[1], found[0], phantom_vertebra) < 1e-4


def test_an_observation_is_centred_on_the_vertebra_and_knows_its_edges(
    take_xrays: TakeXRays, rigid_poses: Poses, phantom_vertebra: VertebraAnatomy, truth: RigidTransform
) -> None:
    centre = truth.apply(phantom_vertebra.centre)
    views = take_xrays(rigid_poses)
    observed = Observation.around([part_of(views[0], 96), views[1]], centre, 128.0, 64)
    assert observed.images.shape == observed.valid.shape == (2, 64, 64)
    assert observed.pixel_mm == 2.0
    assert bool((observed.valid[1] == 1).all())
    assert 0.2 < float(observed.valid[0].mean()) < 0.8
    for geometry in observed.geometries:
        np.testing.assert_allclose(geometry.project(centre), [31.5, 31.5], atol=1e-6)


def test_a_binned_observation_is_the_coarser_one(
    take_xrays: TakeXRays, rigid_poses: Poses, phantom_vertebra: VertebraAnatomy, truth: RigidTransform
) -> None:
    centre = truth.apply(phantom_vertebra.centre)
    views = take_xrays(rigid_poses)
    cut = [part_of(views[0], 96), views[1]]
    binned, coarse = Observation.around(cut, centre, 128.0, 64).binned(2), Observation.around(cut, centre, 128.0, 32)
    assert binned.pixel_mm == coarse.pixel_mm
    for ours, theirs in zip(binned.geometries, coarse.geometries, strict=True):
        np.testing.assert_allclose(ours.detector_to_ras, theirs.detector_to_ras, atol=1e-9)
        assert ours.shape == theirs.shape
    np.testing.assert_allclose(binned.valid, coarse.valid, atol=0.25)
    everywhere = (binned.valid == 1) & (coarse.valid == 1)
    assert float((binned.images - coarse.images)[everywhere].abs().max()) < 0.05 * float(coarse.images.max())


def test_the_prior_decides_how_far_bodies_may_come_apart(
    apart_views: tuple[XRayView, ...], phantom_vertebra: VertebraAnatomy, truth: RigidTransform
) -> None:
    centre = truth.apply(phantom_vertebra.centre)
    observed = Observation.around(apart_views, centre, 128.0, 64)
    parts = (
        phantom_vertebra.vertebra_part,
        phantom_vertebra.surroundings_part.sampled_every(4.0),
        *(part.sampled_every(3.0) for part in phantom_vertebra.neighbour_parts),
    )
    strayed = []
    for shift_mm in (0.01, 1.2):
        refiner = Refiner(observed, parts, centre, RelativePrior(shift_mm / 30.0, shift_mm))
        found = refiner.run(Estimate([truth] * 4), [Resolution(4.0, 4, surround_weight=0.15, dilation_mm=5.0)]).poses
        strayed.append([error(pose, found[0], phantom_vertebra) for pose in found[1:]])
    assert max(strayed[0]) < 0.1
    assert min(strayed[1]) > 0.5
