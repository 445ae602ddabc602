#pragma once

// The gradient of windows of one pixel with respect to their kernel: x^T dy over all pixels that windows
// stand on (point_kernel.hpp). All of dw is added up chunk by chunk of pixels, so that x and dy are
// read once; with many pixels the one of the two with fewer channels is packed, with few dy, and x where its
// pixels do not follow each other. Where dy is the one that is read as it lies, the sum is dw turned.
//
// Parts of the pixels are summed apart, as many as there are tasks worth having; these are added in order.

#include <cstring>

#include "conv_kernels.hpp"
#include "conv_parts.hpp"
#include "correlation.hpp"
#include "parallel.hpp"
#include "workspace.hpp"

namespace fastnn::cpu {

template <class T> class PointGradient {
 public:
  PointGradient(const ConvKernels<T>& run, const Correlation& s, const T* x, const T* dy)
      : run_(run), s_(s), x_(x), dy_(dy), turned_(turns(s)) {
    rows_ = turned_ ? s.o : s.c, cols_ = turned_ ? s.c : s.o;
    padded_ = up(cols_, run.lanes), panels_ = parts(parts(cols_, run.lanes), run.point_vectors);
    pixels_ = pixels(s);
  }

  /// Whether it is faster than a matrix product or the general way, which share out more rows where pixels
  /// are few, and need not add up sums.
  static bool pays(const ConvKernels<T>& run, const Correlation& s) {
    const bool points = s.rows.taps == 1 && s.cols.taps == 1 && s.groups == 1;
    if (!run.point_rows || !points || s.rows.leaves_source() || s.cols.leaves_source()) return false;
    const Index rows = turns(s) ? s.o : s.c, cols = turns(s) ? s.c : s.o;
    if (rows % kPointChannels != 0 || rows < kLeastRows || cols < kLeastColumns) return false;
    return !together(s) || pixels(s) >= kManyPixels || (!turns(s) && rows >= 4 * kPartRows);
  }

  void operator()(T* dw) const {
    const Index size = rows_ * padded_;
    const Index wanted = std::clamp<Index>(pixels_ * rows_ * cols_ / kGrainMultiplies, 1, kMaxTasks);
    const Index most = std::clamp<Index>(kPartElements / size, 1, kMaxParts);
    const Index pixel_parts = std::clamp<Index>(pixels_ / kPartPixels, 1, std::min(wanted, most));
    const Index row_parts =
        std::clamp<Index>(rows_ / kPartRows, 1, parts(std::min(wanted, kMinTasks), pixel_parts));
    const bool whole = !turned_ && padded_ == cols_;  // the sum lies as dw does
    const bool direct = whole && pixel_parts == 1;
    const Workspace<T> memory(std::size_t(direct ? 0 : pixel_parts * size));
    const Index blocks = rows_ / kPointChannels;
    parallel_tasks(pixel_parts * row_parts, [&](Index task) {
      const Index part = task / row_parts, q = task % row_parts;
      range(direct ? dw : memory.data() + part * size, pixels_ * part / pixel_parts,
            pixels_ * (part + 1) / pixel_parts, blocks * q / row_parts * kPointChannels,
            blocks * (q + 1) / row_parts * kPointChannels);
    });
    if (direct) return;
    T* const total = whole ? dw : memory.data();
    if (pixel_parts > 1) add_parts(run_, memory.data(), size, pixel_parts, total);
    if (whole) return;
    if (turned_) return run_.pack(total, 1, padded_, dw, s_.c, 0, s_.c, s_.o, 1, 0);  // turns it
    for (Index i = 0; i < rows_; ++i)
      std::memcpy(dw + i * cols_, total + i * padded_, std::size_t(cols_) * sizeof(T));
  }

 private:
  /// Pixels of a chunk: of packed b, a panel of 3 vectors stays in the first-level cache.
  static constexpr Index kPixels = 128;
  /// Sums at most, elements of them all, and pixels that outweigh adding one up.
  static constexpr Index kMaxParts = 16, kPartElements = 1 << 20, kPartPixels = 512;
  /// Where that makes fewer than kMinTasks tasks, each takes some rows, which have to outweigh packing.
  static constexpr Index kMinTasks = 8, kPartRows = 256;
  /// Channels in rows and columns at least: with fewer, tiles are over before they have asked for what is
  /// next.
  static constexpr Index kLeastRows = 48, kLeastColumns = 16;
  /// Pixels beside which turning dw and adding up sums are little.
  static constexpr Index kManyPixels = 4096;

  static bool follows(const Sweep& a) { return a.in_step == 1 && a.count == a.in; }
  static bool turns(const Correlation& s) { return !together(s) || (s.o > s.c && pixels(s) >= kManyPixels); }
  static Index pixels(const Correlation& s) { return s.n * s.rows.count * s.cols.count; }
  static bool together(const Correlation& s) { return follows(s.rows) && follows(s.cols); }

  /// Where pixel i of those that windows stand on begins in x.
  Index place(Index i) const {
    const Index col = i % s_.cols.count, line = i / s_.cols.count;
    const Index row = line % s_.rows.count * s_.rows.in_step + s_.rows.shift_first;
    return ((line / s_.rows.count * s_.rows.in + row) * s_.cols.in + col * s_.cols.in_step +
            s_.cols.shift_first) *
           s_.c;
  }

  /// Adds up rows [row, row_end) over pixels [begin, end).
  void range(T* sum, Index begin, Index end, Index row, Index row_end) const {
    const Index chunks = std::max<Index>(1, parts(end - begin, kPixels));
    const auto chunk = [&](Index i) { return begin + (end - begin) * i / chunks; };
    const Workspace<T> packed(std::size_t(parts(end - begin, chunks) * padded_));
    const Workspace<Piece> next(std::size_t(kPixels + 2));
    PointProduct<T> p;
    p.rows = row_end - row, p.cols = padded_, p.panels = panels_;
    p.a_row = 1, p.a_col = rows_, p.b = packed.data(), p.c = sum + row * padded_, p.c_row = padded_,
    p.next = next.data();
    for (Index i = 0; i < chunks; ++i) {
      const Index from = chunk(i), to = chunk(i + 1);
      p.depth = to - from, p.accumulate = i > 0;
      p.a = (turned_ ? dy_ : x_) + from * rows_ + row;
      pack(from, to, packed.data());
      p.nexts = i + 1 < chunks ? pieces(to, chunk(i + 2), next.data()) : 0;
      run_.point_multiply(p, 0, panels_);
    }
  }

  void pack(Index begin, Index end, T* packed) const {
    if (!turned_)
      return run_.pack_rows(dy_ + begin * s_.o, s_.o, packed, end - begin, s_.o, panels_, 0, end - begin);
    const Index step = s_.cols.in_step * s_.c;
    for (Index i = begin; i < end;) {
      const Index stop = together(s_) ? end : std::min(end, (i / s_.cols.count + 1) * s_.cols.count);
      run_.pack_rows(x_ + place(i) - (i - begin) * step, step, packed, end - begin, s_.c, panels_, i - begin,
                     stop - begin);
      i = stop;
    }
  }

  /// Where x and dy of pixels [begin, end) lie.
  Index pieces(Index begin, Index end, Piece* to) const {
    const auto lines = [](Index elements) { return parts(elements * Index(sizeof(T)), kLineBytes); };
    const Piece* const first = to;
    *to++ = {dy_ + begin * s_.o, lines((end - begin) * s_.o)};
    if (together(s_))
      *to++ = {x_ + begin * s_.c, lines((end - begin) * s_.c)};
    else
      for (Index i = begin; i < end; ++i) *to++ = {x_ + place(i), lines(s_.c)};
    return to - first;
  }

  const ConvKernels<T>& run_;
  const Correlation& s_;
  const T* const x_;
  const T* const dy_;
  const bool turned_;
  Index rows_, cols_, padded_, panels_, pixels_;
};

}  // namespace fastnn::cpu
