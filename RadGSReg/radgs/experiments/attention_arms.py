"""The arms of the attention experiment: how each is trained from the common trunk, and what is measured of it."""

from __future__ import annotations

import copy
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from radgs.errors import InputFileError
from radgs.experiments.setting import RECM_ALONE, Progress, Setting
from radgs.io.atomic import write_text
from radgs.networks import Networks, load_networks, save_networks, with_attention
from radgs.networks.recm.attention import AttentionKind, MassAttention
from radgs.networks.recm.loss import PROJECTION_UNIT
from radgs.networks.recm.occlusion import occlusion_importance
from radgs.simulation import Exposure
from radgs.simulation.worlds import WORLDS
from radgs.training.batches import PairSource, TrainingBatch
from radgs.training.scoring import EXPOSURE_SEED, PairScore, score_pairs

#: Quanta per crop pixel in the open beam: five levels of noise, from a good exposure down to hardly any.
PHOTONS = (1e6, 2e5, 5e4, 1.2e4, 3e3)
#: The worlds in which arms are compared: scatter, and things in the way.
CLUTTER = (WORLDS["scatter-3"], WORLDS["screws"])
#: A pixel shows the vertebra where its line integral passes this.
ON_VERTEBRA = 0.1 * PROJECTION_UNIT
#: Cells along a crop that are covered one by one.
CELLS = 8


@dataclass(frozen=True)
class Arm:
    """One way to go on from the trunk.

    Attributes:
        name: For people.
        attention: Its kind.
        counterfactual: Weight of L_cal.
        reaches: What learns from it beside the attention's weights.
    """

    name: str
    attention: AttentionKind
    counterfactual: float = 0.0
    reaches: Literal["encoder", "attention"] = "attention"


NONE, ATTENTION = Arm("none", "none"), Arm("attention", "mass")
ARMS = (
    NONE,
    ATTENTION,
    Arm("attention + CAL", "mass", RECM_ALONE.step.counterfactual, "encoder"),
    Arm("CAL on the attention alone", "mass", RECM_ALONE.step.counterfactual),
)
#: Not trained: the arm with attention, under another one.
RANDOM = "random attention at inference"


@dataclass(frozen=True)
class ArmResult:
    """What is known of one training of one arm.

    Attributes:
        arm: Its name.
        seed: Of its training.
        steps: Done.
        scores: By quanta per pixel, of every held-out pair in the same order.
        shares: Of every held-out pair, the attention on the vertebra's pixels; none without attention.
        focus: Likewise, attention there over attention elsewhere.
        occlusion: Of the pairs looked at, the importance by occlusion on the vertebra's pixels, as a share.
    """

    arm: str
    seed: int
    steps: int
    scores: dict[str, list[PairScore]]
    shares: list[float]
    focus: list[float]
    occlusion: list[float]

    def save(self, path: Path) -> None:
        """Writes it as JSON.

        Raises:
            OutputError: The file cannot be written.
        """
        write_text(path, json.dumps(asdict(self)) + "\n")

    @classmethod
    def load(cls, path: Path) -> ArmResult:
        """Reads what ``save`` wrote.

        Raises:
            InputFileError: It is something else.
        """
        try:
            read = json.loads(path.read_text(encoding="utf-8"))
            scores = {level: [PairScore(**one) for one in own] for level, own in read["scores"].items()}
            return cls(**{**read, "scores": scores})
        except (OSError, ValueError, TypeError, KeyError) as problem:
            raise InputFileError(f"{path} is no result of an arm.", "Delete it; it is made again.") from problem


def trained_arm(
    setting: Setting, trunk: Networks, arm: Arm, seed: int, steps: int, folder: Path, progress: Progress
) -> Networks:
    """An arm, trained from the trunk; taken up where an earlier run stopped, or read where it is done.

    Args:
        setting: Pairs.
        trunk: Left as it is.
        arm: Which.
        seed: Of the draws.
        steps: Of the training.
        folder: Where checkpoints and networks are kept.
        progress: Told the fraction done and what is being done.
    """
    done = folder / f"{arm.name.replace(' ', '-')}_{seed}_{steps}.radgs.safetensors"
    if not done.exists():
        _train(setting, trunk, arm, seed, steps, done, progress)
    return load_networks(done).to(trunk.recm.points.device)


