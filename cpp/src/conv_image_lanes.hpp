#pragma once

// Correlations of few channels over a batch of images (image_lanes_kernel.hpp). As columns of a product, 6
// channels would fill 6 of 16 lanes, and a tile one vector wide loads once for each multiply-add. So lanes
// are images here: rows of as many of them as a vector holds are turned, so that each pixel's channel is a
// vector,
//
//     x (image, row, col, c)  ->  (row, col, c, image)  ->  y (row, col, o, image)  ->  (image, row, col, o)
//
// and results are turned back, some rows at a time. Zeros stand left and right of a row; rows of the window
// beyond the image are left out.

#include "conv_kernels.hpp"
#include "correlation.hpp"
#include "parallel.hpp"
#include "workspace.hpp"

namespace fastnn::cpu {

/// Row `row` of the images from `image` on, turned, with the zeros that windows find left and right of it.
inline void turn_row(const ConvKernels<float>& run, const Correlation& s, const float* x, Index image,
                     Index row, float* to) {
  const Index pixel = s.c * run.lanes, left = s.cols.shift_first, span = s.cols.span(s.cols.count);
  const Index begin = std::clamp<Index>(left, 0, s.cols.in),
              end = std::clamp<Index>(left + span, begin, s.cols.in);
  const Index before = std::clamp<Index>(-left, 0, span), elements = (end - begin) * s.c;
  std::fill_n(to, before * pixel, 0.0f);
  to += before * pixel;
  run.pack(x + ((image * s.rows.in + row) * s.cols.in + begin) * s.c, 1, s.rows.in * s.cols.in * s.c, to,
           elements, 0, elements, std::min(run.lanes, s.n - image), 1, 0);
  std::fill_n(to + elements * run.lanes, (span - before - (end - begin)) * pixel, 0.0f);
}

/// Elements of a row of x and of a row of results, both turned, and how many of them the second-level cache
/// holds.
inline Index row_elements(const ConvKernels<float>& run, const Correlation& s) {
  return run.lanes * (s.cols.span(s.cols.count) * s.c + s.cols.count * s.o);
}
constexpr Index kRowElements = 256 * 1024;

/// Whether one row of one vector of images is all there is, though it is worth several threads.
inline bool is_one_task(const ConvKernels<float>& run, const Correlation& s) {
  const Index work = s.n * s.rows.count * s.cols.count * s.depth() * s.o;
  return s.n <= run.lanes && s.rows.count < 2 * s.rows.taps && work >= 2 * kGrainMultiplies;
}

/// Whether vectors of images are nearly full.
inline bool fills_lanes(Index images, Index lanes) {
  return lanes > 1 && images > 0 && 5 * images >= 4 * up(images, lanes);
}

class ImageLanes {
 public:
  ImageLanes(const ConvKernels<float>& run, const Correlation& s, const float* x, float* y,
             const ConvEpilogue<float>& epilogue)
      : run_(run),
        s_(s),
        x_(x),
        y_(y),
        epilogue_(epilogue),
        pixel_(s.c * run.lanes),
        row_(s.cols.span(s.cols.count) * pixel_),
        row_stretches_(s.cols.shift_step == 1 ? 1 : s.cols.taps),
        result_(s.cols.count * s.o * run.lanes),
        results_(std::clamp<Index>(kResultElements / result_, 1, s.rows.count)),
        sums_((std::max(results_ * s.cols.count, kImagePixels) * s.o + run.lanes) * run.lanes) {}

