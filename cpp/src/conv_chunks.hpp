#pragma once

// How a convolution is cut into pieces that stay in cache, and where their kernels find what they read.

#include <algorithm>
#include <cstring>
#include <utility>

#include "conv_kernels.hpp"
#include "correlation.hpp"

namespace fastnn {

/// Results that are computed together: several whole images, or rows of one, or part of a row.
struct Chunk {
  Index image, images, row, rows, col, cols;
  Index pixels() const { return images * rows * cols; }
};

/// All results, in chunks of about `wanted` pixels and of nearly equal size.
class Chunks {
 public:
  Chunks(Index n, Index rows, Index cols, Index wanted) : n_(n), rows_(rows), cols_(cols) {
    const auto parts = [](Index whole, Index part) { return (whole + part - 1) / part; };
    if (cols > 2 * wanted) {
      row_parts_ = rows, col_parts_ = parts(cols, wanted);
    } else if (rows * cols > wanted) {
      row_parts_ = parts(rows, std::max<Index>(1, wanted / cols));
    } else {
      image_parts_ =
          std::max<Index>(1, parts(n, std::max<Index>(1, wanted / std::max<Index>(1, rows * cols))));
      return;
    }
    image_parts_ = std::max<Index>(1, n);
  }
  Index size() const { return image_parts_ * row_parts_ * col_parts_; }
  Chunk operator[](Index i) const {
    const Index q = i % col_parts_, r = i / col_parts_ % row_parts_, m = i / col_parts_ / row_parts_;
    const auto cut = [](Index whole, Index parts, Index part) { return whole * part / parts; };
    Chunk chunk{cut(n_, image_parts_, m), 0, cut(rows_, row_parts_, r), 0, cut(cols_, col_parts_, q), 0};
    chunk.images = cut(n_, image_parts_, m + 1) - chunk.image;
    chunk.rows = cut(rows_, row_parts_, r + 1) - chunk.row;
    chunk.cols = cut(cols_, col_parts_, q + 1) - chunk.col;
    return chunk;
  }
  /// One that holds as many images, rows and columns as any.
  Chunk largest() const {
    const auto most = [](Index whole, Index parts) { return (whole + parts - 1) / parts; };
    return {0, most(n_, image_parts_), 0, most(rows_, row_parts_), 0, most(cols_, col_parts_)};
  }