def _train(setting: Setting, trunk: Networks, arm: Arm, seed: int, steps: int, done: Path, progress: Progress) -> None:
    """Trains an arm and writes it to ``done``."""
    torch.manual_seed(seed)
    networks = with_attention(copy.deepcopy(trunk), arm.attention)
    step = replace(RECM_ALONE.step, counterfactual=arm.counterfactual, counterfactual_reaches=arm.reaches)
    checkpoint = done.with_suffix(".checkpoint")
    settings = replace(RECM_ALONE, step=step)
    history = setting.train(
        networks, steps, settings, f"{arm.name}, seed {seed}", progress, checkpoint=checkpoint, seed=seed
    )
    save_networks(replace(networks, record={"history": history, "arm": arm.name}), done)
    checkpoint.unlink(missing_ok=True)


def measured_arm(name: str, seed: int, steps: int, networks: Networks, setting: Setting, looks: int) -> ArmResult:
    """Scores networks on the held-out pairs at every level of noise, and asks where they look.

    Args:
        name: The arm's.
        seed: Of its training.
        steps: Likewise.
        networks: Trained.
        setting: Whose held-out pairs.
        looks: Pairs whose X-rays are covered part by part.
    """
    scores = {}
    for photons in PHOTONS:
        exposure = Exposure(photons=(photons, photons), worlds=CLUTTER, with_tools=0.5)
        scores[f"{photons:g}"] = score_pairs(networks, setting.held_out_source(networks, exposure))
    source = setting.sources(networks)[1]
    shares, focus = [], []
    if networks.recm.attention is not None:
        for index in range(len(source)):
            attention, batch = attention_of(networks, source, index)
            shares.append(share_on(attention, batch.images[0]))
            focus.append(focus_of(attention, batch.images[0]))
    occluded = [occlusion_of(networks, source, index) for index in range(min(looks, len(source)))]
    found = [share_on(importance, batch.images[0]) for importance, batch in occluded]
    return ArmResult(name, seed, steps, scores, shares, focus, found)


def randomly_attending(networks: Networks) -> Networks:
    """The same networks, whose attention is random at every look; they learn no more."""
    twin = with_attention(networks, "none")
    assert isinstance(networks.recm.attention, MassAttention)
    twin.recm.attention = RandomInstead(networks.recm.attention)  # type: ignore[assignment]
    twin.recm.eval()
    return twin


class RandomInstead(nn.Module):
    """A random attention in a learned one's place: of the same mass, and the same for the same features."""

    def __init__(self, learned: MassAttention) -> None:
        super().__init__()
        self._learned = learned

    def forward(self, features: Tensor) -> Tensor:
        """(N, C, h, w) features to (N, 1, h, w)."""
        drawn = torch.Generator().manual_seed(int(features.double().abs().sum() * 1e3) % 2**31)
        like = torch.empty(len(features), 1, *features.shape[2:])
        return self._learned.random(like, drawn).to(features)


@torch.no_grad()
def attention_of(networks: Networks, source: PairSource, index: int) -> tuple[Tensor, TrainingBatch]:
    """The attention (V, h, w) that a held-out pair gets, and the pair."""
    batch = _pair(networks, source, index)
    attention = networks.recm.eval()(batch.views).attention
    assert attention is not None
    return attention[0, :, 0], batch


def occlusion_of(networks: Networks, source: PairSource, index: int) -> tuple[Tensor, TrainingBatch]:
    """The importance (V, g, g) of a held-out pair's parts, and the pair."""
    batch = _pair(networks, source, index)
    return occlusion_importance(networks.recm.eval(), batch.views, CELLS), batch


def focus_of(attention: Tensor, vertebra: Tensor) -> float:
    """Attention (V, h, w) where images (V, P, P) show the vertebra over attention elsewhere: 1 is no focus."""
    shadow = _shadow(attention, vertebra)
    inside, outside = (attention * shadow).sum() / shadow.sum(), (attention * (1 - shadow)).sum() / (1 - shadow).sum()
    return float(inside / outside)


def share_on(attention: Tensor, vertebra: Tensor) -> float:
    """The part of all attention (V, h, w) that lies where images (V, P, P) show the vertebra."""
    return float((attention * _shadow(attention, vertebra)).sum() / attention.sum().clamp_min(1e-12))


def _shadow(like: Tensor, vertebra: Tensor) -> Tensor:
    """(V, h, w) the part of every cell of a map that the vertebra's shadow covers."""
    on = (vertebra > ON_VERTEBRA).to(like)
    return functional.adaptive_avg_pool2d(on[:, None], (like.shape[-2], like.shape[-1]))[:, 0]


def _pair(networks: Networks, source: PairSource, index: int) -> TrainingBatch:
    device = networks.recm.points.device
    return source.take([index], torch.Generator(device).manual_seed(EXPOSURE_SEED + index))
