"""PyTorch with the model under torch.compile: whole models only."""

from bench.peers import torch as eager
from bench.peers.torch import configure, infer, to_numpy, train, version  # noqa: F401

eager.COMPILE = True
