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
  const Index cols = blocks.cols();
  const Workspace<double> parts(std::size_t(blocks.count() * 2 * cols));
  const auto kernel = FASTNN_SELECT(column_moments<T>);
  blocks.each([&](Index i, const auto& b) {
    double* const mean = parts.data() + i * 2 * cols;
    kernel(x + b.first, keep ? keep + b.row : nullptr, b.rows, b.cols, mean, mean + cols);
  });
  std::fill_n(memory, 2 * s.channels, 0.0);
  Moments all{0, memory, memory + s.channels};
  for (Index i = 0; i < blocks.count(); ++i) {
    const auto b = blocks.at(i);
    const double n = keep ? kept_rows(keep + b.row, b.count) : double(b.rows);
    for (Index at = 0; at < b.cols; at += s.channels) {
      const double* const mean = parts.data() + i * 2 * cols + at;
      all.merge(n, mean, mean + cols, s.channels);
    }
  }
  return all;
}

/// What a channel is scaled with, spread over the columns of the blocks.
template <class T> class Parameters {
 public:
  Parameters(const ColumnBlocks& blocks, const T* gamma, const T* beta, const T* mean, const T* inverse,
             Index channels)
      : memory_(std::size_t(6 * blocks.cols())), cols_(blocks.cols()) {
    T* const own = part(3);
    blocks.spread(mean, part(0));
    for (Index c = 0; c < channels; ++c) own[c] = gamma ? gamma[c] * inverse[c] : inverse[c];
    blocks.spread(own, part(1));
    for (Index c = 0; c < channels; ++c) own[c] = beta ? beta[c] : T(0);
    blocks.spread(own, part(2));
  }
  /// Sets offset and slope, which put the gradients of the statistics into dx.
  void set_statistics(const ColumnBlocks& blocks, const double* sums, const double* products,
                      const T* inverse, double n, Index channels) {
    T* const own = part(5);
    for (Index c = 0; c < channels; ++c) own[c] = T(-double(scale()[c]) * sums[c] / n);
    blocks.spread(own, part(3));
    for (Index c = 0; c < channels; ++c)
      own[c] = T(-double(scale()[c]) * double(inverse[c]) * double(inverse[c]) * products[c] / n);
    blocks.spread(own, part(4));
  }
  const T* mean() const { return part(0); }
  const T* scale() const { return part(1); }
  const T* shift() const { return part(2); }
  const T* offset() const { return part(3); }
  const T* slope() const { return part(4); }

 private:
  T* part(Index i) const { return memory_.data() + i * cols_; }
  Workspace<T> memory_;
  Index cols_;
};

/// y = activation((x - mean) inverse gamma + beta).
template <class T> void scale(const T* x, const T* gamma, const T* beta, const T* mean, const T* inverse,
                              T* y, const BatchNormShape& s, Unary activation, const UnaryParameters& p) {
  const ColumnBlocks blocks(1, s.rows, s.channels);
  const Parameters<T> own(blocks, gamma, beta, mean, inverse, s.channels);
  const auto kernel = FASTNN_SELECT(column_scale<T>);
  blocks.each_backward([&](Index, const auto& b) {
    kernel(activation, x + b.first, own.mean(), own.scale(), own.shift(), y + b.first, b.rows, b.cols, p);
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
  const Index cols = blocks.cols(), channels = s.channels;
  Parameters<T> own(blocks, gamma, beta, mean, inverse, channels);
  const double n = kept_rows(keep, s.rows);
  const bool through = !given && n > 0;
  if (dgamma || dbeta || through) {
    const Workspace<double> parts(std::size_t(blocks.count() * 2 * cols)), totals(std::size_t(2 * channels));
    const auto kernel = FASTNN_SELECT(column_sums<T>);
    blocks.each([&](Index i, const auto& b) {
      double* const part = parts.data() + i * 2 * cols;
      kernel(activation, x + b.first, dy + b.first, own.mean(), own.scale(), own.shift(), b.rows, b.cols,
             part, part + cols, p);
    });
    double *const sums = totals.data(), *const products = sums + channels;
    std::fill_n(sums, 2 * channels, 0.0);
    for (Index i = 0; i < blocks.count(); ++i) {
      const auto b = blocks.at(i);
      for (Index at = 0; at < b.cols; at += channels) {
        const double* const part = parts.data() + i * 2 * cols + at;
        for (Index c = 0; c < channels; ++c) sums[c] += part[c];
        for (Index c = 0; c < channels; ++c) products[c] += part[cols + c];
      }
    }
    for (Index c = 0; dbeta && c < channels; ++c) dbeta[c] = T(sums[c]);
    for (Index c = 0; dgamma && c < channels; ++c) dgamma[c] = T(products[c] * double(inverse[c]));
    if (through) own.set_statistics(blocks, sums, products, inverse, n, channels);
  }
  if (!dx) return;
  const auto kernel = FASTNN_SELECT(column_backward<T>);
  blocks.each_backward([&](Index, const auto& b) {
    kernel(activation, x + b.first, dy + b.first, keep ? keep + b.row : nullptr, own.mean(), own.scale(),
           own.shift(), own.offset(), through ? own.slope() : nullptr, dx + b.first, b.rows, b.cols, p);
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
