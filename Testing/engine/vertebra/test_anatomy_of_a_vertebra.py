"""What the engine knows of a vertebra before any X-ray, and that its parts make up the CT's own image."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from radgs.anatomy import body_centre
from radgs.case import Level
from radgs.drr import VolumeRenderer, attenuation_from_hu
from radgs.errors import CaseError
from radgs.gaussians import fit
from radgs.geometry import RigidTransform, ViewGeometry, Volume, unit
from radgs.phantom import PhantomSpine
from radgs.vertebra import VertebraAnatomy, build_vertebra_anatomy
from radgs.vertebra.anatomy import GaussianPart
from radgs.vertebra.build import REACH_MM, VERTEBRA_VOXEL_MM
from radgs.vertebra.separated_ct import neighbouring_labels
from radgs.vertebra.separation import SplitCT, resampled_isotropic, split_parts

POSE = RigidTransform.from_rotation_vector([0.1, -0.2, 0.15], [10.0, -20.0, 5.0])
DIRECTIONS = {"AP": (0.0, -1.0, 0.0), "LAT": (1.0, 0.0, 0.0), "oblique": (0.6, -0.7, 0.3)}


def view(direction: str, at: np.ndarray) -> ViewGeometry:
    """A virtual detector of 128 mm through a point 650 mm from the source."""
    source = at - 650.0 * unit(DIRECTIONS[direction])
    return ViewGeometry(source, np.eye(4), (1, 1)).crop_geometry(at, 128.0, 128)


def spine_of_blocks(labels: list[int], level_spacing_mm: float = 34.0) -> Volume:
    """Blocks of 20 mm one under the other, labelled from the head down, in voxels of 2 mm."""
    array = np.zeros((len(labels) * 17 + 10, 30, 30), dtype=np.uint8)
    for order, label in enumerate(labels):
        top = array.shape[0] - 5 - order * 17
        array[top - 10 : top, 10:20, 10:20] = label
    return Volume(array, np.diag([2.0, 2.0, level_spacing_mm / 17, 1.0]))


def neighbours_of(labels: Volume, label: int) -> list[int]:
    inside = np.argwhere(labels.array == label)[:, ::-1]
    return neighbouring_labels(labels, label, labels.to_ras(inside.mean(axis=0)))


@pytest.mark.parametrize(
    ("numbering", "label"),
    [([20, 21, 22, 23, 24], 22), ([32, 31, 30, 29, 28, 27], 29)],
    ids=["VerSe", "TotalSegmentator"],
)
def test_the_vertebrae_above_and_below_are_found(numbering: list[int], label: int) -> None:
    assert neighbours_of(spine_of_blocks(numbering), label) == [label - 1, label + 1]


def test_the_last_vertebra_has_one_neighbour_and_a_lone_one_none() -> None:
    assert neighbours_of(spine_of_blocks([20, 21, 22]), 20) == [21]
    assert neighbours_of(spine_of_blocks([1]), 1) == []


def test_a_vertebra_too_far_away_is_no_neighbour() -> None:
    assert neighbours_of(spine_of_blocks([20, 21, 22], level_spacing_mm=65.0), 21) == []


def test_a_bone_beside_the_vertebra_is_no_neighbour_whatever_its_number() -> None:
    labels = spine_of_blocks([30, 29])
    labels.array[12:22, 10:20, 24:29] = 28
    assert neighbours_of(labels, 29) == [30]


def test_neighbours_of_the_real_vertebrae_are_found(real_labels: Volume) -> None:
    assert neighbouring_labels(real_labels, 33, body_centre(real_labels, 33)) == [32, 34]


def test_the_anatomy_describes_the_vertebra_asked_for(
    phantom_vertebra: VertebraAnatomy, phantom_spine: PhantomSpine
) -> None:
    frame = phantom_spine.frames["L3"]
    assert phantom_vertebra.level == Level("L3", phantom_spine.levels["L3"])
    np.testing.assert_allclose(phantom_vertebra.centre, frame.translation, atol=4.0)
    assert phantom_vertebra.surface.shape == (2000, 3)
    assert np.linalg.norm(phantom_vertebra.surface - phantom_vertebra.centre, axis=1).max() < 90.0
    true_pitch = min(
        np.linalg.norm(phantom_spine.frames[other].translation - frame.translation) for other in ("L2", "L4")
    )
    assert phantom_vertebra.level_spacing_mm == pytest.approx(true_pitch, abs=5.0)


def test_its_volumes_are_where_and_what_they_should_be(
    phantom_vertebra: VertebraAnatomy, phantom_spine: PhantomSpine
) -> None:
    assert len(phantom_vertebra.neighbours) == 2
    for neighbour, label in zip(phantom_vertebra.neighbours, ("L2", "L4"), strict=True):
        assert_fine_cubes(neighbour)
        middle = neighbour.to_ras((np.array(neighbour.size) - 1) / 2)
        assert np.linalg.norm(middle - phantom_spine.frames[label].translation) < 40.0
    np.testing.assert_allclose(phantom_vertebra.mask.spacing, VERTEBRA_VOXEL_MM)
    assert 0.0 <= phantom_vertebra.mask.array.min() <= phantom_vertebra.mask.array.max() <= 1.0
    assert phantom_vertebra.mask.sample(phantom_vertebra.centre) == pytest.approx(1.0)
    for volume in (phantom_vertebra.surroundings, phantom_vertebra.whole):
        assert_fine_cubes(volume)
    volumes = (phantom_vertebra.surroundings, phantom_vertebra.whole)
    at_centre = [float(volume.sample(phantom_vertebra.centre)) for volume in volumes]
    assert at_centre[0] == pytest.approx(0.0208, abs=3e-4)
    assert at_centre[1] > at_centre[0]


def assert_fine_cubes(volume: Volume) -> None:
    """Axes along RAS, voxels of one size, none coarser than 2 mm."""
    np.testing.assert_array_equal(volume.index_to_ras[:3, :3], volume.spacing[0] * np.eye(3))
    assert volume.spacing[0] <= 2.0


def test_the_gaussians_hold_the_vertebras_mass(phantom_vertebra: VertebraAnatomy, phantom_spine: PhantomSpine) -> None:
    split = split_parts(phantom_spine.ct, phantom_spine.labels, [phantom_vertebra.level.label])
    excess = split.excess[phantom_vertebra.level.label]
    gaussians = phantom_vertebra.gaussians
    masses = gaussians.densities * (2 * np.pi) ** 1.5 * gaussians.log_scales.sum(dim=1).exp()
    assert float(masses.sum()) == pytest.approx(float(excess.array.sum() * excess.spacing.prod()), rel=0.05)


def test_the_mask_renders_as_the_vertebras_thickness(phantom_vertebra: VertebraAnatomy) -> None:
    thickness = phantom_vertebra.mask_part.render(POSE, view("LAT", POSE.apply(phantom_vertebra.centre)))
    assert 30.0 < float(thickness[64, 64]) < 65.0
    assert float(thickness[0].abs().max()) == 0.0


def test_preparing_reports_progress_up_to_the_end(
    phantom_vertebra: VertebraAnatomy, preparation_progress: list[float]
) -> None:
    assert phantom_vertebra.gaussians.means.shape == (2000, 3)
    assert preparation_progress == sorted(preparation_progress)
    assert preparation_progress[-1] == pytest.approx(1.0)


def test_a_label_that_is_not_there_is_refused(phantom_spine: PhantomSpine) -> None:
    with pytest.raises(CaseError):
        build_vertebra_anatomy(phantom_spine.ct, phantom_spine.labels, Level("L6", 25))


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_background_and_splats_make_the_full_image_of_the_phantom(
    direction: str, phantom_vertebra: VertebraAnatomy, phantom_spine: PhantomSpine
) -> None:
    split = split_parts(phantom_spine.ct, phantom_spine.labels, [phantom_vertebra.level.label])
    vertebra = phantom_vertebra.vertebra_part
    assert_parts_make_the_whole(direction, phantom_spine.ct, split, vertebra, phantom_vertebra.centre)


def test_background_and_splats_make_the_full_image_of_a_real_vertebra(real_ct: Volume, real_labels: Volume) -> None:
    """T12."""
    centre = body_centre(real_labels, 32)
    around = real_ct.box(*np.sort(real_ct.to_index([centre - 90.0, centre + 90.0]), axis=0))
    split = split_parts(around, real_labels, [32])
    body = GaussianPart(fit(resampled_isotropic(split.excess[32], VERTEBRA_VOXEL_MM), 2000))
    for direction in DIRECTIONS:
        assert_parts_make_the_whole(direction, around, split, body, centre)


def assert_parts_make_the_whole(
    direction: str, ct: Volume, split: SplitCT, body: GaussianPart, centre: np.ndarray
) -> None:
    """At least 60 dB of the full image's maximum, and under a twentieth of the vertebra's edges left over."""
    geometry = view(direction, POSE.apply(centre))
    (excess,) = split.excess.values()
    full, background, vertebra = (
        VolumeRenderer(volume).render(POSE, geometry).numpy()
        for volume in (Volume(attenuation_from_hu(ct.array), ct.index_to_ras), split.remainder, excess)
    )
    np.testing.assert_allclose(background + vertebra, full, atol=0.01)
    residual = full - background - body.render(POSE, geometry).numpy()
    assert 10 * np.log10(full.max() ** 2 / np.mean(residual**2)) > 60.0

    edges, left_over = gradients(vertebra), gradients(residual)
    share = float((edges * left_over).sum() / (edges**2).sum())
    assert abs(share) < 0.05
    assert np.linalg.norm(left_over) < 0.10 * np.linalg.norm(edges)


def gradients(image: np.ndarray) -> np.ndarray:
    """(2, H, W) Gaussian derivatives at 1 mm."""
    return np.stack([ndimage.gaussian_filter(image, 1.0, order=order) for order in ((0, 1), (1, 0))])


def test_a_bodys_image_and_its_jacobian_agree(phantom_vertebra: VertebraAnatomy) -> None:
    geometry = view("oblique", POSE.apply(phantom_vertebra.centre))
    vertebra = phantom_vertebra.vertebra_part
    image, jacobian = vertebra.render_with_jacobian(POSE, geometry, POSE.apply(phantom_vertebra.centre))
    torch.testing.assert_close(image, vertebra.render(POSE, geometry), rtol=0, atol=1e-4)
    assert jacobian.shape == (6, 128, 128)


@pytest.mark.slow
def test_of_a_long_ct_only_the_vertebras_surroundings_are_looked_at(
    phantom_spine: PhantomSpine, phantom_vertebra: VertebraAnatomy
) -> None:
    """Slices a metre further up change nothing of what a ray through the vertebra meets."""
    ct, labels = phantom_spine.ct, phantom_spine.labels
    more = int(1000.0 / ct.spacing[2])
    longer = [np.pad(volume.array, [(0, more), (0, 0), (0, 0)], mode="edge") for volume in (ct, labels)]
    longer[1][labels.size[2] :] = 0
    tall, tall_labels = (Volume(array, volume.index_to_ras) for array, volume in zip(longer, (ct, labels), strict=True))
    vertebra = build_vertebra_anatomy(tall, tall_labels, Level("L3", phantom_spine.levels["L3"]))
    np.testing.assert_allclose(vertebra.centre, phantom_vertebra.centre)
    height = vertebra.whole.size[2] * vertebra.whole.spacing[2]
    assert height < 2 * REACH_MM + 150.0
