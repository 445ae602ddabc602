#pragma once

// The gradient of correlations of narrow windows that move pixel by pixel with respect to their kernel
// (tap_gradient_kernel.hpp). A line is a channel of x under one row of the window. Some rows of the results
// are added up for as many lines as registers hold, a vector of channels at a time.

#include "conv_kernels.hpp"
#include "conv_parts.hpp"
#include "correlation.hpp"
#include "parallel.hpp"
#include "workspace.hpp"

namespace fastnn::cpu {

template <class T> class TapGradient {
 public:
  TapGradient(const ConvKernels<T>& run, const Correlation& s, const T* x, const T* dy)
      : run_(run), s_(s), x_(x), dy_(dy), lines_(s.rows.taps * s.c) {}

  /// Whether it is faster than the general way: columns for one vector, or rows that fill no tile of that;
  /// and not many pixels that but few windows reach, unless these are left out.
  static bool pays(const ConvKernels<T>& run, const Correlation& s) {
    const auto moves = [](const Sweep& a) { return a.shift_step == 1 && a.in_step == 1; };
    if (!moves(s.rows) || !moves(s.cols) || s.groups > 1) return false;
    const bool few = s.o <= run.lanes || (s.c < run.tile_rows && s.o <= kMostColumns);
    if (!few || (s.cols.taps != 3 && s.cols.taps != 5)) return false;
    const bool inner = !s.cols.leaves_source() && s.cols.taps == 5 && run.tap_lines(5) == 5;
    return 4 * s.cols.in <= 5 * s.cols.out || (inner && s.rows.taps * s.c % 5 == 0);
  }

  void operator()(T* dw) const {
    const Index size = s_.depth() * s_.o, rows = s_.n * s_.rows.count, pixels = rows * s_.cols.count;
    const Index most = std::min({kMaxParts, std::max<Index>(1, kElements / size), std::max<Index>(1, rows)});
    const Index tasks =
        std::clamp<Index>(std::min(pixels * size / kGrainMultiplies, pixels / kPixels), 1, most);
    const Workspace<T> memory(std::size_t(tasks > 1 ? tasks * size : 0));
    parallel_tasks(tasks, [&](Index task) {
      T* const to = tasks > 1 ? memory.data() + task * size : dw;
      std::fill_n(to, size, T(0));
      range(to, rows * task / tasks, rows * (task + 1) / tasks);
    });
    if (tasks > 1) add_parts(run_, memory.data(), size, tasks, dw);
  }

 private:
  /// Channels out, beyond which those of x are read again and again.
  static constexpr Index kMostColumns = 64;
  /// Copies of dw at most, elements of them all, and pixels that outweigh adding one up.
  static constexpr Index kMaxParts = 16, kElements = 1 << 22, kPixels = 256;
  /// Elements of x and dy that are gone through for all of dw before the next ones: 24 KiB of floats.
  static constexpr Index kBlock = 6 * 1024;

  /// Adds the rows [begin, end) of results.
  void range(T* dw, Index begin, Index end) const {
    const Index most = run_.tap_lines(s_.cols.taps), groups = parts(lines_, most);
    const Index block = std::clamp<Index>(kBlock / (s_.cols.in * s_.c + s_.cols.out * s_.o), 1, 64);
    const Workspace<T> zeros(std::size_t(s_.cols.in * s_.c));
    std::fill_n(zeros.data(), s_.cols.in * s_.c, T(0));
    const Workspace<const T*> lines(std::size_t(block * most));
    const Workspace<Index> tables(std::size_t(most + 2 * block));
    Index *const places = tables.data(), *const images = places + most, *const rows = images + block;
    for (Index row = begin; row < end; row += block) {
      TapProduct<T> p;
      p.rows = std::min(block, end - row);
      p.x = lines.data(), p.x_pixel = s_.c, p.in = s_.cols.in, p.left = -s_.cols.shift_first;
      p.dy_row = s_.cols.out * s_.o, p.dy_pixel = s_.o, p.out = s_.cols.out;
      p.inner = !s_.cols.leaves_source();
      p.tap = s_.w_tap, p.places = places;
      for (Index r = 0; r < p.rows; ++r)
        images[r] = (row + r) / s_.rows.count * s_.rows.in, rows[r] = (row + r) % s_.rows.count;
      p.ahead = row + block < end ? block * p.dy_row : 0;
      for (Index g = 0; g < groups; ++g) {
        const Index line = lines_ * g / groups, count = lines_ * (g + 1) / groups - line;
        for (Index i = 0; i < count; ++i) {
          const Index tap = (line + i) / s_.c, channel = (line + i) % s_.c;
          places[i] = tap * s_.w_row + channel * s_.w_in;
          for (Index r = 0; r < p.rows; ++r) {
            const Index at = rows[r] + s_.rows.shift(tap);
            lines.data()[r * count + i] = at < 0 || at >= s_.rows.in
                                              ? zeros.data()
                                              : x_ + (images[r] + at) * s_.cols.in * s_.c + channel;
          }
        }
        for (Index q = 0; q < s_.o; q += run_.lanes) {
          p.dy = dy_ + row * p.dy_row + q, p.dw = dw + q, p.width = int(std::min(run_.lanes, s_.o - q));
          run_.tap_gradient(p, s_.cols.taps, count);
        }
      }
    }
  }

  const ConvKernels<T>& run_;
  const Correlation& s_;
  const T* const x_;
  const T* const dy_;
  const Index lines_;
};

}  // namespace fastnn::cpu
