#pragma once

// What the bindings of normalisation share.

#include "optional.hpp"

namespace fastnn::py {

/// x as rows of its last axis.
struct RowsOf {
  Index rows, cols;

  RowsOf(const char* op, const Array& x) {
    require(op, x.ndim() > 0, "expected x with at least 1 axis, got a scalar");
    cols = x.shape(x.ndim() - 1);
    rows = 1;
    for (pyb::ssize_t i = 0; i + 1 < x.ndim(); ++i) rows *= x.shape(i);
  }
};

}  // namespace fastnn::py
