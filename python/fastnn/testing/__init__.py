"""What proves an op: `check_op` against a reference, `gradcheck` against central differences."""

from fastnn.testing.check_op import check_op as check_op
from fastnn.testing.gradcheck import gradcheck as gradcheck
