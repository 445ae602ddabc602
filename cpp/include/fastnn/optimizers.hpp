#pragma once

#include "fastnn/core/types.hpp"

// One update step over flat buffers. Only the elements inside `runs` are read and changed, so that
// freezing a variable changes the runs and nothing else. What differs from step to step (learning rate,
// step count) is read from memory when the call runs. T is float or double. Buffers do not overlap.
// Parallel above a grain. Throws std::invalid_argument for a negative offset or length.

namespace fastnn {

/// Elements [offset, offset + length) of a flat buffer.
struct Run {
  Index offset, length;
};

struct SgdSettings {
  double momentum = 0;
  bool nesterov = false;
};

struct RmspropSettings {
  double rho = 0.9, momentum = 0, epsilon = 1e-7;
};

struct AdamSettings {
  double beta_1 = 0.9, beta_2 = 0.999, epsilon = 1e-7;
};

namespace cpu {

/// Gradient descent. Without velocity (null): p -= lr g. With it: v = momentum v - lr g, and then
/// p += v, or p += momentum v - lr g for Nesterov's form (Sutskever et al., 2013).
template <class T> void sgd(T* p, const T* g, T* velocity, const Run* runs, Index run_count,
                            const double* learning_rate, const SgdSettings& settings);

/// RMSprop (Hinton, 2012): s = rho s + (1 - rho) g^2, p -= lr g / sqrt(s + epsilon).
/// mean (may be null): centered, s - mean^2 in place of s, mean = rho mean + (1 - rho) g.
/// velocity (may be null): v = momentum v + update, p -= v.
template <class T> void rmsprop(T* p, const T* g, T* s, T* mean, T* velocity, const Run* runs,
                                Index run_count, const double* learning_rate,
                                const RmspropSettings& settings);

/// Adam (Kingma and Ba, 2015, the form before section 2.1), at step t = *step, which counts from 1:
/// m += (1 - beta_1)(g - m), v += (1 - beta_2)(g^2 - v),
/// p -= lr sqrt(1 - beta_2^t) / (1 - beta_1^t) m / (sqrt(v) + epsilon).
/// largest (may be null): AMSGrad, the largest v so far in place of v.
template <class T> void adam(T* p, const T* g, T* m, T* v, T* largest, const Run* runs, Index run_count,
                             const double* learning_rate, const std::int64_t* step,
                             const AdamSettings& settings);

}  // namespace cpu
}  // namespace fastnn
