"""Do the views agree on the pose? What each still wants in its own plane, once they have agreed on one.

A patient who moved between the shots, or a detector that stands elsewhere than its calibration says, leaves views that
no pose can satisfy together. In its own plane a view can want the vertebra further down, turned, or larger. What it
wants across is not seen: with views at right angles, the vertebra's depth in the other view absorbs it. What the views'
edges say (``edges``) is weighed with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from radgs.case import Reason, Verdict
from radgs.geometry import LEVER_MM, FloatArray
from radgs.pipeline.edges import COARSE_MM, FINE_MM, Likeness, ct_blur, likeness
from radgs.refine import Observation, Refinement
from radgs.refine.matching import GAIN_REACH_MM, LinearisedImages, Match
from radgs.refine.solver import SILHOUETTE_THRESHOLD
from radgs.threads import map_concurrently, one_thread
from radgs.vertebra import VertebraAnatomy

#: Scales of the gradients that are compared, coarse to fine, mm.
SCALES_MM = (4.0, 2.0, 1.0)
#: Steps at each scale; one shorter than this share of the scale ends them.
STEPS, SETTLED = 4, 0.1
#: Weight of what lies around the vertebrae: further from the centre, it shows turns and sizes more sharply.
AROUND = 0.5
#: What is unexplained in one part of an image says nothing of another, so far away, mm.
TILE_MM = 25.0
#: A wish within so many of its standard deviations is none.
DOUBTFUL_SIGMA = 3.0
#: Log-odds that a pose is more than 2 mm off, of poses whose inputs can show it: per mm that both witnesses want, up to
#: ``FULL_MM``; per standard deviation of that, and of what all that the CT shows wants, up to ``FULL_SIGMA``; per
#: e-fold of the share of the vertebra's own gradients that is not explained; and per likeness lost from coarse to fine
#: edges. Fitted by ``Testing/benchmarks/fit_verdict.py``, docs/safety.md says on what.
ODDS_PER_MM, FULL_MM = 4.33, 2.5
ODDS_PER_SIGMA, ODDS_PER_SIGMA_OF_ALL, FULL_SIGMA = 0.12, 0.35, 20.0
ODDS_PER_UNEXPLAINED, ODDS_PER_LOST, ODDS_OF_ALL_UNEXPLAINED = 2.86, 124.0, -1.88
#: From which on a pose is not accepted.
CHECK_ODDS = -2.65
#: From which on it is rejected: where squares of standard deviations or lost edges are sure of it, and in any case.
SURE_REJECT_ODDS, SURE_SQUARES, SURE_LOST = 0.5, 6.0, 0.04
REJECT_ODDS = 2.0
#: Likenesses of the CT's image and the X-ray, and shares that are not explained, below this count as this.
MIN_LIKENESS, MIN_UNEXPLAINED = 0.05, 0.01
#: Further than this a view is not followed, mm.
FARTHEST_MM = 12.0


@dataclass(frozen=True)
class ViewWish:
    """What a view wants of the vertebra's image that the pose does not give it; lengths at the vertebra.

    Two witnesses have to want it: the bones alone, what lies around them held, and all that the CT shows. Tissue that
    has moved since the CT deceives the second, little contrast the first; what one of them does not want is not wanted.

    Attributes:
        view: Which.
        down_mm: Further down the image, towards the feet.
        turn_mm: Turned clockwise: how far a point 25 mm from the centre moves.
        grow_mm: Larger: how far a point 25 mm from the centre moves outward.
        sigma_mm: (3,) standard deviations of the three.
        squares_of_all: Sum of squares of what all that the CT shows wants, in its own standard deviations.
        explained: Correlation of all that the CT shows with the X-ray.
        edges: How alike the two are on the vertebra, where edges are coarse and where they are fine.
    """

    view: str
    down_mm: float
    turn_mm: float
    grow_mm: float
    sigma_mm: tuple[float, float, float]
    squares_of_all: float = 0.0
    explained: float = 1.0
    edges: Likeness = field(default_factory=Likeness)

    @property
    def values_mm(self) -> FloatArray:
        """(3,) down, turned, larger."""
        return np.array([self.down_mm, self.turn_mm, self.grow_mm])

    @property
    def size_mm(self) -> float:
        """How far the view is from being satisfied, as one length."""
        return float(np.linalg.norm(self.values_mm))

    @property
    def squares(self) -> float:
        """The sum of squares of the three, in standard deviations."""
        return float(np.sum((self.values_mm / np.array(self.sigma_mm)) ** 2))

    @property
    def sure_mm(self) -> float:
        """The same without what is within its uncertainty."""
        sure = np.abs(self.values_mm) > DOUBTFUL_SIGMA * np.array(self.sigma_mm)
        return float(np.linalg.norm(self.values_mm * sure))

    @property
    def words(self) -> str:
        """What it wants, in words."""
        down, turn, grow = self.values_mm
        wants = [
            (abs(down), f"{abs(down):.1f} mm further {'down' if down > 0 else 'up'}"),
            (abs(turn), f"turned by {np.degrees(abs(turn) / LEVER_MM):.1f} degrees"),
            (abs(grow), f"{abs(grow) / LEVER_MM:.1%} {'larger' if grow > 0 else 'smaller'}"),
        ]
        return max(wants)[1]


def disagreement_mm(wishes: Sequence[ViewWish]) -> float:
    """By how much the views surely contradict each other: what they want of the pose, together; mm."""
    return float(sum(wish.sure_mm for wish in wishes))


def lost_edges(wishes: Sequence[ViewWish]) -> float:
    """The likeness that is lost from coarse to fine edges, mean of the views."""
    return float(np.mean([wish.edges.lost for wish in wishes])) if wishes else 0.0


def log_odds(wishes: Sequence[ViewWish], similarity: float) -> float:
    """Log-odds that a pose is more than 2 mm off, by what the views still want of it and how well it explains them.

    Args:
        wishes: What each view still wants.
        similarity: Gradient correlation on the vertebra, worst view.
    """
    sigmas = np.sqrt(sum(wish.squares for wish in wishes))
    sigmas_of_all = np.sqrt(sum(wish.squares_of_all * wish.explained**2 for wish in wishes))
    return float(
        ODDS_OF_ALL_UNEXPLAINED
        + ODDS_PER_MM * min(sum(wish.size_mm for wish in wishes), FULL_MM)
        + ODDS_PER_SIGMA * min(sigmas, FULL_SIGMA)
        + ODDS_PER_SIGMA_OF_ALL * min(sigmas_of_all, FULL_SIGMA)
        + ODDS_PER_UNEXPLAINED * np.log(max(1.0 - similarity, MIN_UNEXPLAINED))
        + ODDS_PER_LOST * lost_edges(wishes)
    )


def view_findings(wishes: Sequence[ViewWish], similarity: float) -> list[tuple[Verdict, Reason]]:
    """What the views say against a pose that they agreed on; the one that says most is named.

    Args:
        wishes: What they still want.
        similarity: Gradient correlation on the vertebra, worst view.
    """
    odds = log_odds(wishes, similarity)
    if not wishes or odds <= CHECK_ODDS:
        return []
    apart, lost = sum(wish.size_mm for wish in wishes), lost_edges(wishes)
    sure = sum(wish.squares for wish in wishes) > SURE_SQUARES or lost > SURE_LOST
    by_edges = ODDS_PER_LOST * lost > ODDS_PER_MM * min(apart, FULL_MM)
    message = _words_of_edges(wishes) if by_edges else _words_of_wishes(wishes, apart)
    rejected = odds > (SURE_REJECT_ODDS if sure else REJECT_ODDS)
    return [("reject" if rejected else "check", Reason("views", message))]


def _words_of_edges(wishes: Sequence[ViewWish]) -> str:
    worst = max(wishes, key=lambda wish: wish.edges.lost)
    return (
        f"The model explains the shape in view {worst.view} better than its edges: gradient correlation "
        f"{worst.edges.coarse:.2f} at {COARSE_MM:.0f} mm, {worst.edges.fine:.2f} at {FINE_MM:.0f} mm. The CT is "
        "another patient's, or the pose is off by a millimetre or more."
    )


def _words_of_wishes(wishes: Sequence[ViewWish], apart_mm: float) -> str:
    worst = max(wishes, key=lambda wish: wish.size_mm)
    return (
        f"The views contradict each other by {apart_mm:.1f} mm: view {worst.view} wants the vertebra {worst.words}. "
        "The patient moved between the shots, that view's geometry is wrong, or the CT is another patient's."
    )


@torch.no_grad()
@one_thread()
def view_wishes(refinement: Refinement, vertebra: VertebraAnatomy, names: Sequence[str]) -> tuple[ViewWish, ...]:
    """Moves each view's image of the vertebra and its neighbours in its plane until the X-ray is matched best.

    Args:
        refinement: The pose that the views agreed on.
        vertebra: The vertebra.
        names: The views'.
    """
    observation = refinement.observation
    poses, moving = refinement.final.poses, refinement.parts
    centre = refinement.ct_to_world.apply(vertebra.centre)
    voxel = refinement.ct_to_world.rotation @ vertebra.voxel

    def wish_of(number: int) -> ViewWish:
        one = observation.view(number)
        geometry = one.geometries[0]
        parts = [part.render(pose, geometry) for part, pose in zip(moving, poses, strict=True)]
        # The neighbours' poses were found with the vertebra's, and in both views: they bear witness as it does.
        bones = torch.stack([parts[0], *parts[2:]])
        plane = _Plane(geometry.project(centre), one.pixel_mm, bones.shape[-1])
        blur = ct_blur(geometry, voxel, one.pixel_mm)
        return _wish(names[number], one, plane, bones, parts[1], blur)

    return tuple(map_concurrently(wish_of, range(len(names))))


@dataclass(frozen=True, eq=False)
class _Plane:
    """Moves of an image about a pixel: across, down, turned, larger; each in mm, the last two at ``LEVER_MM``."""

    centre: FloatArray
    pixel_mm: float
    pixels: int

    def moved(self, image: Tensor, wish: NDArray[np.float64]) -> Tensor:
        """(n, n) the image moved by (4,) across, down, turned, larger."""
        across, down, turn, grow = wish
        angle, scale = turn / LEVER_MM, 1.0 + grow / LEVER_MM
        cos, sin = np.cos(angle), np.sin(angle)
        # Where a pixel of the moved image comes from.
        back = np.array([[cos, sin], [-sin, cos]]) / scale
        shift = self.centre - back @ (self.centre + np.array([across, down]) / self.pixel_mm)
        unit = 2.0 / self.pixels  # grid_sample: -1..1 over the pixels' outer edges
        edge = np.full(2, (self.pixels - 1) / 2)
        theta = np.column_stack([back, (back @ edge + shift - edge) * unit])
        grid = functional.affine_grid(
            torch.as_tensor(theta[None], dtype=image.dtype, device=image.device), [1, 1, *image.shape], False
        )
        return functional.grid_sample(image[None, None], grid, padding_mode="border", align_corners=False)[0, 0]

    def derivatives(self, moved: Tensor, wish: NDArray[np.float64]) -> Tensor:
        """(4, n, n) how an image that was moved changes with its moves, per mm."""
        by_row, by_column = torch.gradient(moved)
        pixels = torch.arange(self.pixels, dtype=moved.dtype, device=moved.device)
        column, row = self.centre + wish[:2] / self.pixel_mm
        right, down = (pixels - float(column))[None], (pixels - float(row))[:, None]
        turned = (by_column * down - by_row * right) / LEVER_MM
        grown = -(by_column * right + by_row * down) / (LEVER_MM + float(wish[3]))
        return torch.stack([-by_column / self.pixel_mm, -by_row / self.pixel_mm, turned, grown])


@dataclass(frozen=True, eq=False)
class _Wanted:
    """How one witness would move the image.

    Attributes:
        values_mm: (3,) down, turned, larger.
        sigma_mm: (3,) standard deviations of these.
        likeness: Gradient correlation of the image, so moved, with the X-ray where the witness looks.
    """

    values_mm: FloatArray
    sigma_mm: FloatArray
    likeness: float


def _wish(name: str, one: Observation, plane: _Plane, bones: Tensor, around: Tensor, blur: FloatArray) -> ViewWish:
    """What all that the CT shows and the (B, n, n) bones alone both want, as surely as the less sure one knows it."""
    near = functional.max_pool2d((bones.abs().amax(dim=0) > SILHOUETTE_THRESHOLD).float()[None], 3, 1, 1)
    measured = one.valid > 0.99
    alone = bones.sum(dim=0)
    by_all = _wanted(one, plane, alone + around, torch.zeros_like(alone), (AROUND + (1 - AROUND) * near) * measured)
    by_bones = _wanted(one, plane, alone, around, near * measured)
    both = np.minimum(np.abs(by_all.values_mm), np.abs(by_bones.values_mm)) * np.sign(by_all.values_mm)
    down, turn, grow = np.where(by_all.values_mm * by_bones.values_mm > 0, both, 0.0).tolist()
    # A CT that explains a part of the image knows by that much less.
    explained = max(by_all.likeness, MIN_LIKENESS)
    sigma = np.hypot(by_all.sigma_mm, by_bones.sigma_mm) / explained
    squares_of_all = float(np.sum((by_all.values_mm / by_all.sigma_mm) ** 2))
    edges = likeness(one, alone + around, bones[0], blur)
    return ViewWish(name, down, turn, grow, tuple(sigma.tolist()), squares_of_all, explained, edges)


def _wanted(one: Observation, plane: _Plane, moving: Tensor, held: Tensor, weight: Tensor) -> _Wanted:
    """Moves an image (n, n) before one that is held, coarse to fine, to where the X-ray is matched best."""
    if not bool(weight.any()):
        return _Wanted(np.zeros(3), np.full(3, np.inf), 0.0)
    wish = np.zeros(4)
    for sigma_mm in SCALES_MM:
        (kernel,) = one.gradient_filters(sigma_mm / one.pixel_mm)
        match = Match(one.gradients(one.images, (kernel,)), weight, GAIN_REACH_MM / one.pixel_mm, shared_samples=1.0)
        for _ in range(STEPS):
            moved = plane.moved(moving, wish)
            both = one.compared(torch.cat([(moved + held)[None], plane.derivatives(moved, wish)]), kernel)
            state = LinearisedImages(both[:1], both[None, 1:])
            robust = match.robust_weight(state.rendered)
            system = match.normal_equations(state, robust)
            normal = system.normal + 1e-9 * np.eye(4) * np.trace(system.normal)
            step = np.linalg.solve(normal, system.gradient)
            step *= min(1.0, sigma_mm / (np.abs(step).max() + 1e-12))
            wish = wish + step
            if np.abs(step).max() < SETTLED * sigma_mm or np.abs(wish).max() > FARTHEST_MM:
                break
    covariance = _covariance(normal, match.scores(state, robust)[0], round(TILE_MM / one.pixel_mm))
    return _Wanted(wish[1:], np.sqrt(np.diag(covariance))[1:], float(match.correlation(state.rendered)[0]))


def _covariance(normal: NDArray[np.float64], scores: Tensor, tile: int) -> NDArray[np.float64]:
    """(4, 4) covariance of a wish: how much its tiles of the image differ about what they want together.

    What the CT does not know moves whole edges, so that pixels are not independent, and no noise of theirs tells how
    sure their sum is: clusters' "sandwich" (White 1980, Liang and Zeger 1986).

    Args:
        normal: (4, 4) of the normal equations.
        scores: (4, n, n) what each pixel adds to their gradient.
        tile: Side of a tile, pixels.
    """
    inverse = np.linalg.inv(normal)
    tiles = functional.avg_pool2d(scores[None], tile, ceil_mode=True, divisor_override=1)[0].flatten(1)
    sums = tiles[:, tiles.abs().amax(dim=0) > 0].cpu().double().numpy()
    few = sums.shape[1] / max(sums.shape[1] - len(normal), 1)
    covariance: NDArray[np.float64] = inverse @ (sums @ sums.T) @ inverse * few
    return covariance
