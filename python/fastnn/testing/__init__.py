"""What proves an op: `check_op` against a reference, `gradcheck` against central differences."""

from fastnn.testing.check_op import check_op as check_op
from fastnn.testing.gradient_check import gradcheck as gradcheck
