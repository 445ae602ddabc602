// Two passes over memory forward, two backward: the first takes statistics or sums of blocks of rows, the
// second scales. It goes from the last block to the first, whose rows are still in the cache then.

#include "fastnn/batch_norm.hpp"

#include "column_norm.hpp"
#include "kernel.hpp"

#if FASTNN_ENTRY
#include <cmath>

#include "check.hpp"

namespace fastnn {

void BatchNormShape::check(const char* op) const {
  fastnn::check(op, rows >= 0 && channels >= 0, "expected rows, channels >= 0, got (", rows, ", ", channels,
                ")");
}

bool norm_activation(Unary op) {
  return op == Unary::linear || op == Unary::relu || op == Unary::leaky_relu || op == Unary::bounded_relu ||
         op == Unary::silu;
}

namespace cpu {
namespace {

double kept_rows(const std::uint8_t* keep, Index rows) {
  return keep ? double(rows - std::count(keep, keep + rows, 0)) : double(rows);
}

/// The moments of each channel. memory: room for two numbers a channel.
template <class T>
Moments batch_moments(const T* x, const std::uint8_t* keep, const BatchNormShape& s, double* memory) {
  const ColumnBlocks blocks(1, s.rows, s.channels, !keep);
  const auto kernel = FASTNN_SELECT(column_moments<T>);
  std::fill_n(memory, 2 * s.channels, 0.0);
  Moments all{0, memory, memory + s.channels};
  add_up_blocks(
      blocks, s.channels,
      [&](const auto& b, double* mean, double* squares) {
        kernel(x + b.first, keep ? keep + b.row : nullptr, b.rows, b.cols, mean, squares);
      },
      [&](const auto& b, const double* mean, const double* squares) {
        all.merge(keep ? kept_rows(keep + b.row, b.count) : double(b.rows), mean, squares, s.channels);
      });
  return all;
}

/// Sets what xhat gamma + beta is made with.
template <class T>
void set_scale(ColumnParameters<T>& own, const T* gamma, const T* beta, const T* mean, const T* inverse) {
  own.set(0, own.mean, [=](Index c) { return mean[c]; });
  own.set(0, own.scale, [=](Index c) { return gamma ? gamma[c] * inverse[c] : inverse[c]; });
  own.set(0, own.shift, [=](Index c) { return beta ? beta[c] : T(0); });
}

/// y = activation((x - mean) inverse gamma + beta).
template <class T> void scale(const T* x, const T* gamma, const T* beta, const T* mean, const T* inverse,
                              T* y, const BatchNormShape& s, Unary activation, const UnaryParameters& p) {
  const ColumnBlocks blocks(1, s.rows, s.channels);
  ColumnParameters<T> own(1, blocks);
  set_scale(own, gamma, beta, mean, inverse);
  const auto kernel = FASTNN_SELECT(column_scale<T>);
  blocks.each_backward([&](Index, const auto& b) {
    kernel(activation, x + b.first, own.get(0, own.mean), own.get(0, own.scale), own.get(0, own.shift),
           y + b.first, b.rows, b.cols, p);
  });
}

void check_activation(const char* op, Unary activation) {
  check(op, norm_activation(activation),
        "expected activation linear, relu, leaky_relu, bounded_relu or silu, "
        "got number ",
        int(activation));
}

/// The backward pass: through the statistics, too, unless they were given.
template <class T> void backward(const T* x, const T* gamma, const T* beta, const std::uint8_t* keep,
                                 const T* mean, const T* inverse, const T* dy, T* dx, T* dgamma, T* dbeta,
                                 const BatchNormShape& s, Unary activation, const UnaryParameters& p,
                                 bool given) {
  const ColumnBlocks blocks(1, s.rows, s.channels, !keep);
  const Index channels = s.channels;
  ColumnParameters<T> own(1, blocks);
  set_scale(own, gamma, beta, mean, inverse);
  const T *const center = own.get(0, own.mean), *const scale = own.get(0, own.scale),
                 *const shift = own.get(0, own.shift);
  const double n = kept_rows(keep, s.rows);
  const bool through = !given && n > 0;
  if (dgamma || dbeta || through) {
    const Workspace<double> totals(std::size_t(2 * channels));
    double *const sums = totals.data(), *const products = sums + channels;
    std::fill_n(sums, 2 * channels, 0.0);
    const auto kernel = FASTNN_SELECT(column_sums<T>);
    add_up_blocks(
        blocks, channels,
        [&](const auto& b, double* part, double* part_products) {
          kernel(activation, x + b.first, dy + b.first, center, scale, shift, b.rows, b.cols, part,
                 part_products, p);
        },
        [&](const auto&, const double* part, const double* part_products) {
          for (Index c = 0; c < channels; ++c) sums[c] += part[c];
          for (Index c = 0; c < channels; ++c) products[c] += part_products[c];
        });
    for (Index c = 0; dbeta && c < channels; ++c) dbeta[c] = T(sums[c]);
    for (Index c = 0; dgamma && c < channels; ++c) dgamma[c] = T(products[c] * double(inverse[c]));
    own.set(0, own.offset, [=](Index c) { return T(-double(scale[c]) * sums[c] / n); });
    own.set(0, own.slope, [=](Index c) {
      return T(-double(scale[c]) * double(inverse[c]) * double(inverse[c]) * products[c] / n);
    });
  }
  if (!dx) return;
  const auto kernel = FASTNN_SELECT(column_backward<T>);
  blocks.each_backward([&](Index, const auto& b) {
    kernel(activation, x + b.first, dy + b.first, keep ? keep + b.row : nullptr, center, scale, shift,
           own.get(0, own.offset), through ? own.get(0, own.slope) : nullptr, dx + b.first, b.rows, b.cols,
           p);
  });
}

}  // namespace

template <class T> void batch_norm(const T* x, const T* gamma, const T* beta, const std::uint8_t* keep, T* y,
                                   T* mean, T* inverse, T* moving_mean, T* moving_variance,
                                   const BatchNormShape& s, double momentum, double epsilon, Unary activation,
                                   const UnaryParameters& p) {
  s.check("batch_norm");
  check_activation("batch_norm", activation);
  const Workspace<double> memory(std::size_t(2 * s.channels));
  const Moments moments = batch_moments(x, keep, s, memory.data());
  const double n = moments.count > 0 ? moments.count : 1;
  for (Index c = 0; c < s.channels; ++c) {
    const double variance = moments.squares[c] / n;
    mean[c] = T(moments.mean[c]);
    inverse[c] = T(1 / std::sqrt(variance + epsilon));
    if (moving_mean && moments.count > 0)
      moving_mean[c] = T(momentum * double(moving_mean[c]) + (1 - momentum) * moments.mean[c]);
    if (moving_variance && moments.count > 0)
      moving_variance[c] = T(momentum * double(moving_variance[c]) + (1 - momentum) * variance);
  }
  scale(x, gamma, beta, mean, inverse, y, s, activation, p);
}
FASTNN_INSTANTIATE(batch_norm)

template <class T> void batch_norm_inference(const T* x, const T* gamma, const T* beta, const T* mean,
                                             const T* variance, T* y, T* inverse, const BatchNormShape& s,
                                             double epsilon, Unary activation, const UnaryParameters& p) {
  s.check("batch_norm_inference");
  check_activation("batch_norm_inference", activation);
  const Workspace<T> memory(std::size_t(inverse ? 0 : s.channels));
  T* const own = inverse ? inverse : memory.data();
  for (Index c = 0; c < s.channels; ++c) own[c] = T(1 / std::sqrt(double(variance[c]) + epsilon));
  scale(x, gamma, beta, mean, own, y, s, activation, p);
}
FASTNN_INSTANTIATE(batch_norm_inference)

template <class T> void batch_norm_backward(const T* x, const T* gamma, const T* beta,
                                            const std::uint8_t* keep, const T* mean, const T* inverse,
                                            const T* dy, T* dx, T* dgamma, T* dbeta, const BatchNormShape& s,
                                            Unary activation, const UnaryParameters& p) {
  s.check("batch_norm_backward");
  check_activation("batch_norm_backward", activation);
  backward(x, gamma, beta, keep, mean, inverse, dy, dx, dgamma, dbeta, s, activation, p, false);
}
FASTNN_INSTANTIATE(batch_norm_backward)

template <class T> void batch_norm_inference_backward(const T* x, const T* gamma, const T* beta,
                                                      const T* mean, const T* inverse, const T* dy, T* dx,
                                                      T* dgamma, T* dbeta, const BatchNormShape& s,
                                                      Unary activation, const UnaryParameters& p) {
  s.check("batch_norm_inference_backward");
  check_activation("batch_norm_inference_backward", activation);
  backward<T>(x, gamma, beta, nullptr, mean, inverse, dy, dx, dgamma, dbeta, s, activation, p, true);
}
FASTNN_INSTANTIATE(batch_norm_inference_backward)

}  // namespace cpu
}  // namespace fastnn
#endif
