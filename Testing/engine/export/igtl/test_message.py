"""A pose as OpenIGTLink's TRANSFORM, byte by byte as its specification has it."""

from __future__ import annotations

import struct
import sys
from typing import Any

import numpy as np
import pytest

from radgs.errors import ExportError
from radgs.export.igtl.message import pack_pose, pack_verdict, pose_device, unpack_pose, verdict_device
from radgs.geometry import RigidTransform

POSE = RigidTransform.from_rotation_vector([0.31, -0.17, 0.53], [12.0, -34.0, 56.0])


def crc64(data: bytes) -> int:
    """CRC-64 of ECMA-182, bit by bit: the polynomial that OpenIGTLink's header names, from 0 and not turned over."""
    value = 0
    for byte in data:
        value ^= byte << 56
        for _ in range(8):
            value = (value << 1) ^ (0x42F0E1EBA9EA3693 if value >> 63 else 0)
            value &= 2**64 - 1
    return value


def test_a_transform_message_is_what_the_specification_says(pyigtl: Any) -> None:
    packed = pack_pose("L3", POSE, 1700000000.25)
    version, kind, device, seconds, fraction, size, crc = struct.unpack(">H12s20sIIQQ", packed[:58])
    assert (version, kind.rstrip(b"\0"), device.rstrip(b"\0")) == (1, b"TRANSFORM", b"L3CTToWorld")
    assert (seconds, fraction / 2**32) == (1700000000, pytest.approx(0.25, abs=1e-6))
    assert (size, len(packed)) == (48, 106)
    assert crc == crc64(packed[58:])
    columns = np.array(struct.unpack(">12f", packed[58:])).reshape(4, 3).T
    np.testing.assert_allclose(columns, POSE.matrix[:3], atol=1e-5)


def test_a_verdict_is_a_string_message_in_plain_letters(pyigtl: Any) -> None:
    packed = pack_verdict("L3", "check: Überprüfen", 0.0)
    assert struct.unpack(">H12s20s", packed[:34])[1:] == (b"STRING".ljust(12, b"\0"), b"L3Verdict".ljust(20, b"\0"))
    message = pyigtl.messages.StringMessage()
    message.unpack(pyigtl.MessageBase.parse_header(packed[:58]), packed[58:])
    assert message.string == "check: ?berpr?fen"


def test_a_packed_pose_unpacks_to_itself_within_float32(pyigtl: Any) -> None:
    device, read = unpack_pose(pack_pose("T12", POSE, 0.0))
    assert device == "T12CTToWorld"
    np.testing.assert_allclose(read.matrix, POSE.matrix, atol=1e-5)


def test_a_pose_that_float32_cannot_carry_is_refused(pyigtl: Any) -> None:
    with pytest.raises(ExportError, match="another pose"):
        pack_pose("L3", RigidTransform(np.eye(3), np.array([123456.785, 0.0, 0.0])), 0.0)


@pytest.mark.parametrize("level", ["L3", "T12", "L6-variant1"])
def test_device_names_carry_level_and_direction_in_20_bytes(level: str) -> None:
    assert pose_device(level) == f"{level}CTToWorld"
    assert verdict_device(level) == f"{level}Verdict"
    assert len(pose_device(level).encode()) <= 20


@pytest.mark.parametrize("level", ["L6-variant12", "Lüb"])
def test_a_level_that_does_not_fit_is_told(level: str) -> None:
    for name in (pose_device, verdict_device):
        with pytest.raises(ExportError, match="does not fit into an OpenIGTLink device name") as refused:
            name(level)
        assert "at most 11" in refused.value.remedy


def test_without_pyigtl_the_way_out_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyigtl", None)  # what an import of a package that is not there meets
    with pytest.raises(ExportError, match="pip install pyigtl"):
        pack_pose("L3", POSE, 0.0)
