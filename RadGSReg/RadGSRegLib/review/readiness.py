"""What still stands in the way of a registration, as the next things to do."""

from __future__ import annotations

from typing import Any

from slicer.i18n import tr as _

from radgs.case.checks.views import check_arrangement, check_geometry
from radgs.errors import RadgsError
from radgs.geometry import XRayView
from RadGSRegLib.engine.patient_models import model_problem
from RadGSRegLib.review.confirmation import is_confirmed
from RadGSRegLib.scene import xray_nodes
from RadGSRegLib.scene.case_inputs import CaseInputs
from RadGSRegLib.scene.levels import unmoved_parent
from RadGSRegLib.scene.node_contract import start_role
from RadGSRegLib.scene.placement import in_scene


def what_to_do(inputs: CaseInputs, parameters: Any) -> list[str]:
    """What the user has to do before a registration can start, in the order of the panel; empty when it can.

    Args:
        inputs: The inputs as far as they are chosen.
        parameters: The module's parameters.
    """
    missing = what_is_missing(inputs, parameters)
    can_confirm = in_scene(inputs.ct) and in_scene(inputs.segmentation) and inputs.segments
    if not can_confirm or is_confirmed(parameters):
        return missing
    return [_("Confirm the level") if len(inputs.segments) == 1 else _("Confirm the levels"), *missing]


def what_is_missing(inputs: CaseInputs, parameters: Any) -> list[str]:
    """What has to be chosen or placed, the user's word for the levels aside."""
    return inputs_to_do(inputs, parameters) or _about_clicks(inputs, parameters.parameterNode)


def inputs_to_do(inputs: CaseInputs, parameters: Any) -> list[str]:
    """What has to be chosen before there is something to click."""
    todo = []
    if not in_scene(inputs.ct):
        todo.append(_("Choose a CT"))
    if not in_scene(inputs.segmentation):
        todo.append(_("Choose a segmentation"))
    elif not inputs.segments:
        todo.append(_("Tick a level"))
    todo += [
        _("Choose another model for {level}, or none").format(level=level)
        for level in inputs.segments
        if model_problem(parameters, level) is not None
    ]
    todo += _about_xrays(parameters)
    todo += [
        _("Put {{level}} into the name of the {outputs}").format(outputs=outputs)
        for outputs, name in ((_("transforms"), inputs.transform_name), (_("volumes"), inputs.reconstruction_name))
        if "{level}" not in name
    ]
    return todo


def can_click(inputs: CaseInputs) -> bool:
    """Whether there are levels, and two X-rays to mark them in."""
    return bool(inputs.segments) and sum(in_scene(xray) for xray in inputs.xrays) >= 2


def geometry_problem(xray: Any) -> RadgsError | None:
    """Why an X-ray's geometry cannot be used; None where it can."""
    try:
        check_geometry(xray_nodes.view_name(xray), xray_nodes.geometry_of(xray))
    except RadgsError as error:
        return error
    return None


def _about_xrays(parameters: Any) -> list[str]:
    xrays = (parameters.xray1, parameters.xray2)
    todo = [
        _("Choose X-ray {number}").format(number=number) for number, xray in enumerate(xrays, 1) if not in_scene(xray)
    ]
    if todo:
        return todo
    if xrays[0] is xrays[1]:
        return [_("Choose two different X-rays")]
    names = [xray_nodes.view_name(xray) for xray in xrays]
    if names[0] == names[1]:
        return [_("Rename one of the X-rays {name}").format(name=names[0])]
    todo = [_geometry_to_do(xray) for xray in xrays if geometry_problem(xray) is not None]
    return todo or _about_directions(xrays)


def _geometry_to_do(xray: Any) -> str:
    text = _("Correct the geometry of {view}") if xray_nodes.has_source(xray) else _("Load the geometry of {view}")
    return text.format(view=xray_nodes.view_name(xray))


def _about_directions(xrays: tuple[Any, ...]) -> list[str]:
    views = [
        XRayView(xray_nodes.view_name(xray), xray_nodes.pixels_of(xray), xray_nodes.geometry_of(xray)) for xray in xrays
    ]
    try:
        check_arrangement(views)
    except RadgsError:
        first, second = (view.name for view in views)
        text = _("Choose X-rays from directions further apart than {first} and {second}")
        return [text.format(first=first, second=second)]
    return []


def _about_clicks(inputs: CaseInputs, parameter_node: Any) -> list[str]:
    """A level starts from clicks in both X-rays, or from a transform."""
    todo = []
    for level in inputs.segments:
        pixels = [xray_nodes.click_pixel(parameter_node, level, xray) for xray in inputs.xrays]
        clicked = [pixel is not None for pixel in pixels]
        has_start = parameter_node.GetNodeReference(start_role(level)) is not None or unmoved_parent(inputs.ct)
        if all(clicked) or (has_start and not any(clicked)):
            continue
        views = [xray_nodes.view_name(xray) for xray, there in zip(inputs.xrays, clicked, strict=True) if not there]
        todo += [_("Click {level} in {view}").format(level=level, view=view) for view in views]
    return todo