 private:
  Index n_, rows_, cols_, image_parts_ = 1, row_parts_ = 1, col_parts_ = 1;
};

/// Where the first pixel of a chunk lies in the result.
inline Index result_of(const Correlation& s, const Chunk& chunk) {
  const Index row = s.rows.out_first + chunk.row * s.rows.out_step;
  const Index col = s.cols.out_first + chunk.col * s.cols.out_step;
  return ((chunk.image * s.rows.out + row) * s.cols.out + col) * s.o;
}

/// The source of a chunk: the image itself or, where windows leave it, a copy of what they cover with zeros
/// around it. Strides are the same for all chunks.
template <class T> class Source {
 public:
  Source(const T* x, const Correlation& s, const Chunk& largest, const cpu::ConvKernels<T>&)
      : x_(x), s_(s), copied_(s.depth() > 0 && (s.rows.leaves_source() || s.cols.leaves_source())) {
    pixel_ = copied_ ? s.group_c() : s.c;
    row_ = pixel_ * (copied_ ? s.cols.span(largest.cols) : s.cols.in);
    image_ = row_ * (copied_ ? s.rows.span(largest.rows) : s.rows.in);
    scratch_ = copied_ ? image_ * largest.images : 0;
  }
  Index pixel() const { return pixel_; }
  Index row() const { return row_; }
  Index image() const { return image_; }
  Index scratch() const { return scratch_; }  ///< elements
  Index channel(Index c) const { return c; }  ///< where it lies in a pixel
  /// (tap, channel) of row i of the kernel, in the order in which they lie together.
  std::pair<Index, Index> element(Index i) const { return {i / s_.group_c(), i % s_.group_c()}; }

  /// Where tap (0, 0) of the first result reads the first channel of the group; copies to scratch if it has
  /// to.
  const T* of(const Chunk& chunk, Index group, T* scratch) const {
    if (s_.depth() == 0) return x_;
    const Index first = chunk.row * s_.rows.in_step + s_.rows.shift_first;
    const Index left = chunk.col * s_.cols.in_step + s_.cols.shift_first;
    const T* const channels = x_ + group * s_.group_c();
    if (!copied_) return channels + ((chunk.image * s_.rows.in + first) * s_.cols.in + left) * s_.c;
    const Index rows = s_.rows.span(chunk.rows), cols = s_.cols.span(chunk.cols);
    for (Index m = 0; m < chunk.images; ++m)
      for (Index r = 0; r < rows; ++r) {
        T* const to = scratch + m * image_ + r * row_;
        const Index row = first + r;
        if (row < 0 || row >= s_.rows.in)
          std::fill_n(to, cols * pixel_, T(0));
        else
          copy_row(channels + ((chunk.image + m) * s_.rows.in + row) * s_.cols.in * s_.c, left, cols, to);
      }
    return scratch;
  }

 private:
  /// Columns [left, left + cols) of a row of the image, zeros where there are none.
  void copy_row(const T* x, Index left, Index cols, T* to) const {
    const Index begin = std::clamp<Index>(left, 0, s_.cols.in),
                end = std::clamp<Index>(left + cols, 0, s_.cols.in);
    const Index before = std::min(cols, std::max<Index>(0, -left)), inside = std::max<Index>(0, end - begin);
    std::fill_n(to, before * pixel_, T(0));
    to += before * pixel_;
    if (s_.groups == 1)
      std::memcpy(to, x + begin * s_.c, std::size_t(inside * pixel_) * sizeof(T));
    else
      for (Index i = 0; i < inside; ++i)
        std::memcpy(to + i * pixel_, x + (begin + i) * s_.c, std::size_t(pixel_) * sizeof(T));
    std::fill_n(to + inside * pixel_, (cols - before - inside) * pixel_, T(0));
  }

  const T* x_;
  const Correlation& s_;
  bool copied_;
  Index pixel_, row_, image_, scratch_;
};

/// The source of a chunk as a copy with zeros around it, cut by channels into blocks of as many as a tile has
/// rows: a block is an image of its own.
template <class T> class Blocks {
 public:
  Blocks(const T* x, const Correlation& s, const Chunk& largest, const cpu::ConvKernels<T>& run)
      : x_(x),
        s_(s),
        run_(run),
        row_(s.cols.span(largest.cols) * run.tile_rows),
        image_(s.rows.span(largest.rows) * row_),
        block_(image_ * largest.images) {}
  Index pixel() const { return run_.tile_rows; }
  Index row() const { return row_; }
  Index image() const { return image_; }
  Index scratch() const { return (s_.group_c() + run_.tile_rows - 1) / run_.tile_rows * block_; }
  Index channel(Index c) const { return c / run_.tile_rows * block_ + c % run_.tile_rows; }
  std::pair<Index, Index> element(Index i) const {
    const Index taps = s_.rows.taps * s_.cols.taps, first = i / (taps * run_.tile_rows) * run_.tile_rows;
    const Index some = std::min(run_.tile_rows, s_.group_c() - first), rest = i - first * taps;
    return {rest / some, first + rest % some};
  }

  const T* of(const Chunk& chunk, Index group, T* scratch) const {
    const Index first = chunk.row * s_.rows.in_step + s_.rows.shift_first;
    const Index left = chunk.col * s_.cols.in_step + s_.cols.shift_first;
    const Index rows = s_.rows.span(chunk.rows), cols = s_.cols.span(chunk.cols);
    const Index begin = std::clamp<Index>(left, 0, s_.cols.in),
                end = std::clamp<Index>(left + cols, begin, s_.cols.in);
    const Index before = std::clamp<Index>(-left, 0, cols);
    for (Index m = 0; m < chunk.images; ++m)
      for (Index r = 0; r < rows; ++r) {
        T* const to = scratch + m * image_ + r * row_;
        const bool inside = first + r >= 0 && first + r < s_.rows.in;
        zeros(to, inside ? before : cols);
        if (!inside) continue;
        const T* const line = x_ + ((chunk.image + m) * s_.rows.in + first + r) * s_.cols.in * s_.c;
        run_.block(line + begin * s_.c + group * s_.group_c(), s_.c, end - begin, s_.group_c(),
                   to + before * run_.tile_rows, block_);
        zeros(to + (before + end - begin) * run_.tile_rows, cols - before - (end - begin));
      }
    return scratch;
  }

 private:
  void zeros(T* to, Index pixels) const {
    for (Index c = 0; c < s_.group_c(); c += run_.tile_rows, to += block_)
      std::fill_n(to, pixels * run_.tile_rows, T(0));
  }

  const T* x_;
  const Correlation& s_;
  const cpu::ConvKernels<T>& run_;
  Index row_, image_, block_;
};

/// The window of a correlation as stretches of memory, each as long as possible.
struct Stretches {
  Index count, length;
  Index rows, cols, row_step, col_step;  // stretch (r, q) begins at r row_step + q col_step

  template <class T> Stretches(const Correlation& s, const Source<T>& source) {
    const bool joined = source.pixel() == s.group_c() && s.cols.shift_step == 1;
    rows = s.rows.taps, cols = joined ? std::min<Index>(1, s.cols.taps) : s.cols.taps;
    length = joined ? s.cols.taps * s.group_c() : s.group_c();
    row_step = s.rows.shift_step * source.row(), col_step = s.cols.shift_step * source.pixel();
    count = rows * cols;
  }
  void list(Index* begins) const {
    for (Index r = 0; r < rows; ++r)
      for (Index q = 0; q < cols; ++q) *begins++ = r * row_step + q * col_step;
  }
};

}  // namespace fastnn
