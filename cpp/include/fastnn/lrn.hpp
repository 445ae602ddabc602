#pragma once

#include "fastnn/core/types.hpp"

namespace fastnn {

/// Settings of local response normalisation.
struct LrnSettings {
  Index size = 5;  ///< channels in a window: from size / 2 before a channel to (size - 1) / 2 behind it
  double alpha = 1e-4, beta = 0.75, k = 2;
};

namespace cpu {

/// Local response normalisation (Krizhevsky, Sutskever and Hinton, 2012, section 3.3): y = x d^-beta with
/// d[i] = k + alpha sum_j x[j]^2 over the window of channel i, as far as there are channels.
///
/// x, y: (rows, channels), dense, T is float or double; y overlaps no input. Sizes may be 0. Throws
/// std::invalid_argument if one is negative, or size < 1. Parallel over rows.
template <class T> void lrn(const T* x, T* y, Index rows, Index channels, const LrnSettings& settings);

/// Gradient of lrn: dx[i] = dy[i] d[i]^-beta - 2 alpha beta x[i] sum_j dy[j] x[j] d[j]^(-beta - 1), over the
/// channels j whose window holds i. Same shapes and rules.
template <class T>
void lrn_backward(const T* x, const T* dy, T* dx, Index rows, Index channels, const LrnSettings& settings);

}  // namespace cpu
}  // namespace fastnn
