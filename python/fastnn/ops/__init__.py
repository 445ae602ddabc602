"""The primitives: arrays in, arrays out; Tensors while a tape records. Names are Keras's where Keras has one."""

from fastnn.autograd import dispatch as _dispatch
from fastnn.ops.concatenate import concatenate as concatenate
from fastnn.ops.concatenate import split as split
from fastnn.ops.concatenate import stack as stack
from fastnn.ops.cross_entropy import sigmoid_cross_entropy as sigmoid_cross_entropy
from fastnn.ops.cross_entropy import softmax_cross_entropy as softmax_cross_entropy
from fastnn.ops.dense import dense as dense
from fastnn.ops.dropout import dropout as dropout
from fastnn.ops.elementwise import absolute as absolute
from fastnn.ops.elementwise import add as add
from fastnn.ops.elementwise import clip as clip
from fastnn.ops.elementwise import divide as divide
from fastnn.ops.elementwise import equal as equal
from fastnn.ops.elementwise import exp as exp
from fastnn.ops.elementwise import gelu as gelu
from fastnn.ops.elementwise import greater as greater
from fastnn.ops.elementwise import greater_equal as greater_equal
from fastnn.ops.elementwise import leaky_relu as leaky_relu
from fastnn.ops.elementwise import less as less
from fastnn.ops.elementwise import less_equal as less_equal
from fastnn.ops.elementwise import log as log
from fastnn.ops.elementwise import maximum as maximum
from fastnn.ops.elementwise import minimum as minimum
from fastnn.ops.elementwise import multiply as multiply
from fastnn.ops.elementwise import negative as negative
from fastnn.ops.elementwise import not_equal as not_equal
from fastnn.ops.elementwise import power as power
from fastnn.ops.elementwise import relu as relu
from fastnn.ops.elementwise import sigmoid as sigmoid
from fastnn.ops.elementwise import softplus as softplus
from fastnn.ops.elementwise import sqrt as sqrt
from fastnn.ops.elementwise import square as square
from fastnn.ops.elementwise import subtract as subtract
from fastnn.ops.elementwise import tanh as tanh
from fastnn.ops.elementwise import true_divide as true_divide
from fastnn.ops.elementwise import where as where
from fastnn.ops.gather import one_hot as one_hot
from fastnn.ops.gather import take as take
from fastnn.ops.gemm import dot as dot
from fastnn.ops.gemm import gemm as gemm
from fastnn.ops.gemm import matmul as matmul
from fastnn.ops.getitem import getitem as getitem
from fastnn.ops.penalty import penalty as penalty
from fastnn.ops.reduce import argmax as argmax
from fastnn.ops.reduce import argmin as argmin
from fastnn.ops.reduce import count_correct as count_correct
from fastnn.ops.reduce import max as max
from fastnn.ops.reduce import mean as mean
from fastnn.ops.reduce import min as min
from fastnn.ops.reduce import sum as sum
from fastnn.ops.reduce import sum_to as sum_to
from fastnn.ops.regression_loss import huber as huber
from fastnn.ops.regression_loss import log_cosh as log_cosh
from fastnn.ops.regression_loss import mean_absolute_error as mean_absolute_error
from fastnn.ops.regression_loss import mean_squared_error as mean_squared_error
from fastnn.ops.softmax import log_softmax as log_softmax
from fastnn.ops.softmax import softmax as softmax
from fastnn.ops.transpose import reshape as reshape
from fastnn.ops.transpose import transpose as transpose
from fastnn.ops.views import broadcast_to as broadcast_to
from fastnn.ops.views import expand_dims as expand_dims
from fastnn.ops.views import squeeze as squeeze

abs = absolute  # as in Keras

_dispatch.update({name: op for name, op in globals().items() if not name.startswith("_") and callable(op)})
