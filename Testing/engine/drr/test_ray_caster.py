"""Line integrals through volumes: against chords known by heart, against nanodrr, and their derivative in the pose."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import peer_nanodrr
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import gaussian_filter, map_coordinates

from radgs import kernels
from radgs.drr import SOFT_TISSUE, WATER, VolumeRenderer, attenuation_from_hu
from radgs.drr.compiled_ray_caster import CompiledRayCaster
from radgs.gaussians import RadiativeGaussians, splat_with_pose_jacobian
from radgs.geometry import RigidTransform, ViewGeometry, Volume, XRayView, unit
from radgs.phantom import make_spine
from radgs.vertebra.separation import split_parts

HERE = RigidTransform.identity()
#: A pose in which nothing is aligned with anything.
OBLIQUE = RigidTransform.from_rotation_vector([0.4, -0.3, 0.5], [25.0, -10.0, 15.0])


@pytest.fixture(autouse=True, scope="module", params=["PyTorch", "compiled"])
def form(request: pytest.FixtureRequest) -> Iterator[str]:
    """Everything holds for both forms of the ray caster."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(kernels.VARIABLE, "off" if request.param == "PyTorch" else "on")
        if request.param == "compiled":
            pytest.importorskip("numba", reason="numba is not installed: pip install 'radgs[fast]'")
            assert CompiledRayCaster.get() is not None
        yield request.param


turns = arrays(np.float64, 3, elements=st.floats(-1.7, 1.7))
spacings = arrays(np.float64, 3, elements=st.floats(0.9, 1.5))
shifts = arrays(np.float64, 3, elements=st.floats(-40.0, 40.0))


def view(
    direction: tuple[float, float, float], at: np.ndarray, size_mm: float = 70.0, pixels: int = 24
) -> ViewGeometry:
    """A view along ``direction`` on a point 600 mm from the source, the virtual detector through that point."""
    source = np.asarray(at) - 600.0 * unit(direction)
    return ViewGeometry(source, np.eye(4), (1, 1)).crop_geometry(at, size_mm, pixels)


def further(geometry: ViewGeometry, times: float) -> ViewGeometry:
    """The detector moved away from the source, every pixel along its own ray."""
    detector_to_ras = geometry.detector_to_ras.copy()
    detector_to_ras[:3, :2] *= times
    detector_to_ras[:3, 3] = geometry.source_ras + times * (detector_to_ras[:3, 3] - geometry.source_ras)
    return ViewGeometry(geometry.source_ras, detector_to_ras, geometry.shape)


def placed(turn: np.ndarray, spacing: np.ndarray, left_handed: bool = False) -> np.ndarray:
    """An index_to_ras, turned, anisotropic, and mirrored if asked."""
    steps = np.diag([*spacing[:2], -spacing[2] if left_handed else spacing[2], 1.0])
    return RigidTransform.from_rotation_vector(turn, [12.0, -40.0, 7.0]).matrix @ steps


def voxel_centres(shape: tuple[int, int, int], index_to_ras: np.ndarray) -> np.ndarray:
    """(D, H, W, 3) RAS mm."""
    k, j, i = np.indices(shape)
    return Volume(np.zeros(shape), index_to_ras).to_ras(np.stack([i, j, k], axis=-1))


def ball(index_to_ras: np.ndarray, shape: tuple[int, int, int], radius: float) -> tuple[Volume, np.ndarray]:
    """A ball of water in the middle of the grid, its border blurred over a voxel, and its centre."""
    spacing = np.linalg.norm(index_to_ras[:3, :3], axis=0)
    centre = Volume(np.zeros(shape), index_to_ras).to_ras((np.array(shape[::-1]) - 1) / 2)
    distance = np.linalg.norm(voxel_centres(shape, index_to_ras) - centre, axis=-1)
    inside = np.clip((radius - distance) / spacing.max() + 0.5, 0.0, 1.0)
    return Volume((WATER * inside).astype(np.float32), index_to_ras), centre


def chord_through_ball(geometry: ViewGeometry, centre: np.ndarray, radius: float) -> np.ndarray:
    """(H, W) mm of each ray inside a ball."""
    offset = geometry.source_ras - centre
    along = geometry.pixel_directions @ offset
    half = np.sqrt(np.maximum(along**2 - offset @ offset + radius**2, 0.0))
    return 2.0 * half.reshape(geometry.shape)


