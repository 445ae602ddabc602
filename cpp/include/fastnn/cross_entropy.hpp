#pragma once

#include "fastnn/core/types.hpp"

namespace fastnn {

/// Sizes and settings of softmax cross-entropy.
struct SoftmaxCrossEntropy {
  Index rows, cols;
  Reduction reduction = Reduction::none;
  double label_smoothing = 0;
  bool ignores = false;  ///< rows labelled `ignored` do not count (labels only)
  std::int64_t ignored = 0;
};

/// Sizes and settings of sigmoid cross-entropy over rows * cols elements.
struct SigmoidCrossEntropy {
  Index rows, cols;
  Reduction reduction = Reduction::none;
  double label_smoothing = 0;
};

namespace cpu {

// Everywhere: T is float or double; arrays are dense and apart from each other; sizes may be 0. Throws
// std::invalid_argument before anything is written. Parallel over chunks whose size depends on the sizes
// alone; sums over rows are kept in double and added up chunk by chunk.

/// Throws std::invalid_argument if one of the n values lies outside [0, 1] by more than a thousandth, as
/// logits do: they would be taken for probabilities. A NaN passes. Parallel.
template <class T> void require_probabilities(const T* p, Index n);

/// loss[r] = weight[r] sum_k t[r, k] (ln(sum_j exp(x[r, j])) - x[r, k]), with x the logits: (rows, cols).
///
/// Either labels: (rows), or targets: (rows, cols), is not null. With smoothing s,
/// t[r, k] = (1 - s) [k = labels[r]] + s / cols, or (1 - s) targets[r, k] + s / cols. Ignored rows give 0.
/// weight: (rows) or null for ones. y: (rows, cols), the softmax of x.
/// Reduction none: loss: (rows), scale[0] = 1. Otherwise loss[0] = scale[0] * their sum, with scale[0] = 1
/// (sum), or 1 / number of rows that are not ignored (mean; an empty mean is NaN, one of ignored rows is 0).
/// Throws for a label outside [0, cols) that is not the ignored one, and for a target that is not finite.
template <class T> void softmax_cross_entropy(const SoftmaxCrossEntropy& s, const T* x,
                                              const std::int64_t* labels, const T* targets, const T* weight,
                                              T* loss, T* y, T* scale);

/// dx[r, k] = scale[0] weight[r] dy[r] (y[r, k] sum_j t[r, j] - t[r, k]); dy[0] for dy[r] if reduced.
template <class T> void softmax_cross_entropy_backward(const SoftmaxCrossEntropy& s, const T* y,
                                                       const std::int64_t* labels, const T* targets,
                                                       const T* weight, const T* scale, const T* dy, T* dx);

/// loss[i] = weight[i / cols] (max(x[i], 0) - x[i] z[i] + ln(1 + exp(-|x[i]|))), with z = (1 - s) target + s
/// / 2. Reduction none: loss: (rows, cols); otherwise loss[0], their sum or mean. weight: (rows) or null for
/// ones. Throws for a target that is not finite.
template <class T> void sigmoid_cross_entropy(const SigmoidCrossEntropy& s, const T* x, const T* targets,
                                              const T* weight, T* loss);

/// dx[i] = scale weight[i / cols] dy[i] (1 / (1 + exp(-x[i])) - z[i]); dy[0] for dy[i] if reduced, and scale
/// 1 / (rows * cols) for a mean, else 1.
template <class T> void sigmoid_cross_entropy_backward(const SigmoidCrossEntropy& s, const T* x,
                                                       const T* targets, const T* weight, const T* dy, T* dx);

}  // namespace cpu
}  // namespace fastnn
