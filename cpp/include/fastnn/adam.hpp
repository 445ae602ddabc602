#pragma once

#include "fastnn/optimizers.hpp"

// Update rules with moments that are corrected for their start at zero: Adam and its kin. As in
// optimizers.hpp.

namespace fastnn {

struct AdamSettings {
  double beta_1 = 0.9, beta_2 = 0.999, epsilon = 1e-7;
  Epsilon placement = Epsilon::hat;
  bool bias_correction = true;
  UpdateSettings update = {};
};

struct AdamaxSettings {
  double beta_1 = 0.9, beta_2 = 0.999, epsilon = 1e-7;
  UpdateSettings update = {};
};

struct NadamSettings {
  double beta_1 = 0.9, beta_2 = 0.999, epsilon = 1e-7;
  UpdateSettings update = {};
};

namespace cpu {

/// Adam (Kingma and Ba, 2015) at step t = *step, which counts from 1:
/// m += (1 - beta_1)(g - m), v += (1 - beta_2)(g^2 - v), p -= lr m / (1 - beta_1^t) / root, where root is
/// sqrt(v / (1 - beta_2^t)) with epsilon as its placement says; `hat` is the form before section 2.1.
/// Without bias_correction the powers of beta_1 and beta_2 count as 0.
/// largest (may be null): AMSGrad (Reddi et al., 2018), the largest v so far in place of v.
template <class T> void adam(T* p, const T* g, T* m, T* v, T* largest, const Run* runs, Index run_count,
                             const double* scales, const double* learning_rate, const std::int64_t* step,
                             const AdamSettings& settings);

/// Adamax (Kingma and Ba, 2015, section 7.1): m as in adam(), u = max(beta_2 u, |g|),
/// p -= lr / (1 - beta_1^t) m / (u + epsilon).
template <class T> void adamax(T* p, const T* g, T* m, T* u, const Run* runs, Index run_count,
                               const double* scales, const double* learning_rate, const std::int64_t* step,
                               const AdamaxSettings& settings);

/// Nadam (Dozat, 2016): m and v as in adam(), with b(t) = beta_1 (1 - 0.96^t / 2) and B(t) = b(1) ... b(t):
/// p -= lr (b(t + 1) m / (1 - B(t + 1)) + (1 - b(t)) g / (1 - B(t))) / (sqrt(v / (1 - beta_2^t)) + epsilon).
/// product: (2,). A step and B at that step, kept from call to call; {0, 1} at first and always right to
/// begin from again.
template <class T> void nadam(T* p, const T* g, T* m, T* v, double* product, const Run* runs, Index run_count,
                              const double* scales, const double* learning_rate, const std::int64_t* step,
                              const NadamSettings& settings);

}  // namespace cpu
}  // namespace fastnn
