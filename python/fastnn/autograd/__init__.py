"""Reverse-mode differentiation: Tensor, Variable, the tape, and `primitive`. First derivatives only."""

from fastnn.autograd.tape import GradientTape as GradientTape
from fastnn.autograd.tape import constants as constants
from fastnn.autograd.tensors import WANT as WANT
from fastnn.autograd.tensors import Differentiable as Differentiable
from fastnn.autograd.tensors import Needs as Needs
from fastnn.autograd.tensors import Tensor as Tensor
from fastnn.autograd.tensors import Variable as Variable
from fastnn.autograd.tensors import Want as Want
from fastnn.autograd.tensors import composite as composite
from fastnn.autograd.tensors import primitive as primitive
from fastnn.autograd.tensors import raw as raw
from fastnn.autograd.tensors import recording as recording
from fastnn.autograd.transforms import value_and_grad as value_and_grad
from fastnn.autograd.transforms import vjp as vjp
