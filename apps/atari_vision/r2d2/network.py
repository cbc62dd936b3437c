"""The recurrent Q-network: an encoder of pixels or numbers, an LSTM and a duelling head."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

State = tuple[Tensor, Tensor]  # hidden and cell, each [batch, hidden]


class Encoder(nn.Module):
    """[batch, size] features of observations: uint8 images [batch, channel, height, width] or numbers [batch, n]."""

    def __init__(self, shape: Sequence[int], size: int, bfloat16: bool = False) -> None:
        super().__init__()
        self.is_image, self.bfloat16 = len(shape) == 3, bfloat16
        if self.is_image:  # Mnih et al. 2015
            layers = [nn.Conv2d(shape[0], 32, 8, 4), nn.ReLU(), nn.Conv2d(32, 64, 4, 2), nn.ReLU()]
            convolutions = nn.Sequential(*layers, nn.Conv2d(64, 64, 3, 1), nn.ReLU(), nn.Flatten())
            with torch.no_grad():
                flat = convolutions(torch.zeros(1, *shape)).shape[1]
            self.layers = nn.Sequential(convolutions, nn.Linear(flat, size), nn.ReLU())
            self.layers.to(memory_format=torch.channels_last)
        else:
            self.layers = nn.Sequential(nn.Linear(shape[0], size), nn.ReLU())

    def forward(self, observations: Tensor) -> Tensor:
        numbers = observations.float()
        if self.is_image:
            numbers = numbers.div(255)  # the weights' channels_last makes the convolutions compute in it
        with torch.autocast(numbers.device.type, torch.bfloat16, enabled=self.bfloat16):
            return self.layers(numbers).float()


class RecurrentQNetwork(nn.Module):
    """Rescaled Q-values of every action at every step of a batch of sequences.

    Beside the observation the network is given `inputs`: its last action and what came of it (section 2.3). `memory`
    False puts a feed-forward layer of the same width where the LSTM is. With `bfloat16` the encoder, where the time
    goes, computes in it; memory and values are float32.
    """

    def __init__(
        self,
        shape: Sequence[int],
        inputs: int,
        actions: int,
        hidden: int,
        memory: bool = True,
        bfloat16: bool = False,
    ) -> None:
        super().__init__()
        self.hidden_size = hidden
        self.encoder = Encoder(shape, hidden, bfloat16)
        self.lstm = nn.LSTM(hidden + inputs, hidden, batch_first=True) if memory else None
        if self.lstm is not None:
            remember_at_first(self.lstm)
        self.flat = None if memory else nn.Sequential(nn.Linear(hidden + inputs, hidden), nn.ReLU())
        self.advantage = nn.Sequential(nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, actions))
        self.value = nn.Sequential(nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 1))

    def forward(self, observations: Tensor, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        """([batch, time, action] values, the state after the last step).

        `observations` are [batch, time, *shape], `inputs` [batch, time, input]; `state` is that before the first step.
        """
        batch, time = observations.shape[:2]
        features = self.encoder(observations.flatten(0, 1)).view(batch, time, -1)
        features, state = self.remember(torch.cat([features, inputs], dim=-1), state)
        advantage = self.advantage(features)
        return self.value(features) + advantage - advantage.mean(dim=-1, keepdim=True), state

    def remember(self, features: Tensor, state: State) -> tuple[Tensor, State]:
        """Features that know the past, and the state after them; without a memory the state stays as it is."""
        if self.lstm is None:
            assert self.flat is not None
            return self.flat(features), state
        hidden, cell = (part.unsqueeze(0).contiguous() for part in state)
        outputs, (hidden, cell) = self.lstm(features, (hidden, cell))
        return outputs, (hidden.squeeze(0), cell.squeeze(0))

    def initial_state(self, batch: int) -> State:
        """Zeros: what an episode begins with."""
        device = next(self.parameters()).device
        zeros = torch.zeros(batch, self.hidden_size, device=device)
        return zeros, zeros.clone()


def remember_at_first(lstm: nn.LSTM) -> None:
    """Sets the forget gates' biases to 1 in sum, so that an untrained LSTM keeps what it saw for some steps.

    Gers et al. 2000; Jozefowicz et al. 2015. With PyTorch's own it forgets half at every step.
    """
    gate = slice(lstm.hidden_size, 2 * lstm.hidden_size)  # input, forget, cell, output
    with torch.no_grad():
        lstm.bias_ih_l0[gate] = 1
        lstm.bias_hh_l0[gate] = 0
