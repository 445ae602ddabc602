#pragma once

#include "fastnn/elementwise.hpp"

namespace fastnn {

/// What a batch is normalised as: rows of samples (pixels, time steps), each of so many channels.
struct BatchNormShape {
  Index rows = 0, channels = 0;

  /// Throws std::invalid_argument("[op] ...") if one is negative.
  void check(const char* op) const;
};

/// True for the activations that normalisation applies in its own pass: linear, relu, leaky_relu,
/// bounded_relu, silu.
bool norm_activation(Unary op);

namespace cpu {

// Everywhere: x, y, dy, dx are (rows, channels), parameters and statistics (channels), all dense; T is float
// or double; outputs overlap no input. Sizes may be 0. Parallel; sums have an order that depends on the shape
// alone.

/// Normalisation by the statistics of the batch (Ioffe and Szegedy, 2015): per channel
///   mean = sum(x) / n, variance = sum((x - mean)^2) / n,
///   y = activation((x - mean) inverse gamma + beta), inverse = 1 / sqrt(variance + epsilon).
///
/// gamma, beta: null for 1 and 0. keep: null, or one byte for each row: only the n rows with one that is not
/// 0 count in the statistics, which are 0 if there are none. mean, inverse: statistics, written for the
/// backward pass. moving_mean, moving_variance: null, or updated: m = momentum m + (1 - momentum) statistic;
/// left as they are if no row counts.
///
/// Statistics are taken in one pass over memory: blocks of 64 rows are shifted by their first row, whose
/// distance from the mean of the block can cost at most 6 of the bits of the variance, and blocks are merged
/// in double (Chan, Golub and LeVeque, 1983).
template <class T> void batch_norm(const T* x, const T* gamma, const T* beta, const std::uint8_t* keep, T* y,
                                   T* mean, T* inverse, T* moving_mean, T* moving_variance,
                                   const BatchNormShape& shape, double momentum, double epsilon,
                                   Unary activation, const UnaryParameters& parameters);

/// Normalisation by given statistics: y = activation((x - mean) inverse gamma + beta), with inverse
/// = 1 / sqrt(variance + epsilon), which is written for the backward pass unless null.
template <class T> void batch_norm_inference(const T* x, const T* gamma, const T* beta, const T* mean,
                                             const T* variance, T* y, T* inverse, const BatchNormShape& shape,
                                             double epsilon, Unary activation,
                                             const UnaryParameters& parameters);

/// Gradients of batch_norm: with xhat = (x - mean) inverse and dz = dy activation'(...),
///   dbeta = sum(dz), dgamma = sum(dz xhat), dx = gamma inverse (dz - dbeta / n - xhat dgamma / n),
/// where rows that do not count in the statistics get dx = gamma inverse dz.
/// dx, dgamma or dbeta that is null is not computed.
template <class T>
void batch_norm_backward(const T* x, const T* gamma, const T* beta, const std::uint8_t* keep, const T* mean,
                         const T* inverse, const T* dy, T* dx, T* dgamma, T* dbeta,
                         const BatchNormShape& shape, Unary activation, const UnaryParameters& parameters);

/// Gradients of batch_norm_inference: dx = gamma inverse dz; dbeta and dgamma as above.
template <class T> void batch_norm_inference_backward(const T* x, const T* gamma, const T* beta,
                                                      const T* mean, const T* inverse, const T* dy, T* dx,
                                                      T* dgamma, T* dbeta, const BatchNormShape& shape,
                                                      Unary activation, const UnaryParameters& parameters);

}  // namespace cpu
}  // namespace fastnn
