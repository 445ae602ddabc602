#pragma once

// What the bindings of the recurrent ops share: shapes and activation functions.

#include <tuple>

#include "fastnn/core/recurrent.hpp"
#include "optional.hpp"
#include "unary_codes.hpp"

namespace fastnn::py {

/// A function's code and parameters, as the table of unary_codes has them.
using Activation = std::tuple<int, double, double, double>;

inline RnnActivations activations_of(const char* op, const Activation& candidate,
                                     const Activation& gate = {int(Unary::sigmoid), 0, 0, 0}) {
  const auto parameters = [](const Activation& a) {
    return UnaryParameters{std::get<1>(a), std::get<2>(a), std::get<3>(a)};
  };
  return {unary_of(op, std::get<0>(candidate)), parameters(candidate), unary_of(op, std::get<0>(gate)),
          parameters(gate)};
}

/// The sizes of a layer with `gates` columns of w and r for each unit.
inline RnnShape rnn_shape(const char* op, const Array& x, const Array& w, const Array& r, Index gates,
                          bool reverse, bool zero_masked) {
  require(op, x.ndim() == 3, "expected x with 3 axes (n, t, i), got ", x);
  require(op, r.ndim() == 2 && r.shape(1) == gates * r.shape(0), "expected r (u, ", gates, " u), got ", r);
  const Index i = x.shape(2), u = r.shape(0);
  require(op, w.ndim() == 2 && w.shape(0) == i && w.shape(1) == gates * u, "expected w (", i, ", ", gates * u,
          ") for x ", x, " and r ", r, ", got ", w);
  return {x.shape(0), x.shape(1), i, u, reverse, zero_masked};
}

}  // namespace fastnn::py
