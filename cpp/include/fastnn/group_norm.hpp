#pragma once

#include "fastnn/core/types.hpp"

namespace fastnn {

/// What groups of channels are normalised in: samples, each of rows (pixels, time steps) of channels.
struct GroupNormShape {
  Index samples = 0, rows = 0, channels = 0, groups = 1;

  Index group_size() const { return channels / groups; }
  /// Throws std::invalid_argument("[op] ...") if one is negative, or groups do not divide channels.
  void check(const char* op) const;
};

namespace cpu {

/// Group normalisation (Wu and He, 2018): for each sample and group of adjacent channels,
///   y = (x - mean) inverse gamma + beta, with inverse = 1 / sqrt(variance + epsilon)
/// and mean and variance over the rows and channels of the group. groups = channels is instance
/// normalisation.
///
/// x, y: (samples, rows, channels), gamma, beta: (channels) or null for 1 and 0, mean, inverse:
/// (samples, groups), for the backward pass; all dense; T is float or double; outputs overlap no input. Sizes
/// may be 0. Moments are taken as in batch_norm. Parallel; sums have an order that depends on the shape
/// alone.
template <class T> void group_norm(const T* x, const T* gamma, const T* beta, T* y, T* mean, T* inverse,
                                   const GroupNormShape& shape, double epsilon);

/// Gradients of group_norm: with xhat = (x - mean) inverse and g = dy gamma, over the n elements of a group
///   dx = inverse (g - sum(g) / n - xhat sum(g xhat) / n), dgamma = sum(dy xhat), dbeta = sum(dy).
/// dx, dgamma or dbeta that is null is not computed.
template <class T> void group_norm_backward(const T* x, const T* gamma, const T* mean, const T* inverse,
                                            const T* dy, T* dx, T* dgamma, T* dbeta,
                                            const GroupNormShape& shape);

}  // namespace cpu
}  // namespace fastnn
