"""What proves an op: `check_op` against a reference, `gradcheck` against central differences; `covering` cases."""

from fastnn.testing.check_op import check_op as check_op
from fastnn.testing.covering import covering as covering
from fastnn.testing.covering_sample import covering_sample as covering_sample
from fastnn.testing.covering_sample import missing_pairs as missing_pairs
from fastnn.testing.gradient_check import gradcheck as gradcheck
