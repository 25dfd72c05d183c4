"""The two messages a level has: its pose as TRANSFORM, its verdict as STRING.

The TRANSFORM's matrix is ``ct_to_world`` in RAS and millimetres, as 3D Slicer's OpenIGTLinkIF takes it: a transform
node of the device's name gets it as MatrixToParent. Its numbers are float32 (OpenIGTLink protocol, TRANSFORM).
"""

from __future__ import annotations

from types import ModuleType

from radgs.errors import ExportError
from radgs.geometry import RigidTransform, largest_distance

#: OpenIGTLink's header has this much room for the device's name.
MAX_DEVICE_NAME_LENGTH = 20

#: TRANSFORM's float32 may move a point within a metre of the origin by this much.
FLOAT32_TOLERANCE_MM = 1e-3


def pose_device(level: str) -> str:
    """The device of a level's pose: ``L3CTToWorld`` names level and direction, and the transform node in Slicer.

    Raises:
        ExportError: The level's name is too long for it, or not plain ASCII.
    """
    return _device(level, "CTToWorld")


def verdict_device(level: str) -> str:
    """The device of a level's verdict: ``L3Verdict``.

    Raises:
        ExportError: As for ``pose_device``.
    """
    return _device(level, "Verdict")


def pack_pose(level: str, ct_to_world: RigidTransform, timestamp: float) -> bytes:
    """A TRANSFORM message, header version 1, which receivers of every protocol version read.

    Args:
        level: Whose pose.
        ct_to_world: RAS mm.
        timestamp: When the pose came out, seconds since 1970.

    Raises:
        ExportError: pyigtl is missing, the level's name does not fit, or the message does not hold the pose.
    """
    pyigtl = _pyigtl()
    message = pyigtl.TransformMessage(ct_to_world.matrix, timestamp=timestamp, device_name=pose_device(level))
    packed: bytes = message.pack()
    device, read = unpack_pose(packed)
    off = largest_distance(read, ct_to_world)
    if device != pose_device(level) or not off <= FLOAT32_TOLERANCE_MM:
        raise ExportError(f"The message of {level} reads back as another pose, {off:.2g} mm away.", "Please report it.")
    return packed


def unpack_pose(packed: bytes) -> tuple[str, RigidTransform]:
    """Device name and ``ct_to_world`` (RAS, mm) of a TRANSFORM message.

    Raises:
        GeometryError: Not rigid.
    """
    pyigtl = _pyigtl()
    header = pyigtl.MessageBase.parse_header(packed[: pyigtl.MessageBase.IGTL_HEADER_SIZE])
    message = pyigtl.TransformMessage()
    message.unpack(header, packed[pyigtl.MessageBase.IGTL_HEADER_SIZE :])
    return message.device_name, RigidTransform.from_matrix(message.matrix)


def pack_verdict(level: str, text: str, timestamp: float) -> bytes:
    """A STRING message with what the program thinks of a level's pose; letters beyond ASCII become '?'.

    Raises:
        ExportError: pyigtl is missing, or the level's name does not fit.
    """
    plain = text.encode("ascii", "replace").decode("ascii")
    message = _pyigtl().StringMessage(plain, timestamp=timestamp, device_name=verdict_device(level))
    packed: bytes = message.pack()
    return packed


def _device(level: str, ending: str) -> str:
    room = MAX_DEVICE_NAME_LENGTH - len("CTToWorld")
    if not level.isascii() or len(level) > room:
        raise ExportError(
            f"The level name {level} does not fit into an OpenIGTLink device name.",
            f"Use at most {room} plain letters and digits, such as L3.",
        )
    return level + ending


def _pyigtl() -> ModuleType:
    try:
        import pyigtl
    except ImportError as missing:
        raise ExportError(
            "OpenIGTLink needs the package pyigtl, which is not installed.", "Install it: pip install pyigtl"
        ) from missing
    return pyigtl
