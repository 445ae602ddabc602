#pragma once

#include "fastnn/core/types.hpp"

namespace fastnn {

/// What a regression loss makes of a residual d = x - target:
enum class Residual {
  squared,   ///< f(d) = d^2
  absolute,  ///< f(d) = |d|, with slope 0 at 0
  huber,     ///< f(d) = d^2 / 2 where |d| <= delta, delta |d| - delta^2 / 2 beyond (Huber, 1964)
  log_cosh,  ///< f(d) = ln(cosh(d)), to full relative accuracy, without overflow
};
inline constexpr int kResiduals = 4;

/// Sizes and settings of a regression loss.
struct RegressionLoss {
  Index rows, cols;
  Residual residual = Residual::squared;
  Reduction reduction = Reduction::none;
  double delta = 1;   ///< of huber
  double factor = 1;  ///< what the loss is multiplied with
};

namespace cpu {

/// loss[r] = factor weight[r] sum_c f(x[r, c] - target[r, c]) / cols; NaN for cols = 0.
///
/// x, target: (rows, cols), weight: (rows) or null for ones, dense and apart from loss. T is float or double.
/// Reduction none: loss: (rows); otherwise loss[0], their sum or mean, summed in double over chunks that
/// depend on the sizes alone. Throws std::invalid_argument if delta < 0. Parallel.
template <class T>
void regression_loss(const RegressionLoss& s, const T* x, const T* target, const T* weight, T* loss);

/// dx[r, c] = sign * factor scale weight[r] dy[r] f'(x[r, c] - target[r, c]) / cols; dy[0] for dy[r] if
/// reduced, and scale 1 / rows for a mean, else 1. With sign -1 it is the gradient with respect to target. dx
/// may be x or target. Parallel.
template <class T> void regression_loss_backward(const RegressionLoss& s, const T* x, const T* target,
                                                 const T* weight, const T* dy, T* dx, T sign);

}  // namespace cpu
}  // namespace fastnn
