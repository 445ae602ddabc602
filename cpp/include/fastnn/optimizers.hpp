#pragma once

#include "fastnn/core/types.hpp"

// One update step over flat buffers. Only the elements inside `runs` are read and changed, so that
// freezing a variable changes the runs and nothing else. What differs from step to step (learning rate,
// step count, factors of the gradients) is read from memory when the call runs. T is float or double.
// Buffers do not overlap. Parallel above a grain. Throws std::invalid_argument for a negative offset or
// length, or a step below 1.
//
// Before a rule's formula: g = clip(scales[r] g) in run r, with scales null for 1; and, apart from the
// gradient ("decoupled", Loshchilov and Hutter, 2019), p -= lr weight_decay p. Both happen in the pass
// that updates, and g itself stays what it is.

namespace fastnn {

/// Elements [offset, offset + length) of a flat buffer. Weight decay passes over runs whose `decayed` is 0.
struct Run {
  Index offset, length, decayed = 1;
};

/// What every rule does besides its formula. clip_value: the largest |g|, 0 for any.
struct UpdateSettings {
  double clip_value = 0, weight_decay = 0;
};

/// Where epsilon goes beside the root of an average s of g^2, whose corrected value is s / c:
/// hat: sqrt(s) + epsilon; outside: sqrt(s / c) + epsilon; inside: sqrt(s / c + epsilon).
enum class Epsilon { hat, outside, inside };

struct SgdSettings {
  double momentum = 0, dampening = 0;
  bool nesterov = false;
  UpdateSettings update = {};
};

struct RmspropSettings {
  double rho = 0.9, momentum = 0, epsilon = 1e-7;
  Epsilon placement = Epsilon::inside;
  UpdateSettings update = {};
};

struct AdagradSettings {
  double epsilon = 1e-7;
  Epsilon placement = Epsilon::inside;
  UpdateSettings update = {};
};

struct AdadeltaSettings {
  double rho = 0.95, epsilon = 1e-7;
  UpdateSettings update = {};
};

struct LionSettings {
  double beta_1 = 0.9, beta_2 = 0.99;
  UpdateSettings update = {};
};

struct FtrlSettings {
  double power = -0.5, l1 = 0, l2 = 0, shrinkage = 0, beta = 0;
  UpdateSettings update = {};
};

namespace cpu {

/// Gradient descent. With s = lr (1 - dampening) g: p -= s without velocity (null). With it:
/// v = momentum v - s, and then p += v, or p += momentum v - s for Nesterov's form (Sutskever et al., 2013).
template <class T> void sgd(T* p, const T* g, T* velocity, const Run* runs, Index run_count,
                            const double* scales, const double* learning_rate, const SgdSettings& settings);

/// RMSprop (Hinton, 2012): s = rho s + (1 - rho) g^2, p -= lr g / sqrt(s + epsilon).
/// mean (may be null): centered, s - mean^2 in place of s, mean = rho mean + (1 - rho) g.
/// velocity (may be null): v = momentum v + update, p -= v.
template <class T> void rmsprop(T* p, const T* g, T* s, T* mean, T* velocity, const Run* runs,
                                Index run_count, const double* scales, const double* learning_rate,
                                const RmspropSettings& settings);

/// AdaGrad (Duchi et al., 2011): s += g^2, p -= lr g / sqrt(s + epsilon).
template <class T> void adagrad(T* p, const T* g, T* s, const Run* runs, Index run_count,
                                const double* scales, const double* learning_rate,
                                const AdagradSettings& settings);

/// Adadelta (Zeiler, 2012): s = rho s + (1 - rho) g^2, u = sqrt(d + epsilon) / sqrt(s + epsilon) g,
/// d = rho d + (1 - rho) u^2, p -= lr u.
template <class T> void adadelta(T* p, const T* g, T* s, T* d, const Run* runs, Index run_count,
                                 const double* scales, const double* learning_rate,
                                 const AdadeltaSettings& settings);

/// Lion (Chen et al., 2023): p -= lr sign(beta_1 m + (1 - beta_1) g), m = beta_2 m + (1 - beta_2) g.
template <class T> void lion(T* p, const T* g, T* m, const Run* runs, Index run_count, const double* scales,
                             const double* learning_rate, const LionSettings& settings);

/// FTRL-Proximal (McMahan et al., 2013) with l2 shrinkage. With q(s) = s^-power and n = s + g^2:
/// z += g + 2 shrinkage p - (q(n) - q(s)) / lr p, s = n, p = (clip(z, -l1, l1) - z) / ((q(n) + beta) / lr + 2
/// l2). power <= 0. Powers other than -1/2 and 0 are exp(-power log s), some units in the last place away.
template <class T> void ftrl(T* p, const T* g, T* s, T* z, const Run* runs, Index run_count,
                             const double* scales, const double* learning_rate, const FtrlSettings& settings);

}  // namespace cpu
}  // namespace fastnn
