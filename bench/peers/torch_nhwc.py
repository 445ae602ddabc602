"""PyTorch, eager, images and filters in channels-last order: only what handles images."""

import torch

from bench.peers import torch as eager
from bench.peers.torch import (  # noqa: F401
    avgpool_bwd,
    avgpool_fwd,
    batchnorm_bwd,
    batchnorm_fwd,
    configure,
    conv_bwd_data,
    conv_bwd_weight,
    conv_fwd,
    globalavg_bwd,
    globalavg_fwd,
    globalmax_bwd,
    globalmax_fwd,
    infer,
    maxpool_bwd,
    maxpool_fwd,
    to_numpy,
    train,
    version,
)

eager.MEMORY_FORMAT = torch.channels_last