def chord_through_box(geometry: ViewGeometry, volume: Volume, pose: RigidTransform) -> np.ndarray:
    """(H, W) mm of each ray inside the volume's voxels, which reach half a voxel beyond their centres."""
    to_index = np.linalg.inv(volume.index_to_ras) @ pose.inverse().matrix
    origin = to_index[:3, :3] @ geometry.source_ras + to_index[:3, 3]
    direction = geometry.pixel_directions @ to_index[:3, :3].T
    low, high = (-0.5 - origin) / direction, (np.array(volume.size) - 0.5 - origin) / direction
    near = np.maximum(np.minimum(low, high).max(axis=1), 0.0)
    far = np.maximum(low, high).min(axis=1)
    return np.maximum(far - near, 0.0).reshape(geometry.shape)


def blobs() -> tuple[Volume, RadiativeGaussians]:
    """Three smooth blobs, one of them negative, on a turned anisotropic left-handed grid; nothing at its border.

    Their line integrals and derivatives are known exactly.
    """
    index_to_ras = placed(np.array([0.2, 0.5, -0.3]), np.array([1.0, 1.2, 1.5]), left_handed=True)
    shape = (56, 70, 84)
    points = torch.from_numpy(voxel_centres(shape, index_to_ras))
    means = points.reshape(-1, 3).mean(dim=0) + torch.tensor([[0.0, 0.0, 0.0], [9.0, -6.0, 4.0], [-8.0, 7.0, 9.0]])
    sigmas, densities = torch.tensor([7.0, 6.0, 6.0]).double(), torch.tensor([0.02, 0.015, -0.01]).double()
    gaussians = RadiativeGaussians(
        means, sigmas.log()[:, None].expand(3, 3), torch.tensor([[1.0, 0.0, 0.0, 0.0]]).double().expand(3, 4), densities
    )
    squared = (points[..., None, :] - means).square().sum(dim=-1) / sigmas**2
    array = (densities * torch.exp(-0.5 * squared)).sum(dim=-1)
    return Volume(array.float().numpy(), index_to_ras), gaussians


def test_hounsfield_units_are_read_on_waters_scale() -> None:
    np.testing.assert_allclose(attenuation_from_hu([-1000, 0, 40, 1000]), [0.0, 0.02, 0.0208, 0.04], atol=1e-9)
    assert attenuation_from_hu(-3000) == 0.0
    assert attenuation_from_hu(np.nan) == 0.0
    assert attenuation_from_hu(np.zeros(2, dtype=np.int16)).dtype == np.float32
    assert pytest.approx(float(attenuation_from_hu(40))) == SOFT_TISSUE


@settings(deadline=None, max_examples=15)
@given(turns, spacings, st.booleans(), turns, shifts)
def test_a_ball_casts_its_chords_in_any_orientation_and_pose(
    turn: np.ndarray, spacing: np.ndarray, left_handed: bool, pose_turn: np.ndarray, shift: np.ndarray
) -> None:
    shape = tuple(np.ceil(56.0 / spacing[::-1]).astype(int))
    volume, centre = ball(placed(turn, spacing, left_handed), shape, radius=22.0)
    pose = RigidTransform.from_rotation_vector(pose_turn, shift)
    geometry = view((0.3, -0.9, 0.2), pose.apply(centre), size_mm=56.0, pixels=16)
    lengths = VolumeRenderer(volume).render(pose, geometry).numpy() / WATER
    expected = chord_through_ball(geometry, pose.apply(centre), 22.0)
    # Voxels of 1.5 mm round the ball's edge off: up to 1.4 % of a chord, however finely rays are sampled.
    np.testing.assert_allclose(lengths[expected > 30.0], expected[expected > 30.0], rtol=0.02)
    assert lengths.sum() == pytest.approx(expected.sum(), rel=0.02)


@pytest.mark.parametrize("left_handed", [False, True])
def test_a_box_casts_the_length_between_its_faces(left_handed: bool) -> None:
    """Voxels reach half a spacing beyond their centres: rays through two opposite faces measure the box exactly."""
    index_to_ras = placed(np.array([0.2, -0.1, 0.3]), np.array([0.8, 1.5, 2.0]), left_handed)
    volume = Volume(np.full((20, 24, 50), WATER, dtype=np.float32), index_to_ras)
    centre = OBLIQUE.apply(volume.to_ras([24.5, 11.5, 9.5]))
    across = OBLIQUE.rotation @ index_to_ras[:3, 1] + OBLIQUE.rotation @ [0.25, 0.0, 0.15]
    geometry = view(tuple(across), centre, size_mm=12.0)
    expected = chord_through_box(geometry, volume, OBLIQUE)
    assert expected.min() > 36.0
    np.testing.assert_allclose(VolumeRenderer(volume).render(OBLIQUE, geometry).numpy() / WATER, expected, rtol=2e-4)


