"""Adam (Kingma and Ba, ICLR 2015) for a handful of tensors that are fitted while somebody waits.

``torch.optim`` has it too and is what training uses; making its first optimizer imports ``torch._dynamo``, which takes
as long as a whole fit.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

#: Added to the root of the mean square, in the parameter's own unit.
EPSILON = 1e-8


class Adam:
    """Steps of a given size for each tensor, whatever the size of its gradient.

    Args:
        parameters: Leaves; changed in place.
        rates: The step of each, in its own unit.
        betas: How much of the mean gradient and of the mean square the next step keeps.
    """

    def __init__(
        self, parameters: Sequence[Tensor], rates: Sequence[float], betas: tuple[float, float] = (0.9, 0.999)
    ) -> None:
        self.parameters, self.rates = list(parameters), list(rates)
        self._betas, self._steps = betas, 0
        self._means = [torch.zeros_like(parameter) for parameter in self.parameters]
        self._squares = [torch.zeros_like(parameter) for parameter in self.parameters]

    @torch.no_grad()
    def step(self, gradients: Sequence[Tensor]) -> None:
        """Moves every tensor against its gradient.

        Args:
            gradients: Of the same shapes as the parameters.
        """
        self._steps += 1
        first, second = self._betas
        # Both means begin at zero; what that takes off them is made up for.
        mean_share, square_share = 1.0 - first**self._steps, 1.0 - second**self._steps
        for parameter, rate, gradient, mean, square in zip(
            self.parameters, self.rates, gradients, self._means, self._squares, strict=True
        ):
            mean.lerp_(gradient, 1.0 - first)
            square.mul_(second).addcmul_(gradient, gradient, value=1.0 - second)
            parameter.addcdiv_(mean, (square / square_share).sqrt_().add_(EPSILON), value=-rate / mean_share)
