"""Transform files hold ITK's resampling map: world to CT, in LPS."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from radgs.errors import GeometryError, InputFileError, OutputError
from radgs.geometry import RigidTransform
from radgs.io.transforms import read_transform, write_transform

#: No entry of it can be swapped, negated or transposed without being noticed.
ASYMMETRIC = RigidTransform.from_rotation_vector([0.31, -0.17, 0.53], [12.0, -34.0, 56.0])

transforms = st.builds(
    RigidTransform.from_rotation_vector,
    arrays(np.float64, 3, elements=st.floats(-1.7, 1.7)),
    arrays(np.float64, 3, elements=st.floats(-1000, 1000)),
)


@pytest.mark.parametrize("suffix", [".tfm", ".h5"])
def test_transform_point_takes_the_world_to_the_ct_in_lps(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"L3{suffix}"
    write_transform(path, ASYMMETRIC)
    resampling = SimpleITK.ReadTransform(str(path))
    for in_ct in np.random.default_rng(0).uniform(-200, 200, (5, 3)):
        in_world = ASYMMETRIC.apply(in_ct)
        world_lps, ct_lps = in_world * [-1, -1, 1], in_ct * [-1, -1, 1]
        np.testing.assert_allclose(resampling.TransformPoint(world_lps.tolist()), ct_lps, atol=1e-9)


def test_the_worked_example_of_the_documentation(tmp_path: Path) -> None:
    # A quarter turn about superior, then 10 mm to the right, 20 anterior, 30 superior.
    ct_to_world = RigidTransform.from_rotation_vector([0, 0, np.pi / 2], [10.0, 20.0, 30.0])
    np.testing.assert_allclose(ct_to_world.apply([1.0, 2.0, 3.0]), [8.0, 21.0, 33.0])
    write_transform(tmp_path / "L3.tfm", ct_to_world)
    resampling = SimpleITK.ReadTransform(str(tmp_path / "L3.tfm"))
    np.testing.assert_allclose(resampling.TransformPoint((-8.0, -21.0, 33.0)), (-1.0, -2.0, 3.0), atol=1e-12)


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(transform=transforms, suffix=st.sampled_from([".tfm", ".h5"]))
@pytest.mark.slow
def test_a_written_transform_reads_back_the_same(transform: RigidTransform, suffix: str, tmp_path: Path) -> None:
    write_transform(tmp_path / f"t{suffix}", transform)
    np.testing.assert_allclose(read_transform(tmp_path / f"t{suffix}").matrix, transform.matrix, atol=1e-9)


def test_a_resampled_ct_shows_the_vertebra_where_the_world_has_it(tmp_path: Path) -> None:
    """The file's own use: SimpleITK resamples the CT onto a grid in the world."""
    ct = SimpleITK.Image(41, 41, 41, SimpleITK.sitkFloat32)
    ct.SetOrigin((-20.0, -20.0, -20.0))
    ct[25, 18, 30] = 1000.0  # at LPS (5, -2, 10), that is RAS (-5, 2, 10)
    ct_to_world = RigidTransform.from_rotation_vector([0, 0, np.pi / 2], [3.0, 4.0, -5.0])
    write_transform(tmp_path / "t.tfm", ct_to_world)
    moved = SimpleITK.Resample(ct, ct, SimpleITK.ReadTransform(str(tmp_path / "t.tfm")), SimpleITK.sitkLinear, 0.0)
    k, j, i = np.unravel_index(SimpleITK.GetArrayFromImage(moved).argmax(), (41, 41, 41))
    at_lps = np.array(moved.TransformIndexToPhysicalPoint((int(i), int(j), int(k))))
    np.testing.assert_allclose(at_lps * [-1, -1, 1], ct_to_world.apply([-5.0, 2.0, 10.0]), atol=1e-6)


@pytest.mark.parametrize("kind", ["Euler3D", "VersorRigid3D", "Translation", "Composite"])
def test_other_tools_rigid_transforms_read_as_the_same_map(kind: str, tmp_path: Path) -> None:
    euler = SimpleITK.Euler3DTransform((5.0, 6.0, 7.0), 0.1, 0.2, 0.3, (1.0, 2.0, 3.0))
    written: SimpleITK.Transform = {
        "Euler3D": euler,
        "VersorRigid3D": SimpleITK.VersorRigid3DTransform((0.0, 0.6, 0.8), 0.4, (9.0, 8.0, 7.0)),
        "Translation": SimpleITK.TranslationTransform(3, (4.0, 5.0, 6.0)),
        "Composite": SimpleITK.CompositeTransform([euler, SimpleITK.TranslationTransform(3, (4.0, 5.0, 6.0))]),
    }[kind]
    SimpleITK.WriteTransform(written, str(tmp_path / "t.tfm"))
    ct_to_world = read_transform(tmp_path / "t.tfm")
    in_world = np.array([11.0, -22.0, 33.0])
    ct_lps = np.array(written.TransformPoint((in_world * [-1, -1, 1]).tolist()))
    np.testing.assert_allclose(ct_to_world.apply(ct_lps * [-1, -1, 1]), in_world, atol=1e-9)


def test_what_is_no_rigid_transform_is_told(tmp_path: Path) -> None:
    (tmp_path / "broken.tfm").write_text("nothing")
    SimpleITK.WriteTransform(SimpleITK.ScaleTransform(3, (1.1, 1.0, 1.0)), str(tmp_path / "scaling.tfm"))
    SimpleITK.WriteTransform(SimpleITK.Euler2DTransform(), str(tmp_path / "flat.tfm"))
    SimpleITK.WriteTransform(SimpleITK.BSplineTransform(3), str(tmp_path / "bending.tfm"))
    for name, said in {
        "missing": "no file",
        "broken": "not a transform file",
        "flat": "linear 3D",
        "bending": "linear 3D",
    }.items():
        with pytest.raises(InputFileError, match=said):
            read_transform(tmp_path / f"{name}.tfm")
    with pytest.raises(GeometryError, match=r"scaling\.tfm: .*not rigid"):
        read_transform(tmp_path / "scaling.tfm")
    with pytest.raises(OutputError, match="cannot be written"):
        write_transform(tmp_path / "t.unknown", ASYMMETRIC)


def test_a_damaged_hdf5_file_ends_nothing(tmp_path: Path) -> None:
    """ITK's HDF5 ends the process at some of these."""
    whole = tmp_path / "whole.h5"
    write_transform(whole, RigidTransform.identity())
    assert np.allclose(read_transform(whole).matrix, np.eye(4))
    content, rng = whole.read_bytes(), np.random.default_rng(0)
    for _ in range(6):
        damaged = bytearray(content)
        start = int(rng.integers(8, 3000))
        damaged[start : start + 400] = bytes(400)
        (tmp_path / "damaged.h5").write_bytes(damaged)
        with suppress(InputFileError, GeometryError):
            read_transform(tmp_path / "damaged.h5")
