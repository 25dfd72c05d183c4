"""Comparing image gradients: derivatives, gains, and weights, on images whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from radgs.refine.matching import (
    LinearisedImages,
    Match,
    cauchy_weight,
    gradient_correlation,
    gradient_reach,
    image_gradient,
    local_gain,
)

SIZE = 96


def grid() -> tuple[torch.Tensor, torch.Tensor]:
    """Column and row of every pixel from the middle, float64."""
    along = torch.arange(SIZE, dtype=torch.float64) - (SIZE - 1) / 2
    return along[None, :].expand(SIZE, SIZE), along[:, None].expand(SIZE, SIZE)


def texture(seed: int, views: int = 1) -> torch.Tensor:
    """(V, 2, n, n) gradients of a random image."""
    images = torch.randn(views, SIZE, SIZE, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return image_gradient(images, 2.0)


def everywhere(views: int = 1) -> torch.Tensor:
    return torch.ones(views, SIZE, SIZE, dtype=torch.float64)


@pytest.mark.parametrize("sigma", [1.3, 2.5, 5.0])
def test_the_gradient_of_a_blob_is_that_of_a_wider_blob(sigma: float) -> None:
    """A Gaussian of width s, smoothed by sigma, has width sqrt(s^2 + sigma^2); derivatives count per sigma."""
    column, row = grid()
    width = 9.0
    wide = width**2 + sigma**2
    image = torch.exp(-(column**2 + row**2) / (2 * width**2))
    smooth = width**2 / wide * torch.exp(-(column**2 + row**2) / (2 * wide))
    gradient = image_gradient(image[None], sigma)[0]
    for channel, along in ((0, column), (1, row)):
        expected = -sigma * along / wide * smooth
        assert float((gradient[channel] - expected).abs().max()) < 0.04 * float(expected.abs().max())


def test_the_gradient_of_a_ramp_is_its_slope_and_a_constant_has_none() -> None:
    column, row = grid()
    gradient = image_gradient((0.3 * column - 0.7 * row + 5.0)[None], 2.0)[0, :, 20:-20, 20:-20] / 2.0
    torch.testing.assert_close(gradient[0], torch.full_like(gradient[0], 0.3), rtol=0.05, atol=0)
    torch.testing.assert_close(gradient[1], torch.full_like(gradient[1], -0.7), rtol=0.05, atol=0)
    assert float(image_gradient(torch.full((1, SIZE, SIZE), 7.0), 3.0).abs().max()) < 1e-5


@pytest.mark.parametrize("sigma", [0.5, 1.3, 4.0])
def test_a_gradient_sees_no_further_than_its_reach(sigma: float) -> None:
    image = torch.zeros(1, SIZE, SIZE)
    image[0, 48, 48] = 1.0
    seen = image_gradient(image, sigma)[0].abs().sum(dim=0) > 0
    rows, columns = torch.nonzero(seen, as_tuple=True)
    furthest = max(int((rows - 48).abs().max()), int((columns - 48).abs().max()))
    assert furthest <= gradient_reach(sigma)


def test_one_gain_for_the_whole_image_is_found_exactly() -> None:
    rendered = texture(0, views=2)
    gains = torch.tensor([0.4, 2.5], dtype=torch.float64)[:, None, None, None]
    found = local_gain(gains * rendered, rendered, everywhere(2), reach=8.0)
    torch.testing.assert_close(found, gains.expand_as(found), rtol=1e-6, atol=0)


def test_a_gain_that_varies_smoothly_is_followed_where_the_model_has_edges() -> None:
    """Half of the picture has edges; there the gain falls from 1.4 to 0.6, and the estimate with it."""
    column, _ = grid()
    field = 1.0 - 0.4 * column / 48
    rendered = texture(0)
    rendered[..., 30:66, :] *= 8.0
    found = local_gain(field * rendered, rendered, everywhere(), reach=10.0)[0, 0, 48]
    assert bool((found[10:-10].diff() < 0).all())
    error = (found - field[48]).abs()[12:-12]
    assert float(error.max()) < 0.15
    flat = local_gain(field * rendered, rendered, everywhere(), reach=60.0)[0, 0, 48]
    assert float(error.max()) < 0.6 * float((flat - field[48]).abs()[12:-12].max())


def test_without_edges_the_gain_is_the_views_mean() -> None:
    rendered = texture(0)
    rendered[..., :48] = 0.0
    found = local_gain(1.7 * rendered, rendered, everywhere(), reach=5.0)
    torch.testing.assert_close(found[..., :20], torch.full_like(found[..., :20], 1.7), rtol=1e-6, atol=0)


def test_gains_are_positive_even_where_the_images_oppose() -> None:
    rendered = texture(0)
    assert float(local_gain(-rendered, rendered, everywhere(), reach=5.0).min()) > 0


def test_pixels_without_weight_do_not_touch_the_gain() -> None:
    rendered, weight = texture(0), everywhere()
    weight[..., 60:] = 0.0
    target = 0.8 * rendered
    junk = target.clone()
    junk[..., 60:] = 1e3 * texture(1)[..., 60:]
    torch.testing.assert_close(local_gain(junk, rendered, weight, 6.0), local_gain(target, rendered, weight, 6.0))


def test_outliers_lose_their_weight_and_the_rest_keeps_it() -> None:
    residual = 0.01 * texture(0)
    residual[0, :, 40:44, 40:44] = 5.0
    weight = cauchy_weight(residual, everywhere())
    assert float(weight[0, 41, 41]) < 0.01
    assert float(weight[0, :30].min()) > 0.8
    assert float(weight.max()) <= 1.0
    assert bool((cauchy_weight(torch.zeros_like(residual), everywhere()) == 1).all())


def test_correlation_is_one_for_like_minus_one_for_opposite_and_small_for_unrelated_gradients() -> None:
    first, other = texture(0), texture(1)
    assert gradient_correlation(3.0 * first, first, everywhere()) == pytest.approx([1.0])
    assert gradient_correlation(-first, first, everywhere()) == pytest.approx([-1.0])
    assert abs(gradient_correlation(other, first, everywhere())[0]) < 0.1


def test_the_least_squares_step_finds_the_parameters_of_a_linear_model() -> None:
    """Target = gain (rendered + J x): one Gauss-Newton step returns x, whatever the gain, up to its own freedom."""
    rendered = texture(0, views=2)
    jacobian = torch.stack([texture(seed, views=2) for seed in (2, 3, 4)], dim=1)
    wanted = np.array([0.05, -0.08, 0.03])
    moved = rendered + torch.einsum("vpcij,p->vcij", jacobian, torch.from_numpy(wanted))
    match = Match(target=1.6 * moved, pixel_weight=everywhere(2), reach=40.0, shared_samples=1.0)
    system = match.normal_equations(LinearisedImages(rendered, jacobian), everywhere(2))
    np.testing.assert_allclose(np.linalg.solve(system.normal, system.gradient), wanted, atol=5e-3)
    assert match.cost(moved, everywhere(2)) < 1e-6 < match.cost(rendered, everywhere(2))


def test_pixels_scores_add_up_to_the_gradient_of_the_normal_equations() -> None:
    jacobian = torch.stack([texture(seed, views=2) for seed in (5, 6, 7)], dim=1)
    state = LinearisedImages(texture(3, views=2) + 0.3 * texture(4, views=2), jacobian)
    match = Match(texture(3, views=2), everywhere(2), reach=20.0, shared_samples=1.0)
    weight = match.robust_weight(state.rendered)
    scores = match.scores(state, weight)
    assert scores.shape == (2, 3, SIZE, SIZE)
    np.testing.assert_allclose(
        scores.sum(dim=(0, 2, 3)).numpy(), match.normal_equations(state, weight).gradient, rtol=1e-9, atol=1e-12
    )
