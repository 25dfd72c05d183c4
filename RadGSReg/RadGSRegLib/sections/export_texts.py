"""What the Export section says, in sentences."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from slicer.i18n import tr as _

from radgs.export.released_poses import expectation
from RadGSRegLib.export.files import Exported
from RadGSRegLib.export.registered_levels import KeptLevel
from RadGSRegLib.export.stream import StreamState
from RadGSRegLib.review.verdicts import signed_verdict


def format_titles() -> dict[str, str]:
    """What a person is offered, by a file format's name, in the order of ``radgs.export.FILE_FORMATS``."""
    return {
        "tfm": _("ITK transform, text (.tfm)"),
        "h5": _("ITK transform, HDF5 (.h5)"),
        "txt": _("ITK transform, text (.txt)"),
        "json": _("Poses with verdicts and hashes (.json)"),
        "csv": _("4x4 matrix, table (.csv)"),
        "dicom": _("DICOM Spatial Registration (.dcm)"),
    }


def level_line(kept: KeptLevel) -> str:
    """A level in the list: its verdict, or what stands in its way."""
    if kept.obstacle is not None:
        return _("{level}: not as it was registered").format(level=kept.level)
    verdict = kept.result.verdict
    text = _("{level}: {verdict}, {error}")
    error = expectation(kept.result.predicted_error_mm)
    return text.format(level=kept.level, verdict=signed_verdict(verdict), error=error)


def obstacle_lines(levels: Sequence[KeptLevel]) -> str:
    """Why levels cannot be exported as they stand, and the way out; rich text."""
    lines = [
        f"<b>{escape(kept.level)}</b>: {escape(kept.obstacle.why)}. {escape(kept.obstacle.remedy)}"
        for kept in levels
        if kept.obstacle is not None
    ]
    return "<br>".join(lines)


def reasons(kept: KeptLevel) -> str:
    """The grounds for a level's verdict, one after the other."""
    return " ".join(reason.message for reason in kept.result.reasons) or _("The result states no reason.")


def force_text(rejected: Sequence[KeptLevel]) -> str:
    """Why rejected levels stay, and what it takes to force them; rich text."""
    lines = [
        _("<b>{level} was rejected</b>: {reasons}").format(level=escape(kept.level), reasons=escape(reasons(kept)))
        for kept in rejected
    ]
    names = " ".join(kept.level for kept in rejected)
    remedy = _(
        "Correct the inputs and register again. Only if the pose is confirmed by other means, type {names} to force it."
    )
    return "<br>".join([*lines, remedy.format(names=f"<b>{escape(names)}</b>")])


def question_text(doubtful: Sequence[KeptLevel], rejected: Sequence[KeptLevel]) -> str:
    """The question before poses leave that the program does not accept; rich text."""
    lines = [
        _("<b>{level} is to be checked</b>: {reasons}").format(level=escape(kept.level), reasons=escape(reasons(kept)))
        for kept in doubtful
    ]
    lines += [
        _("<b>{level} was REJECTED</b>: {reasons}").format(level=escape(kept.level), reasons=escape(reasons(kept)))
        for kept in rejected
    ]
    asked = _("Have you compared the contour with the X-ray in every view?")
    if rejected:
        asked = _("Is the pose confirmed by other means, and do you answer for it?")
    return "<br>".join([*lines, asked])


def exported_text(exported: Exported) -> str:
    """What has left; rich text."""
    lines = [
        f"<b>{escape(pose.level)}</b>: {pose.verdict}, {pose.release}; {pose.expectation}."
        for pose in exported.released.poses
    ]
    lines.append(_("Written, read back and found the same:"))
    return "<br>".join([*lines, *(escape(str(file)) for file in exported.files)])


def state_text(state: StreamState) -> str:
    """How a stream stands; rich text."""
    lines = [_connection(state)]
    if state.kind != "off":
        lines.append(_("Goes out: {levels}.").format(levels=escape(", ".join(state.sent)) or _("nothing")))
        withheld = _("<b>{level}</b> is withheld: {why}.")
        lines += [withheld.format(level=escape(level), why=escape(why)) for level, why in state.withheld.items()]
    return "<br>".join(line for line in lines if line)


def _connection(state: StreamState) -> str:
    if state.kind == "off" or state.target is None:
        return escape(state.trouble)
    address = f"{state.target.host}:{state.target.port}"
    peers, slow = ", ".join(state.peers), ", ".join(state.slow)
    texts = {
        "listening": _("<b>Listening</b> at {address}; nobody is connected."),
        "connecting": _("<b>Connecting</b> with {address}..."),
        "unreachable": _("<b>Not connected.</b> {trouble} Trying again."),
        "connected": _("<b>Connected</b> with {peers}."),
        "slow": _("<b>Connected</b> with {peers}. Too slow, and gets the newest pose only: {slow}."),
    }
    return texts[state.kind].format(address=address, peers=peers, slow=slow, trouble=escape(state.trouble))
