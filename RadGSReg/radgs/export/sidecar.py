"""What travels beside a file that holds nothing but numbers: verdict, frame, direction, a point to try, and hashes."""

from __future__ import annotations

import textwrap

from radgs.export.formats import WrittenFile
from radgs.export.released_poses import ReleasedPose
from radgs.versions import ENGINE_VERSION

FRAMES = (
    "ct is the CT volume's own frame with no transform applied; "
    "world is the frame in which the X-rays are calibrated, that of the C-arm."
)

WIDTH = 100


def sidecar_text(written: WrittenFile, explanation: str, sha256: str, distance_mm: float) -> str:
    """The sidecar of one file.

    Args:
        written: The file and its poses, all of one registration.
        explanation: What its format says of it (``ExportFormat.explain``).
        sha256: Of the file.
        distance_mm: How far the poses were off when read back.
    """
    parts = [f"{written.path.name}\n{'=' * len(written.path.name)}"]
    for pose in written.poses:
        parts += [_verdict(pose), _matrix(pose)]
    provenance = written.poses[0].provenance
    hashes = {"this file": sha256, "result.json": provenance.result_sha256, "the case": provenance.case_sha256}
    parts += [
        "What the file holds\n" + _indented(explanation),
        "Frames\n" + _indented(FRAMES),
        "Read back\n" + _indented(f"The same pose to {distance_mm:.0e} mm, over a cube of one metre about the origin."),
        "SHA-256\n" + "\n".join(f"  {value or 'not known':64}  {name}" for name, value in hashes.items()),
        f"Written by radgs {ENGINE_VERSION}. Research use only, not a medical device.",
    ]
    return "\n\n".join(parts) + "\n"


def _verdict(pose: ReleasedPose) -> str:
    lines = [f"Verdict on {pose.level}: {pose.verdict}", _indented(f"{pose.release}; {pose.expectation}.")]
    lines += [_indented(reason.message) for reason in pose.reasons]
    return "\n".join(lines)


def _matrix(pose: ReleasedPose) -> str:
    rows = "\n".join("  " + " ".join(f"{number:18.12f}" for number in row) for row in pose.ct_to_world.matrix + 0.0)
    return f"ct_to_world of {pose.level}: x_world = ct_to_world @ x_ct, RAS, mm\n{rows}"


def _indented(text: str) -> str:
    wrapped = [textwrap.wrap(line, WIDTH - 2) for line in text.splitlines()]
    return "\n".join(f"  {line}" for lines in wrapped for line in lines)
