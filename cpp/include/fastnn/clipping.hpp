#pragma once

#include "fastnn/optimizers.hpp"

// Clipping gradients by their norm in two passes: the norm of each run, and from it the factor that an
// update rule multiplies the run's gradient with. Nothing is written to the gradients.

namespace fastnn {

/// limit: the largest norm, of all runs together if joint, else of each by itself. factor: what the gradients
/// are multiplied with before that.
struct ClipSettings {
  double limit = 1, factor = 1;
  bool joint = false;
};

namespace cpu {

/// squares[r] = sum of g^2 in run r. Blocks of a few hundred elements are added up in T, and then in double,
/// in an order that depends on the lengths alone. Parallel. Throws std::invalid_argument for a negative
/// offset or length. T is float or double.
template <class T> void squared_norms(const T* g, double* squares, const Run* runs, Index run_count);

/// scales[r] = factor limit / norm, or factor where the norm |factor| sqrt(squares[r]) is at most limit; 0
/// where it is infinite, NaN where it is NaN. joint: one norm from the sum of all squares, and NaN
/// where it is not finite, so that a step that went wrong is seen.
void clip_factors(const double* squares, double* scales, Index count, const ClipSettings& settings);

}  // namespace cpu
}  // namespace fastnn
