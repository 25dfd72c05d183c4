"""A file that is damaged, cut short or not what it says is refused with a sentence, never read as another image."""

from __future__ import annotations

import gzip
import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from radgs.errors import InputFileError
from radgs.geometry import Volume
from radgs.io.image_files import read_raster
from radgs.io.volumes import read_ct, read_labels, write_volume
from radgs.io.xray_images import read_xray

VOLUMES = ["ct.nii", "ct.nii.gz", "ct.nrrd", "ct.mha", "ct.mhd", "ct.nhdr"]
PICTURES = ["ap.png", "ap.tif", "ap.jpg", "ap.bmp"]


def noise(shape: tuple[int, ...], dtype: type = np.int16) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 200, shape).astype(dtype)


@pytest.fixture
def make(tmp_path: Path) -> Callable[[str], Path]:
    """Writes a file by its name, with ITK or numpy: whole, and as other programs would write it."""

    def written(name: str) -> Path:
        path = tmp_path / name
        if name.endswith(".npy"):
            np.save(path, noise((40, 50)))
        elif name in PICTURES:
            SimpleITK.WriteImage(SimpleITK.GetImageFromArray(noise((40, 50), np.uint8)), str(path))
        else:
            image = SimpleITK.GetImageFromArray(noise((12, 20, 30)))
            image.SetSpacing((0.7, 0.8, 2.5))
            SimpleITK.WriteImage(image, str(path), useCompression=name in ("ct.nii.gz", "ct.nrrd", "ct.mhd"))
        return path

    return written


def read(path: Path) -> object:
    return read_ct(path) if path.name.startswith("ct") else read_xray(path, "intensity")


@pytest.mark.parametrize("name", [*VOLUMES, *PICTURES, "ap.npy"])
def test_whole_files_are_read(name: str, make: Callable[[str], Path]) -> None:
    path = make(name)
    array = read_raster(path).array
    if name == "ap.npy":
        np.testing.assert_array_equal(array, np.load(path))
    else:
        np.testing.assert_array_equal(array, SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path))))


@pytest.mark.parametrize("share", [0.05, 0.5, 0.95, 0.999])
@pytest.mark.parametrize("name", [*VOLUMES, *PICTURES, "ap.npy"])
def test_a_file_cut_short_is_refused(name: str, share: float, make: Callable[[str], Path]) -> None:
    path = make(name)
    data = next(iter(path.parent.glob("ct.*raw*")), path)
    content = data.read_bytes()
    data.write_bytes(content[: min(len(content) - 1, int(share * len(content)))])
    with pytest.raises(InputFileError):
        read(path)


