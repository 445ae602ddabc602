#pragma once

#include "fastnn/core/types.hpp"

namespace fastnn::cpu {

// Normalisation of rows. Everywhere: x, y, dy, dx are (rows, cols), gamma and beta (cols), statistics (rows),
// all dense; T is float or double; outputs overlap no input, but for dx, which may be dy. Sizes may be 0.
// Throws std::invalid_argument if one is negative. Parallel over rows; sums over rows have an order that
// depends on the shape alone.

/// Layer normalisation (Ba, Kiros and Hinton, 2016): y = (x - mean) inverse gamma + beta, with the mean of
/// the row and inverse = 1 / sqrt(variance + epsilon), variance = sum((x - mean)^2) / cols. gamma, beta: null
/// for 1 and 0. mean, inverse: statistics for the backward pass.
template <class T> void layer_norm(const T* x, const T* gamma, const T* beta, T* y, T* mean, T* inverse,
                                   Index rows, Index cols, double epsilon);

/// Gradients of layer_norm: with xhat = (x - mean) inverse and g = dy gamma,
///   dx = inverse (g - mean(g) - xhat mean(g xhat)), dgamma = sum over rows of dy xhat, dbeta of dy.
/// dx, dgamma or dbeta that is null is not computed.
template <class T> void layer_norm_backward(const T* x, const T* gamma, const T* mean, const T* inverse,
                                            const T* dy, T* dx, T* dgamma, T* dbeta, Index rows, Index cols);

/// Normalisation by the root of the mean square (Zhang and Sennrich, 2019): y = x inverse gamma, with inverse
/// = 1 / sqrt(sum(x^2) / cols + epsilon).
template <class T>
void rms_norm(const T* x, const T* gamma, T* y, T* inverse, Index rows, Index cols, double epsilon);

/// Gradients of rms_norm: dx = inverse (g - xhat mean(g xhat)), dgamma = sum over rows of dy xhat.
template <class T> void rms_norm_backward(const T* x, const T* gamma, const T* inverse, const T* dy, T* dx,
                                          T* dgamma, Index rows, Index cols);

/// Rows of length 1: y = x / max(|x|, epsilon), with |x|^2 = sum(x^2). inverse: 1 / max(|x|, epsilon).
template <class T> void unit_norm(const T* x, T* y, T* inverse, Index rows, Index cols, double epsilon);

/// Gradient of unit_norm: dx = inverse (dy - y sum(dy y)), or inverse dy where |x| is below epsilon.
template <class T> void unit_norm_backward(const T* y, const T* inverse, const T* dy, T* dx, Index rows,
                                           Index cols, double epsilon);

}  // namespace fastnn::cpu
