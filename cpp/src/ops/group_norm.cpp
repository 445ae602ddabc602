// The passes of batch_norm.cpp over the blocks of each sample. What channels have is put together by groups.

#include "fastnn/group_norm.hpp"

#include "column_norm.hpp"
#include "kernel.hpp"

#if FASTNN_ENTRY
#include <cmath>

#include "check.hpp"

namespace fastnn {

void GroupNormShape::check(const char* op) const {
  fastnn::check(op, samples >= 0 && rows >= 0 && channels >= 0,
                "expected samples, rows, channels >= 0, got (", samples, ", ", rows, ", ", channels, ")");
  fastnn::check(op, groups > 0 && channels % groups == 0, "expected groups that divide the ", channels,
                " channels, got ", groups);
}

namespace cpu {
namespace {

template <class T> class Groups {
 public:
  Groups(const GroupNormShape& shape, const T* gamma, const T* beta)
      : shape_(shape),
        blocks_(shape.samples, shape.rows, shape.channels),
        own_(shape.samples, blocks_),
        gamma_(gamma),
        beta_(beta) {}

  /// Calls fn(sample, group) for each, in parallel.
  template <typename Fn> void each(const Fn& fn) const {
    parallel_ranges(shape_.samples, shape_.channels * 8, [&](Index begin, Index end) {
      for (Index sample = begin; sample < end; ++sample)
        for (Index group = 0; group < shape_.groups; ++group) fn(sample, group);
    });
  }

  void statistics(const T* x, double epsilon, T* mean, T* inverse) const {
    const Index channels = shape_.channels, size = shape_.group_size();
    const Workspace<double> memory(std::size_t(shape_.samples * 2 * channels));
    std::fill_n(memory.data(), shape_.samples * 2 * channels, 0.0);
    const auto of = [&](Index sample, double count) {
      double* const at = memory.data() + sample * 2 * channels;
      return Moments{count, at, at + channels};
    };
    const auto kernel = FASTNN_SELECT(column_moments<T>);
    Index sample = -1;
    double count = 0;
    add_up_blocks(
        blocks_, channels,
        [&](const auto& b, double* m, double* s) { kernel(x + b.first, nullptr, b.rows, b.cols, m, s); },
        [&](const auto& b, const double* m, const double* s) {
          if (b.sample != sample) count = 0;
          sample = b.sample;
          Moments all = of(sample, count);
          all.merge(double(b.rows), m, s, channels);
          count = all.count;
        });
    each([&](Index i, Index group) {
      const Moments channel = of(i, double(shape_.rows));
      double m = 0, s = 0;
      Moments all{0, &m, &s};
      for (Index c = group * size; c < (group + 1) * size; ++c)
        all.merge(channel.count, channel.mean + c, channel.squares + c, 1);
      mean[i * shape_.groups + group] = T(m);
      inverse[i * shape_.groups + group] = T(1 / std::sqrt(s / std::max(1.0, all.count) + epsilon));
    });
  }

  void set_scale(const T* mean, const T* inverse) {
    parallel_ranges(shape_.samples, blocks_.cols() * 4, [&](Index begin, Index end) {
      for (Index i = begin; i < end; ++i) {
        const T *const m = mean + i * shape_.groups, *const s = inverse + i * shape_.groups;
        own_.set(i, own_.mean, [&](Index c) { return m[c / shape_.group_size()]; });
        own_.set(i, own_.scale, [&](Index c) {
          const T scale = s[c / shape_.group_size()];
          return gamma_ ? gamma_[c] * scale : scale;
        });
        own_.set(i, own_.shift, [&](Index c) { return beta_ ? beta_[c] : T(0); });
      }
    });
  }

  void scale(const T* x, T* y) const {
    const auto kernel = FASTNN_SELECT(column_scale<T>);
    const bool streamed = is_streamed(y);
    blocks_.each_backward([&](Index, const auto& b) {
      kernel(Unary::linear, x + b.first, get(b, own_.mean), get(b, own_.scale), get(b, own_.shift),
             y + b.first, b.rows, b.cols, {}, streamed);
    });
  }

  void backward(const T* x, const T* inverse, const T* dy, T* dx, T* dgamma, T* dbeta) {
    const Index channels = shape_.channels;
    const Workspace<double> memory(std::size_t(shape_.samples * 2 * channels));
    std::fill_n(memory.data(), shape_.samples * 2 * channels, 0.0);
    const auto kernel = FASTNN_SELECT(column_sums<T>);
    add_up_blocks(
        blocks_, channels,
        [&](const auto& b, double* sums, double* products) {
          kernel(Unary::linear, x + b.first, dy + b.first, get(b, own_.mean), get(b, own_.scale),
                 get(b, own_.shift), b.rows, b.cols, sums, products, {});
        },
        [&](const auto& b, const double* sums, const double* products) {
          double* const to = memory.data() + b.sample * 2 * channels;
          for (Index c = 0; c < channels; ++c) to[c] += sums[c];
          for (Index c = 0; c < channels; ++c) to[channels + c] += products[c];
        });
    of_parameters(memory.data(), inverse, dgamma, dbeta);
    if (dx) of_input(memory.data(), x, inverse, dy, dx);
  }

 private:
  using Parameters = ColumnParameters<T>;

  const T* get(const ColumnBlocks::Block& b, typename Parameters::Part part) const {
    return own_.get(b.sample, part);
  }

  /// sums: of dy and of dy (x - mean), for each sample and channel.
  void of_parameters(const double* sums, const T* inverse, T* dgamma, T* dbeta) const {
    const Index channels = shape_.channels;
    for (Index c = 0; c < channels; ++c) {
      double of_gamma = 0, of_beta = 0;
      for (Index i = 0; i < shape_.samples; ++i) {
        const double* const own = sums + i * 2 * channels + c;
        of_beta += own[0];
        of_gamma += own[channels] * double(inverse[i * shape_.groups + c / shape_.group_size()]);
      }
      if (dbeta) dbeta[c] = T(of_beta);
      if (dgamma) dgamma[c] = T(of_gamma);
    }
  }

  void of_input(const double* sums, const T* x, const T* inverse, const T* dy, T* dx) {
    const Index channels = shape_.channels, size = shape_.group_size();
    const double n = double(shape_.rows * size);
    parallel_ranges(shape_.samples, blocks_.cols() * 8, [&](Index begin, Index end) {
      const Workspace<T> offsets(std::size_t(2 * shape_.groups));
      T *const offset = offsets.data(), *const slope = offset + shape_.groups;
      for (Index i = begin; i < end; ++i) {
        const double *const own = sums + i * 2 * channels, *const products = own + channels;
        for (Index group = 0; group < shape_.groups; ++group) {
          double g = 0, g_d = 0;
          for (Index c = group * size; c < (group + 1) * size; ++c) {
            g += own[c] * (gamma_ ? double(gamma_[c]) : 1);
            g_d += products[c] * (gamma_ ? double(gamma_[c]) : 1);
          }
          const double scale = double(inverse[i * shape_.groups + group]);
          offset[group] = T(-scale * g / n);
          slope[group] = T(-scale * scale * scale * g_d / n);
        }
        own_.set(i, own_.offset, [&](Index c) { return offset[c / size]; });
        own_.set(i, own_.slope, [&](Index c) { return slope[c / size]; });
      }
    });
    const auto kernel = FASTNN_SELECT(column_backward<T>);
    const bool streamed = is_streamed(dx);
    blocks_.each_backward([&](Index, const auto& b) {
      kernel(Unary::linear, x + b.first, dy + b.first, nullptr, get(b, own_.mean), get(b, own_.scale),
             get(b, own_.shift), get(b, own_.offset), get(b, own_.slope), dx + b.first, b.rows, b.cols, {},
             streamed);
    });
  }

  bool is_streamed(const T* y) const {
    const Index sample = shape_.rows * shape_.channels;
    return streams(y, shape_.samples * sample, std::gcd(blocks_.cols(), sample));
  }

  GroupNormShape shape_;
  ColumnBlocks blocks_;
  Parameters own_;
  const T *gamma_, *beta_;
};

}  // namespace

template <class T> void group_norm(const T* x, const T* gamma, const T* beta, T* y, T* mean, T* inverse,
                                   const GroupNormShape& shape, double epsilon) {
  shape.check("group_norm");
  Groups<T> groups(shape, gamma, beta);
  groups.statistics(x, epsilon, mean, inverse);
  groups.set_scale(mean, inverse);
  groups.scale(x, y);
}
FASTNN_INSTANTIATE(group_norm)

template <class T> void group_norm_backward(const T* x, const T* gamma, const T* mean, const T* inverse,
                                            const T* dy, T* dx, T* dgamma, T* dbeta,
                                            const GroupNormShape& shape) {
  shape.check("group_norm_backward");
  Groups<T> groups(shape, gamma, nullptr);
  groups.set_scale(mean, inverse);
  groups.backward(x, inverse, dy, dx, dgamma, dbeta);
}
FASTNN_INSTANTIATE(group_norm_backward)

}  // namespace cpu
}  // namespace fastnn
#endif
