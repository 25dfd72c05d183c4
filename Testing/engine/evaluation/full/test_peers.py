"""Peers see the cases that we see: their geometry is ours, and they find a vertebra that is near."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import peer_descent
import peer_itk
import peer_nanodrr
import pytest
import torch
from peer_descent import Descent, aligned_by_lbfgs
from peer_nanodrr import Camera, PeerVertebra, subject_of

from radgs.drr import VolumeRenderer
from radgs.geometry import RigidTransform, ViewGeometry, Volume, XRayView, unit

SIDE, VOXEL_MM = 40, 1.5
CENTRE = np.array([5.0, -8.0, 12.0])
TRUTH = RigidTransform.from_rotation_vector([0.2, -0.1, 0.15], [12.0, -6.0, 9.0])
#: As far off as clicks are.
OFF = RigidTransform.from_rotation_vector([0.03, -0.04, 0.05], [1.5, -2.0, 1.0])


def off_mm(pose: RigidTransform) -> float:
    """Mean distance from the truth of the ends of three sticks through the body, mm."""
    ends = CENTRE + 15.0 * np.concatenate([np.eye(3), -np.eye(3)])
    return float(np.linalg.norm(pose.apply(ends) - TRUTH.apply(ends), axis=1).mean())


@pytest.fixture(scope="module")
def body() -> Volume:
    """Three unequal ellipsoids in air, 1/mm."""
    index_to_ras = np.diag([VOXEL_MM, VOXEL_MM, VOXEL_MM, 1.0])
    index_to_ras[:3, 3] = CENTRE - (SIDE - 1) / 2 * VOXEL_MM
    at = np.stack(np.meshgrid(*3 * [np.arange(SIDE) - (SIDE - 1) / 2], indexing="ij"), axis=-1) * VOXEL_MM
    array = np.zeros((SIDE, SIDE, SIDE), np.float32)
    for middle, radii in (((0, 0, 0), (14, 10, 9)), ((8, 14, -6), (6, 5, 8)), ((-12, -9, 10), (5, 7, 4))):
        array += 0.03 / (1.0 + np.exp(4 * (np.linalg.norm((at - middle) / radii, axis=-1) - 1.0)))
    return Volume(array.astype(np.float32), index_to_ras)


@pytest.fixture(scope="module")
def views(body: Volume) -> list[XRayView]:
    """Oblique, not upright on each other, at unequal distances."""
    made = []
    at = TRUTH.apply(CENTRE)
    for name, direction, distance in (("AP", (0.1, -1.0, 0.15), 620.0), ("LAT", (0.9, 0.25, -0.1), 540.0)):
        source = at - distance * unit(np.array(direction)) + np.array([6.0, -4.0, 3.0])
        geometry = ViewGeometry(source, np.eye(4), (1, 1)).crop_geometry(at + 2.0, 160.0, 200)
        made.append(XRayView(name, VolumeRenderer(body).render(TRUTH, geometry).numpy(), geometry, "simulated"))
    return made


@pytest.mark.skipif(not peer_itk.HAS_ITK, reason="pip install itk-twoprojectionregistration")
@pytest.mark.parametrize("number", [0, 1])
def test_itk_projects_what_our_ray_caster_projects(body: Volume, views: list[XRayView], number: int) -> None:
    import itk

    search = peer_itk.Search(region_mm=64.0, pixels=16, box_mm=120.0, voxel_mm=1.0)
    gantry = peer_itk.Gantry.of([view.geometry.source_ras for view in views], TRUTH.apply(CENTRE))
    transform = itk.Euler3DTransform[itk.D].New()
    transform.SetComputeZYX(True)
    transform.SetIdentity()
    transform.SetCenter([search.box_mm / 2] * 3)
    projector = peer_itk.projector(transform, gantry, number)
    image = peer_itk.box_image(body, TRUTH, gantry, search)
    projector.SetInputImage(image)
    steps = peer_itk.detector_steps(search)
    pixels = [[(x, y, -gantry.distances[number]) for x in steps] for y in steps]
    drawn = np.array([[projector.Evaluate(list(pixel)) for pixel in row] for row in pixels])
    drawn *= np.linalg.norm(pixels, axis=-1)  # ITK counts a ray's length in lengths from source to pixel
    seen = np.asarray(itk.array_from_image(peer_itk.detector_image(views[number], gantry, number, search)))[0]
    assert seen.max() > 0.5
    assert np.sqrt(np.mean((drawn - seen) ** 2)) < 0.02 * seen.max()


@pytest.mark.skipif(not peer_itk.HAS_ITK, reason="pip install itk-twoprojectionregistration")
def test_itk_finds_a_body_that_is_near(body: Volume, views: list[XRayView]) -> None:
    search = peer_itk.Search(region_mm=80.0, pixels=32, box_mm=90.0, voxel_mm=1.5, step_mm=1.0)
    found = peer_itk.aligned(body, views, OFF @ TRUTH, CENTRE, search)
    assert off_mm(found) < 0.8 < off_mm(OFF @ TRUTH) / 3


@pytest.mark.skipif(not peer_nanodrr.HAS_NANODRR, reason="nanodrr and einops are not installed")
def test_nanodrr_finds_a_body_that_is_near_and_stops_where_nothing_is_gained(
    body: Volume, views: list[XRayView], monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = []
    similarity = peer_nanodrr.similarity
    monkeypatch.setattr(peer_descent, "similarity", lambda *what: steps.append(1) or similarity(*what))
    descent = Descent(region_mm=96.0, pixels=32, samples=64, evaluations=200)
    start = OFF @ TRUTH
    cameras = [Camera.of(view, start.apply(CENTRE), descent.pixels, descent.region_mm) for view in views]
    losses = peer_nanodrr.whole_losses()[:1]
    found = aligned_by_lbfgs(subject_of(body), cameras, start, CENTRE, losses, descent)
    assert off_mm(found) < 1.2 < off_mm(OFF @ TRUTH) / 2
    assert 5 < len(steps) < 100


@pytest.mark.skipif(not peer_nanodrr.HAS_NANODRR, reason="nanodrr and einops are not installed")
def test_nanodrr_finds_a_part_that_moved_against_the_rest(body: Volume, views: list[XRayView]) -> None:
    part = replace(body, array=body.array * (np.arange(SIDE) < SIDE // 2 + 5))
    rest = replace(body, array=body.array - part.array)
    moved = [
        replace(
            view,
            image=VolumeRenderer(rest).render(OFF @ TRUTH, view.geometry).numpy()
            + VolumeRenderer(part).render(TRUTH, view.geometry).numpy(),
        )
        for view in views
    ]
    alone = subject_of(part)
    vertebra = PeerVertebra(subject_of(body), alone, alone, CENTRE, np.zeros((1, 3)))
    start = OFF @ TRUTH
    descent = Descent(region_mm=80.0, pixels=48, samples=64, evaluations=15)
    bare = peer_descent.cameras_about(vertebra, moved, start, descent)
    cameras = peer_descent.before_the_rest(vertebra, bare, start)
    losses = peer_nanodrr.whole_losses()[1:]
    pose = torch.from_numpy(start.matrix).float()
    whole = peer_nanodrr.drawn(vertebra.whole, bare[0], pose)
    assert torch.allclose(peer_nanodrr.drawn(alone, cameras[0], pose), whole, atol=0.02 * float(whole.max()))
    found = aligned_by_lbfgs(alone, cameras, start, CENTRE, losses, descent)
    assert off_mm(found) < 0.8 < off_mm(start) / 3