  /// Whether turning images costs less than lanes that go empty and loads that tiles wait for. In twentieths
  /// of a cycle for a vector's lanes of results, twice over: a step of a tile with 8 rows of one, two and
  /// three vectors takes 5.5, 9 and 12.5 cycles, to begin and to store it 60; a vector is turned in 8.
  static bool pays(const ConvKernels<float>& run, const Correlation& s) {
    if (s.groups > 1 || s.depth() == 0 || s.rows.out_step > 1 || s.cols.out_step > 1) return false;
    if (!fills_lanes(s.n, run.lanes) || s.o == 0 || s.o > kMostColumns || is_one_task(run, s)) return false;
    const Index pixels = std::min(kImagePixels, kImageTile / parts(s.o, parts(s.o, run.tile_rows)));
    if (s.cols.span(pixels) * s.c * run.lanes * Index(sizeof(float)) > kTileBytes) return false;
    if (row_elements(run, s) > kRowElements) return false;
    const Index vectors = parts(s.o, run.lanes), results = std::max<Index>(1, s.rows.count * s.cols.count);
    const Index step = (16 * vectors + (vectors == 1 ? 6 : 3)) * run.lanes / 16;
    return s.depth() * (20 * step - 21 * s.o) + 4800 > 320 * (s.c * s.rows.in * s.cols.in / results + s.o);
  }

  void operator()(const float* w) const {
    const Index blocks = parts(s_.n, run_.lanes), rows = s_.rows.count;
    const Index work = s_.n * rows * s_.cols.count * s_.depth() * s_.o;
    const Index wanted = std::clamp<Index>(work / kGrainMultiplies, 1, kMaxTasks);
    const Index bands = std::max(parts(s_.rows.span(rows) * row_, kElements),
                                 std::min(parts(std::min(wanted, kMinTasks), blocks), rows / s_.rows.taps));
    const Index band = parts(rows, std::clamp<Index>(bands, 1, rows)), units = blocks * parts(rows, band);
    const Workspace<float> memory(
        std::size_t((is_packed() ? 0 : s_.depth() * s_.o) + 4 * (s_.o + run_.lanes)));
    float* to = memory.data();
    ImageResults<float> finish{};
    finish.channels = s_.o, finish.relu = is_relu(epilogue_);
    finish.bias = repeated(epilogue_.bias, to), finish.norm.mean = repeated(epilogue_.norm.mean, to);
    finish.norm.scale = repeated(epilogue_.norm.scale, to);
    finish.norm.shift = repeated(epilogue_.norm.shift, to);
    const float* const packed = is_packed() ? w : pack(w, to);
    const Index tasks = std::min(units, wanted);
    parallel_tasks(tasks, [&](Index task) {
      const Workspace<Index> tables(std::size_t(s_.rows.taps * row_stretches_ + results_ * s_.cols.count));
      list(tables.data());
      const Index turned = s_.rows.span(band) * row_;
      const Workspace<float> scratch(std::size_t(turned + sums_));
      for (Index i = units * task / tasks; i < units * (task + 1) / tasks; ++i) {
        const Index first = i / blocks * band;
        images(packed, finish, i % blocks * run_.lanes, first, std::min(rows, first + band), tables.data(),
               scratch.data(), scratch.data() + turned);
      }
    });
  }

 private:
  /// Channels out at most.
  static constexpr Index kMostColumns = 64;
  /// Bytes of a row of the windows of a tile, which stay in the first-level cache.
  static constexpr Index kTileBytes = 24 * 1024;
  /// Elements of rows that are turned together, and of results, which stay in the first-level cache.
  static constexpr Index kElements = 96 * 1024, kResultElements = 8 * 1024;
  /// Parts that rows are cut into where there are few images, though each turns what its windows share.
  static constexpr Index kMinTasks = 8;

  /// Whether w lies as the kernel reads it: (tap, c, o).
  bool is_packed() const {
    return s_.w_out == 1 && s_.rows.index_step == 1 && s_.cols.index_step == 1 && s_.rows.index_first == 0 &&
           s_.cols.index_first == 0;
  }

  const float* pack(const float* w, float* packed) const {
    float* to = packed;
    for (Index r = 0; r < s_.rows.taps; ++r)
      for (Index q = 0; q < s_.cols.taps; ++q)
        for (Index c = 0; c < s_.c; ++c) {
          const float* const from =
              w + s_.rows.index(r) * s_.w_row + s_.cols.index(q) * s_.w_tap + c * s_.w_in;
          for (Index o = 0; o < s_.o; ++o) *to++ = from[o * s_.w_out];
        }
    return packed;
  }

