"""The fast forms of convolutions are those of PyTorch."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from radgs.networks.layers import Convolution3d, Pointwise, ResidualBlock, doubled, put_channels_last


@pytest.mark.parametrize(("stride", "side"), [(1, 8), (1, 7), (2, 8), (2, 10)])
def test_a_single_volume_is_convolved_like_one_of_many(stride: int, side: int) -> None:
    torch.manual_seed(0)
    convolution = Convolution3d(3, 5, 3, stride, 1)
    volume = torch.rand(1, 3, side, side, side, requires_grad=True)
    expected = functional.conv3d(volume, convolution.weight, convolution.bias, stride, 1)
    found = convolution(volume)
    assert torch.allclose(found, expected, atol=1e-5)
    (ours,) = torch.autograd.grad(found.square().sum(), volume)
    (theirs,) = torch.autograd.grad(expected.square().sum(), volume)
    assert torch.allclose(ours, theirs, atol=1e-4)


@pytest.mark.parametrize("stride", [1, 2])
def test_pointwise_is_a_convolution_of_size_one(stride: int) -> None:
    torch.manual_seed(0)
    pointwise, convolution = Pointwise(4, 6, stride, bias=True), nn.Conv3d(4, 6, 1, stride)
    convolution.weight.data = pointwise.linear.weight.data[:, :, None, None, None]
    convolution.bias.data = pointwise.linear.bias.data
    volumes = torch.rand(2, 4, 6, 6, 6)
    assert torch.allclose(pointwise(volumes), convolution(volumes), atol=1e-5)


def test_a_condition_changes_what_a_block_does() -> None:
    torch.manual_seed(0)
    block, features = ResidualBlock(2, 8, 8, conditions=3), torch.rand(1, 8, 6, 6)
    first, second = (block(features, torch.tensor([direction])) for direction in ([0.0, 1.0, 0.0], [1.0, 0.0, 0.0]))
    assert not torch.allclose(first, second)


def test_doubling_keeps_a_plane_where_it_is() -> None:
    ramp = torch.arange(6.0).view(1, 1, 6, 1).expand(1, 1, 6, 6)
    fine = doubled(ramp)[0, 0, 2:-2, 0]
    assert torch.allclose(fine, torch.arange(8) / 2.0 + 0.75)


def test_channels_last_changes_the_layout_and_nothing_else() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(ResidualBlock(3, 4, 8, 2), Convolution3d(8, 8, 3, 1, 1))
    volumes = torch.rand(2, 4, 8, 8, 8)
    expected, before = net(volumes), {name: weight.clone() for name, weight in net.state_dict().items()}
    put_channels_last(net)
    assert net[1].weight.is_contiguous(memory_format=torch.channels_last_3d)
    assert not net[1].weight.is_contiguous()
    assert all(torch.equal(weight, before[name]) for name, weight in net.state_dict().items())
    assert torch.allclose(net(volumes), expected, atol=1e-5)
