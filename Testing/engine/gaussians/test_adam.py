"""Adam's steps are those of PyTorch's."""

from __future__ import annotations

import torch

from radgs.gaussians.adam import Adam


def test_steps_are_those_of_pytorchs_optimizer() -> None:
    generator = torch.Generator().manual_seed(0)
    shapes, rates, betas = [(20, 3), (20,)], [0.1, 0.003], (0.9, 0.98)
    ours = [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes]
    theirs = [tensor.clone().requires_grad_() for tensor in ours]
    adam = Adam(ours, rates, betas)
    reference = torch.optim.Adam(
        [{"params": [tensor], "lr": rate} for tensor, rate in zip(theirs, rates, strict=True)], betas=betas
    )
    for step in range(50):
        gradients = [tensor**3 + torch.randn(tensor.shape, generator=generator) for tensor in ours]
        for tensor, gradient in zip(theirs, gradients, strict=True):
            tensor.grad = gradient.clone()
        reference.step()
        adam.step(gradients)
        for group in reference.param_groups:
            group["lr"] *= 0.97
        adam.rates = [rate * 0.97 for rate in adam.rates]
        for found, expected in zip(ours, theirs, strict=True):
            torch.testing.assert_close(found, expected.detach(), msg=lambda text, step=step: f"step {step}: {text}")