@pytest.mark.parametrize("name", ["ct.nii.gz", "ct.nrrd", "ct.mhd", "ap.png"])
def test_a_bit_flipped_in_compressed_data_is_noticed(name: str, make: Callable[[str], Path]) -> None:
    path = make(name)
    data = next(iter(path.parent.glob("ct.*raw*")), path)
    content = bytearray(data.read_bytes())
    for place in np.linspace(len(content) // 3, len(content) - 5, 20).astype(int):
        flipped = content.copy()
        flipped[place] ^= 0x10
        data.write_bytes(flipped)
        with pytest.raises(InputFileError):
            read(path)


@pytest.mark.parametrize("name", [*VOLUMES, "ap.npy"])
def test_bytes_beyond_the_end_are_noticed(name: str, make: Callable[[str], Path]) -> None:
    path = make(name)
    data = next(iter(path.parent.glob("ct.*raw*")), path)
    data.write_bytes(data.read_bytes() + b"more")
    with pytest.raises(InputFileError):
        read(path)


def test_half_a_label_map_is_not_a_label_map_with_zeros(tmp_path: Path) -> None:
    labels = np.zeros((40, 30, 20), np.uint8)
    labels[10:30] = 29
    write_volume(tmp_path / "labels.nii.gz", Volume(labels, np.eye(4)))
    whole = (tmp_path / "labels.nii.gz").read_bytes()
    half = zlib.decompressobj(31).decompress(whole)[: 352 + labels.size // 2]
    (tmp_path / "labels.nii.gz").write_bytes(gzip.compress(half))
    with pytest.raises(InputFileError, match="holds 12000 bytes of values, and its header asks for 24000"):
        read_labels(tmp_path / "labels.nii.gz")


def nifti(path: Path, sizes: tuple[int, int, int]) -> Path:
    """A NIfTI header alone."""
    head = bytearray(352)
    struct.pack_into("<i", head, 0, 348)
    struct.pack_into("<8h", head, 40, 3, *sizes, 1, 1, 1, 1)
    struct.pack_into("<2h", head, 70, 16, 32)
    struct.pack_into("<8f", head, 76, 1, 1, 1, 1, 0, 0, 0, 0)
    struct.pack_into("<f", head, 108, 352)
    struct.pack_into("<2h", head, 252, 1, 0)
    head[344:348] = b"n+1\0"
    path.write_bytes(gzip.compress(bytes(head)) if path.suffix == ".gz" else bytes(head))
    return path


def text_header(path: Path, lines: str) -> Path:
    path.write_bytes(lines.encode() + b"\0" * 600)
    return path


NRRD = "NRRD0004\ntype: float\ndimension: 3\nspace: LPS\nsizes: {}\nspace directions: (1,0,0) (0,1,0) (0,0,1)\n"
NRRD += "endian: little\nencoding: raw\nspace origin: (0,0,0)\n\n"
MHA = "NDims = 3\nDimSize = {}\nElementType = MET_FLOAT\nElementSpacing = 1 1 1\nOffset = 0 0 0\n"
MHA += "TransformMatrix = 1 0 0 0 1 0 0 0 1\nElementDataFile = LOCAL\n"


MEASURE = """
import resource, sys
from pathlib import Path
from radgs.errors import InputFileError
from radgs.io.volumes import read_ct
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for name in sys.argv[1:]:
    try:
        read_ct(Path(name))
    except InputFileError as error:
        print(error.problem)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_a_header_alone_cannot_ask_for_gigabytes(tmp_path: Path) -> None:
    paths = []
    for sizes in ((1250, 1250, 1300), (1000, 1000, 1000), (32767, 32767, 32767)):
        for suffix in ("nii", "nii.gz", "nrrd", "mha"):
            paths.append(tmp_path / f"{sizes[0]}.{suffix}")
            if suffix.startswith("nii"):
                nifti(paths[-1], sizes)
            else:
                text_header(paths[-1], (NRRD if suffix == "nrrd" else MHA).format(" ".join(map(str, sizes))))
    told = subprocess.run(
        [sys.executable, "-c", MEASURE, *map(str, paths)], capture_output=True, text=True, check=True, timeout=60
    )
    *said, kilobytes = told.stdout.splitlines()
    assert len(said) == len(paths)
    assert all("header asks for" in line or "GiB" in line for line in said)
    assert int(kilobytes) < 100_000


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
@pytest.mark.parametrize("name", ["ct.nii.gz", "ct.dcm", "ap.png"])
def test_a_pipe_is_not_waited_for(name: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(InputFileError, match="pipe or a device"):
        read(tmp_path / name)


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no devices here")
def test_a_device_is_not_read(tmp_path: Path) -> None:
    for reader in (read_ct, read_labels, lambda path: read_xray(path, "intensity")):
        with pytest.raises(InputFileError, match="pipe or a device"):
            reader(Path("/dev/zero"))


def test_a_folder_is_not_an_xray(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match="is a folder"):
        read_xray(tmp_path, "intensity")


@pytest.mark.parametrize("name", ["../secret.raw", "/etc/hostname", "sub/voxels.raw", "LIST", "slice%03d.raw 1 9 1"])
@pytest.mark.parametrize("suffix", ["mhd", "nhdr"])
def test_a_header_cannot_take_voxels_from_elsewhere(suffix: str, name: str, tmp_path: Path) -> None:
    (tmp_path / "case" / "sub").mkdir(parents=True)
    for place in ("secret.raw", "case/sub/voxels.raw"):
        (tmp_path / place).write_bytes(b"\0" * 4 * 1000)
    if suffix == "mhd":
        content = MHA.format("10 10 10").replace("LOCAL", name)
    else:
        content = NRRD.format("10 10 10").rstrip("\n") + f"\ndata file: {name}\n"
    (tmp_path / "case" / f"ct.{suffix}").write_text(content)
    with pytest.raises(InputFileError, match=r"which is not a file beside it|There is no file"):
        read_ct(tmp_path / "case" / f"ct.{suffix}")


def test_a_link_beside_the_header_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret.raw").write_bytes(b"\0" * 4 * 1000)
    (tmp_path / "case").mkdir()
    (tmp_path / "case" / "voxels.raw").symlink_to(tmp_path / "secret.raw")
    (tmp_path / "case" / "ct.mhd").write_text(MHA.format("10 10 10").replace("LOCAL", "voxels.raw"))
    with pytest.raises(InputFileError, match="not a file beside it"):
        read_ct(tmp_path / "case" / "ct.mhd")


def test_an_archive_or_objects_by_the_name_of_an_array_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "archive.npz", image=noise((40, 50)))
    (tmp_path / "archive.npz").rename(tmp_path / "archive.npy")
    np.save(tmp_path / "objects.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    for name in ("archive.npy", "objects.npy"):
        with pytest.raises(InputFileError, match="is not a NumPy array that can be read"):
            read_xray(tmp_path / name, "intensity")


def test_five_bytes_changed_in_a_metaimage_end_nothing(make: Callable[[str], Path]) -> None:
    """ITK ends the process at some of these headers."""
    path = make("ct.mha")
    content = path.read_bytes()
    header = content.index(b"LOCAL")
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(300):
        changed = bytearray(content)
        for place in rng.integers(0, header, 5):
            changed[place] = rng.integers(256)
        path.write_bytes(changed)
        try:
            read_ct(path)
        except InputFileError:
            refused += 1
    assert refused > 200


def test_a_picture_of_more_pixels_than_it_holds_is_refused(make: Callable[[str], Path]) -> None:
    path = make("ap.png")
    content = bytearray(path.read_bytes())
    struct.pack_into(">II", content, 16, 50, 41)
    struct.pack_into(">I", content, 29, zlib.crc32(content[12:29]))  # the checksum is right
    path.write_bytes(content)
    with pytest.raises(InputFileError, match="more or fewer pixels"):
        read_raster(path)


@pytest.mark.parametrize("kind", ["tif", "jpg"])
def test_a_picture_that_is_to_be_turned_when_shown_is_refused(kind: str, tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image").fromarray(noise((40, 50), np.uint8))
    tags = image.getexif()
    tags[274] = 6  # turn by 90 degrees
    image.save(tmp_path / f"ap.{kind}", exif=tags)
    with pytest.raises(InputFileError, match="is to be turned when shown"):
        read_xray(tmp_path / f"ap.{kind}", "intensity")


def test_a_tiff_whose_smallest_value_is_white_is_turned_over_when_shown(tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    values = noise((40, 50), np.uint16) * 10
    tifffile.imwrite(tmp_path / "ap.tif", values, photometric="miniswhite")
    as_display = read_xray(tmp_path / "ap.tif", "display").image
    assert np.corrcoef(as_display.ravel(), values.ravel())[0, 1] < -0.999
    as_given = read_xray(tmp_path / "ap.tif", "attenuation").image
    np.testing.assert_array_equal(as_given, values)


def test_a_tiff_of_several_pages_is_refused(tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    tifffile.imwrite(tmp_path / "ap.tif", noise((3, 40, 50), np.uint16), photometric="minisblack")
    with pytest.raises(InputFileError, match="several pages"):
        read_xray(tmp_path / "ap.tif", "intensity")