def test_a_ray_that_starts_inside_counts_from_the_source_on() -> None:
    volume = Volume(np.full((60, 60, 60), WATER, dtype=np.float32), np.eye(4))
    source = np.array([30.0, 20.0, 31.0])
    geometry = further(ViewGeometry(source, np.eye(4), (1, 1)).crop_geometry(source + [1.0, 30.0, 2.0], 10.0, 8), 50.0)
    expected = chord_through_box(geometry, volume, HERE)
    assert 39.0 < expected.min() < expected.max() < 42.0
    np.testing.assert_allclose(VolumeRenderer(volume).render(HERE, geometry).numpy() / WATER, expected, rtol=0.01)


def test_rays_that_miss_the_volume_see_nothing() -> None:
    volume, centre = ball(np.eye(4), (40, 40, 40), 12.0)
    renderer = VolumeRenderer(volume)
    beside = view((0.0, 1.0, 0.0), centre + [200.0, 0.0, 0.0])
    behind = view((0.0, 1.0, 0.0), centre + [0.0, 800.0, 0.0])
    for geometry in (beside, behind):
        image, jacobian = renderer.render_with_jacobian(HERE, geometry, centre)
        assert not image.any()
        assert not jacobian.any()
        assert not renderer.render(HERE, geometry).any()
    partly = renderer.render(HERE, view((0.0, 1.0, 0.0), centre + [30.0, 0.0, 0.0])).numpy()
    assert (partly[:, -10:] == 0).all()
    assert partly[12, :5].max() > 0.1


def test_where_the_detector_stands_along_the_rays_does_not_matter() -> None:
    renderer = VolumeRenderer(blobs()[0])
    near = view((0.2, -1.0, 0.1), OBLIQUE.apply([12.0, -40.0, 7.0]))
    at_depth = renderer.render(OBLIQUE, near)
    for times in (0.3, 1.8):
        torch.testing.assert_close(renderer.render(OBLIQUE, further(near, times)), at_depth, rtol=0, atol=1e-5)


def test_a_crop_is_rendered_as_the_full_detector_sees_it() -> None:
    renderer, pose = VolumeRenderer(blobs()[0]), OBLIQUE
    middle = pose.apply(volume_centre(blobs()[0]))
    full = further(view((0.2, -1.0, 0.1), middle, size_mm=160.0, pixels=320), 1.6)
    seen = XRayView("AP", renderer.render(pose, full).numpy(), full)
    crop, valid = seen.crop(middle + [8.0, 3.0, -6.0], 60.0, 60)
    assert (valid == 1).all()
    virtual = renderer.render(pose, crop.geometry).numpy()
    np.testing.assert_allclose(crop.image, virtual, atol=0.01 * virtual.max())


def test_line_integrals_are_linear_in_the_volume() -> None:
    first, _ = blobs()
    second = Volume(np.random.default_rng(0).random(first.array.shape, dtype=np.float32), first.index_to_ras)
    mixed = Volume(2.0 * first.array - 0.5 * second.array, first.index_to_ras)
    geometry = view((1.0, 0.2, 0.1), OBLIQUE.apply(volume_centre(first)))
    images = [VolumeRenderer(v).render(OBLIQUE, geometry) for v in (first, second, mixed)]
    torch.testing.assert_close(images[2], 2.0 * images[0] - 0.5 * images[1], rtol=1e-4, atol=1e-4)


