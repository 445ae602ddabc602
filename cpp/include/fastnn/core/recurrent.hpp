#pragma once

#include "fastnn/elementwise.hpp"

namespace fastnn {

/// Sizes of a recurrent layer: n sequences of t time steps with i features each, u hidden units.
struct RnnShape {
  Index n = 0, t = 0, i = 0, u = 0;
  bool reverse = false;      ///< the steps are taken from the last one of x to the first
  bool zero_masked = false;  ///< y is 0 where a step is masked, in place of the output before

  /// The place in x of the step that is taken as number `step`.
  Index time(Index step) const { return reverse ? t - 1 - step : step; }
  /// Elements of a state: (n, u).
  Index state() const { return n * u; }
  /// Throws std::invalid_argument("[op] ...") if a size is negative.
  void check(const char* op) const;
};

/// The activation functions of a recurrent layer: of the candidate (and of a cell on its way out), and of the
/// gates.
struct RnnActivations {
  Unary candidate = Unary::tanh;
  UnaryParameters candidate_parameters = {};
  Unary gate = Unary::sigmoid;
  UnaryParameters gate_parameters = {};
};

}  // namespace fastnn