  /// One number for each channel, again and again for a vector more; null if there are none.
  const float* repeated(const float* from, float*& to) const {
    if (!from) return nullptr;
    float* const begin = to;
    for (Index i = 0; i < s_.o + run_.lanes; ++i) *to++ = from[i % s_.o];
    return begin;
  }

  /// Where stretches of a window begin, and windows of the rows of results that are computed together.
  void list(Index* to) const {
    for (Index r = 0; r < s_.rows.taps; ++r)
      for (Index q = 0; q < row_stretches_; ++q)
        *to++ = r * s_.rows.shift_step * row_ + q * s_.cols.shift_step * pixel_;
    for (Index r = 0; r < results_; ++r)
      for (Index q = 0; q < s_.cols.count; ++q)
        *to++ = r * s_.rows.in_step * row_ + q * s_.cols.in_step * pixel_;
  }

  /// Row of x under tap 0 of a row of results.
  Index row_of(Index result) const { return result * s_.rows.in_step + s_.rows.shift_first; }

  /// Taps [first, last) of the window that lie in the image.
  struct Taps {
    Index first, last;
    bool operator==(const Taps&) const = default;
  };
  Taps taps_of(Index result) const {
    const Index row = row_of(result), step = s_.rows.shift_step;
    const Index first = std::min(s_.rows.taps, parts(std::max<Index>(0, -row), step));
    return {first, std::clamp(parts(std::max<Index>(0, s_.rows.in - row), step), first, s_.rows.taps)};
  }

  /// Rows [begin, end) of the results of the images from `image` on.
  void images(const float* w, ImageResults<float> finish, Index image, Index begin, Index end,
              const Index* tables, float* turned, float* sums) const {
    const Index first = std::max<Index>(0, row_of(begin));
    const Index last = std::min(s_.rows.in, row_of(begin) + s_.rows.span(end - begin));
    finish.x = sums, finish.y_image = s_.rows.count * s_.cols.count * s_.o;
    finish.images = std::min(run_.lanes, s_.n - image);
    for (Index row = first; row < last; ++row)
      turn_row(run_, s_, x_, image, row, turned + (row - first) * row_);
    ImageProduct<float> product{};
    product.stretch = tables, product.pixels = tables + s_.rows.taps * row_stretches_;
    product.length = s_.cols.taps * s_.c / row_stretches_, product.channels = s_.o, product.y = sums;
    for (Index row = begin, next; row < end; row = next) {
      const Taps taps = taps_of(row);
      for (next = row + 1; next < end && next - row < results_ && taps_of(next) == taps;) ++next;
      product.stretches = (taps.last - taps.first) * row_stretches_;
      product.x = turned;
      if (product.stretches) product.x += (row_of(row) + taps.first * s_.rows.shift_step - first) * row_;
      product.w = w + taps.first * s_.cols.taps * s_.c * s_.o;
      product.count = (next - row) * s_.cols.count;
      run_.image_lanes(product);
      const Index at = image * finish.y_image + row * s_.cols.count * s_.o;
      finish.y = y_ + at, finish.elements = product.count * s_.o;
      run_.image_results(finish);
      if (!is_done_by_tiles(epilogue_)) activate(at, finish);
    }
  }

  /// What is left of the epilogue after bias and norm.
  void activate(Index at, const ImageResults<float>& results) const {
    const auto kernel = FASTNN_SELECT(epilogue_rows<float>);
    for (Index i = 0; i < results.images; ++i, at += results.y_image)
      kernel(epilogue_, 1, y_ + at, epilogue_.z ? epilogue_.z + at : nullptr, 0, nullptr, 1,
             results.elements);
  }

  const ConvKernels<float>& run_;
  const Correlation& s_;
  const float* const x_;
  float* const y_;
  const ConvEpilogue<float>& epilogue_;
  const Index pixel_, row_;    // elements of x turned, with zeros
  const Index row_stretches_;  // of a row of the window
  const Index result_;         // elements of a row of results
  const Index results_;        // rows computed together
  const Index sums_;           // elements that these take
};

}  // namespace fastnn::cpu