def test_a_volume_is_mirrored_in_a_plane_of_its_own() -> None:
    """Mirrored across its rows, it is the same as with its rows stored the other way round."""
    volume, _ = blobs()
    index_to_ras = volume.index_to_ras
    normal = unit(np.linalg.inv(index_to_ras[:3, :3])[1])
    mirrored = VolumeRenderer(volume).mirrored(volume_centre(volume), normal)
    turned = VolumeRenderer(Volume(volume.array[:, ::-1].copy(), index_to_ras))
    geometry = view((0.3, 0.8, -0.4), OBLIQUE.apply(volume_centre(volume)))
    expected = turned.render(OBLIQUE, geometry)
    torch.testing.assert_close(mirrored.render(OBLIQUE, geometry), expected, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(VolumeRenderer(volume).render(OBLIQUE, geometry), expected, rtol=0.01)


def test_coarser_steps_change_a_smooth_volumes_image_little() -> None:
    renderer = VolumeRenderer(blobs()[0])
    geometry = view((1.0, 0.2, 0.1), OBLIQUE.apply(volume_centre(blobs()[0])))
    fine, coarse = renderer.render(OBLIQUE, geometry), renderer.sampled_every(4.0).render(OBLIQUE, geometry)
    assert float((fine - coarse).abs().max()) < 5e-3 * float(fine.abs().max())
    assert not torch.equal(fine, coarse)


def test_smooth_blobs_have_the_image_and_the_derivative_that_analysis_gives() -> None:
    volume, gaussians = blobs()
    middle = OBLIQUE.apply(volume_centre(volume))
    centre, geometry = middle + [10.0, -5.0, 8.0], view((0.4, -0.8, 0.3), middle)
    image, jacobian = VolumeRenderer(volume).render_with_jacobian(OBLIQUE, geometry, centre)
    exact_image, exact = splat_with_pose_jacobian(gaussians, geometry, centre, OBLIQUE)
    assert float((image - exact_image).abs().max()) < 0.01 * float(exact_image.abs().max())
    for axis in range(6):  # what is interpolated has a slope of steps, from voxel to voxel: its image has, a blob's not
        assert float((jacobian[axis] - exact[axis]).norm()) < 0.06 * float(exact[axis].norm()), axis
        assert float((jacobian[axis] - exact[axis]).abs().max()) < 0.12 * float(exact[axis].abs().max()), axis


@pytest.mark.parametrize("what", ["blobs", "noise", "bone"])
def test_the_jacobian_is_the_exact_derivative_of_what_is_interpolated(what: str) -> None:
    """Central differences in double precision of the same samples, moved across their rays.

    Where single precision puts a sample on the other side of a voxel's face, its slope is another one: rays through
    noise show it.
    """
    volume = {"blobs": blobs()[0], "noise": noise_without_faces(), "bone": bone()}[what]
    middle = OBLIQUE.apply(volume_centre(volume))
    centre, geometry = middle + [10.0, -5.0, 8.0], view((1.0, 0.1, 0.2), middle)
    image, jacobian = VolumeRenderer(volume).render_with_jacobian(OBLIQUE, geometry, centre)
    exact_image, exact = interpolated(volume, OBLIQUE, geometry, centre)
    assert np.linalg.norm(image.numpy() - exact_image) < 3e-5 * np.linalg.norm(exact_image)
    for axis in range(6):
        difference = np.linalg.norm(jacobian[axis].numpy() - exact[axis])
        assert difference < (1e-3 if what == "noise" else 3e-5) * np.linalg.norm(exact[axis]), axis


def test_where_a_ct_ends_there_is_no_slope_across_its_faces() -> None:
    """A block of one density moves without a change as far as its faces are no anatomy."""
    volume = Volume(np.full((20, 24, 30), WATER, dtype=np.float32), placed(np.array([0.2, -0.1, 0.3]), np.ones(3)))
    middle = OBLIQUE.apply(volume_centre(volume))
    image, jacobian = VolumeRenderer(volume).render_with_jacobian(OBLIQUE, view((1.0, 0.1, 0.2), middle), middle)
    assert float(image.max()) > 0.4
    assert float(jacobian.abs().max()) < 1e-5


@pytest.mark.parametrize("what", ["blobs", "bone"])
def test_the_jacobian_is_how_the_image_changes_in_all_six_motions(what: str) -> None:
    """Seen at the scale of 3 mm: in steps of a millimetre an image of bone is rougher than its derivative."""
    volume = blobs()[0] if what == "blobs" else bone()
    renderer = VolumeRenderer(volume).sampled_every(1.0)
    middle = OBLIQUE.apply(volume_centre(volume))
    centre, geometry = middle + [10.0, -5.0, 8.0], view((1.0, 0.1, 0.2), middle, size_mm=100.0, pixels=100)
    image, jacobian = renderer.render_with_jacobian(OBLIQUE, geometry, centre)
    torch.testing.assert_close(image, renderer.render(OBLIQUE, geometry), rtol=0, atol=1e-5)
    for axis in range(6):
        analytic, numeric = (
            gaussian_filter(values.numpy(), 3.0).ravel()
            for values in (jacobian[axis], central_difference(renderer, geometry, centre, axis))
        )
        agreement = analytic @ numeric / np.linalg.norm(analytic) / np.linalg.norm(numeric)
        assert agreement > 0.99, axis
        assert np.linalg.norm(analytic) == pytest.approx(np.linalg.norm(numeric), rel=0.08), axis


@pytest.mark.parametrize("step_mm", [0.7, 4.0])
@pytest.mark.parametrize("at", ["the middle", "the edge", "the source inside"])
def test_the_compiled_form_computes_what_pytorch_does(
    form: str, monkeypatch: pytest.MonkeyPatch, at: str, step_mm: float
) -> None:
    """Of noise on an anisotropic, turned, mirrored grid, which no two ways of sampling would read alike.

    Both take the same samples, at positions that single precision rounds to about a hundred-thousandth of a voxel, each
    in its own order, as it does the sums: of noise that is 1e-5 of an image, of a CT 2e-7.
    """
    if form == "PyTorch":
        pytest.skip("the comparison is made once")
    index_to_ras = placed(np.array([0.2, 0.5, -0.3]), np.array([1.0, 1.2, 1.5]), left_handed=True)
    noise = np.random.default_rng(3).normal(size=(40, 50, 60)).astype(np.float32)
    volume = Volume(noise, index_to_ras)
    middle = OBLIQUE.apply(volume_centre(volume))
    geometry = view((0.4, -0.8, 0.3), middle + (np.array([30.0, 10.0, 0.0]) if at == "the edge" else 0.0))
    if at == "the source inside":
        geometry = ViewGeometry(middle, np.eye(4), (1, 1)).crop_geometry(middle + [1.0, 30.0, 2.0], 30.0, 24)
    centre = middle + [10.0, -5.0, 8.0]
    renderer = VolumeRenderer(volume).sampled_every(step_mm)
    alone = VolumeRenderer(volume).sampled_every(step_mm).render(OBLIQUE, geometry)
    image, (value, jacobian) = (
        renderer.render(OBLIQUE, geometry),
        renderer.render_with_jacobian(OBLIQUE, geometry, centre),
    )
    monkeypatch.setenv(kernels.VARIABLE, "off")
    expected_image, expected = renderer.render_with_jacobian(OBLIQUE, geometry, centre)
    for drawn in (alone, image, value):
        assert float((drawn - expected_image).norm() / expected_image.norm()) < 3e-5
    for axis in range(6):
        assert float((jacobian[axis] - expected[axis]).norm() / expected[axis].norm()) < 1e-4, axis


def test_a_pose_that_is_no_number_makes_no_pixel_and_no_crash(form: str) -> None:
    renderer = VolumeRenderer(blobs()[0])
    geometry = view((0.4, -0.8, 0.3), volume_centre(blobs()[0]))
    nowhere = RigidTransform(np.eye(3), np.full(3, np.nan))
    far_away = RigidTransform(np.eye(3), np.full(3, 1e30))
    for pose in (nowhere, far_away):
        assert not renderer.render(pose, geometry).nan_to_num().any()
        assert not renderer.render_with_jacobian(pose, geometry, np.zeros(3))[1].nan_to_num().any()


def noise_without_faces() -> Volume:
    """Noise on an anisotropic, turned, mirrored grid, with zeros around it."""
    noise = np.pad(np.random.default_rng(3).normal(size=(30, 36, 44)).astype(np.float32), 2)
    return Volume(noise, placed(np.array([0.2, 0.5, -0.3]), np.array([1.0, 1.2, 1.5]), left_handed=True))


def interpolated(
    volume: Volume, pose: RigidTransform, geometry: ViewGeometry, centre: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Line integrals (H, W) and derivatives (6, H, W) from SciPy's interpolation in double precision."""
    bordered, directions = np.pad(volume.array.astype(np.float64), 1), geometry.pixel_directions

    def along_rays(pose: RigidTransform) -> tuple[np.ndarray, np.ndarray]:
        """(3,) where the rays begin and (R, 3) their directions, in indices of the bordered array."""
        to_index = np.linalg.inv(volume.index_to_ras) @ pose.inverse().matrix
        return to_index[:3, :3] @ geometry.source_ras + to_index[:3, 3] + 1.0, directions @ to_index[:3, :3].T

    origin, slopes = along_rays(pose)
    ends = (np.zeros(3) - origin) / slopes, (np.array(volume.size) + 1.0 - origin) / slopes
    near = np.minimum(*ends).max(axis=1)
    length = np.maximum(np.maximum(*ends).min(axis=1) - near, 0.0)
    count = int(np.ceil(length.max() / volume.spacing.min()))
    distances = near + length * (np.arange(count)[:, None] + 0.5) / count

    def image(twist: np.ndarray) -> np.ndarray:
        origin, slopes = along_rays(pose.rotated_about(centre, twist[:3], twist[3:]))
        # Samples follow the part of the motion that is along their ray: it is of no consequence to a line integral.
        sliding = directions @ (np.cross(twist[:3], geometry.source_ras - centre) + twist[3:])
        positions = origin + (distances + sliding)[..., None] * slopes
        values = map_coordinates(bordered, positions[..., ::-1].transpose(2, 0, 1), order=1)
        return (values.sum(axis=0) * length / count).reshape(geometry.shape)

    steps = 1e-6 * np.eye(6)
    return image(np.zeros(6)), np.stack([(image(step) - image(-step)) / 2e-6 for step in steps])


def bone() -> Volume:
    """L3 of a phantom as excess over soft tissue, 2 mm voxels."""
    spine = make_spine(5, spacing_mm=2.0, soft_tissue=False)
    return split_parts(spine.ct, spine.labels, [spine.levels["L3"]]).excess[spine.levels["L3"]]


@pytest.mark.parametrize(
    ("turn", "direction"),
    [([0.0, 0.0, 0.0], (0.0, 1.0, 0.0)), ([0.1, 0.3, -0.2], (1.0, 0.0, 0.0)), ([-0.6, 0.4, 0.9], (0.5, -0.7, 0.4))],
)
@pytest.mark.slow
def test_nanodrr_renders_the_phantom_alike(turn: list[float], direction: tuple[float, float, float]) -> None:
    spine = make_spine(5, spacing_mm=(2.0, 1.5, 3.0))
    assert_nanodrr_agrees(Volume(attenuation_from_hu(spine.ct.array), spine.ct.index_to_ras), turn, direction)


def test_nanodrr_renders_the_real_ct_alike(real_ct: Volume) -> None:
    coarse = Volume(attenuation_from_hu(real_ct.array[:, ::3, ::3]), real_ct.index_to_ras @ np.diag([3.0, 3.0, 1, 1]))
    assert_nanodrr_agrees(coarse, [0.2, -0.3, 0.4], (0.4, 0.9, -0.2))


def assert_nanodrr_agrees(volume: Volume, turn: list[float], direction: tuple[float, float, float]) -> None:
    """Both sample rays of the same geometry, finely: half a percent of the brightest pixel, a thousandth on average."""
    pose = RigidTransform.from_rotation_vector(turn, [5.0, -8.0, 12.0])
    geometry = view(direction, pose.apply(volume_centre(volume)), size_mm=160.0, pixels=40)
    ours = VolumeRenderer(volume).sampled_every(0.5).render(pose, geometry).numpy()
    theirs = nanodrr_image(volume, pose, geometry, samples=800)
    assert ours.max() > 3.0
    assert np.abs(ours - theirs).max() < 5e-3 * theirs.max()
    assert np.abs(ours - theirs).mean() < 1e-3 * theirs.mean()


def nanodrr_image(volume: Volume, pose: RigidTransform, geometry: ViewGeometry, samples: int) -> np.ndarray:
    """(H, W) line integrals by nanodrr, as the benchmarks ask it for them."""
    nanodrr_drr = pytest.importorskip("nanodrr.drr")
    inverse_intrinsic, camera_to_world, distance = peer_nanodrr.camera_matrices(geometry)
    drawn = nanodrr_drr.render(
        peer_nanodrr.subject_of(volume),
        torch.from_numpy(inverse_intrinsic)[None].float(),
        torch.from_numpy(pose.inverse().matrix @ camera_to_world)[None].float(),
        torch.tensor([distance], dtype=torch.float32),
        *geometry.shape,
        n_samples=samples,
    )
    return drawn[0, 0].numpy()


def volume_centre(volume: Volume) -> np.ndarray:
    """(3,) middle of the grid, RAS mm."""
    return volume.to_ras((np.array(volume.size) - 1) / 2)


def central_difference(renderer: VolumeRenderer, geometry: ViewGeometry, centre: np.ndarray, axis: int) -> torch.Tensor:
    """(H, W) derivative of the image in one component of the twist about ``centre``, from steps of about 1 mm."""
    step = 0.04 if axis < 3 else 1.0
    twist = np.zeros(6)
    twist[axis] = step
    ahead, back = (
        renderer.render(OBLIQUE.rotated_about(centre, sign * twist[:3], sign * twist[3:]), geometry)
        for sign in (1.0, -1.0)
    )
    return (ahead - back) / (2.0 * step)
