"""What proves an op: `check_op` against a reference, `gradcheck` against central differences; `covering` cases."""

from fastnn.testing.check_op import check_op as check_op
from fastnn.testing.covering import covering as covering
from fastnn.testing.gradient_check import gradcheck as gradcheck
