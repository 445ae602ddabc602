#pragma once

// The gradient of a correlation of few channels with respect to its kernel, with images in lanes as in
// conv_image_lanes.hpp: sums over pixels of products of two vectors, of as many images each, which are added
// up across lanes at the end. All these sums stay in the first-level cache, so there may not be many.

#include "conv_image_lanes.hpp"
#include "conv_parts.hpp"

namespace fastnn::cpu {

class ImageGradient {
 public:
  ImageGradient(const ConvKernels<float>& run, const Correlation& s, const float* x, const float* dy)
      : run_(run),
        s_(s),
        x_(x),
        dy_(dy),
        pixel_(s.c * run.lanes),
        row_(s.cols.span(s.cols.count) * pixel_),
        result_(s.cols.count * s.o * run.lanes),
        results_(together(run, s)),
        rows_(up(s.depth(), run.image_sum_rows)) {}

  /// Whether turning images costs less than lanes that go empty otherwise. For a vector's lanes of results,
  /// in twentieths of a cycle: 9 cycles a step of the window and vector of columns; 0.55 a sum, 8 to turn a
  /// vector.
  static bool pays(const ConvKernels<float>& run, const Correlation& s) {
    const Index results = s.rows.count * s.cols.count;
    if (s.groups > 1 || s.depth() * s.o * results == 0 || !fills_lanes(s.n, run.lanes)) return false;
    if (row_elements(run, s) > kRowElements || is_one_task(run, s)) return false;
    const Index rows = together(run, s), lines = parts(s.rows.count, rows) * s.rows.span(rows);
    const Index sums = up(s.depth(), run.image_sum_rows) * s.o;
    const Index turned = s.o + s.c * lines * s.cols.span(s.cols.count) / results;
    return sums <= kMostSums &&
           11 * sums + 180 * turned < 180 * s.depth() * parts(s.o, run.lanes) * run.lanes / 16;
  }

  void operator()(float* dw) const {
    const Index rows = s_.rows.count, blocks = parts(s_.n, run_.lanes), size = rows_ * s_.o * run_.lanes;
    const Index pieces = parts(rows, results_), units = blocks * pieces;
    const Index work = s_.n * rows * s_.cols.count * s_.depth() * s_.o;
    const Index tasks = std::clamp<Index>(work / kGrainMultiplies, 1, std::min(units, kMaxParts));
    const Workspace<float> memory(std::size_t(tasks * size));
    parallel_tasks(tasks, [&](Index task) {
      float* const sums = memory.data() + task * size;
      std::fill_n(sums, size, 0.0f);
      const Workspace<Index> places(static_cast<std::size_t>(rows_));
      list(places.data());
      const Workspace<float> turned(std::size_t(s_.rows.span(results_) * row_ + results_ * result_));
      for (Index i = units * task / tasks; i < units * (task + 1) / tasks; ++i)
        add(i / pieces * run_.lanes, rows * (i % pieces) / pieces, rows * (i % pieces + 1) / pieces,
            places.data(), turned.data(), turned.data() + s_.rows.span(results_) * row_, sums);
    });
    if (tasks > 1) add_parts(run_, memory.data(), size, tasks, memory.data());
    run_.image_totals(memory.data(), dw, s_.depth() * s_.o);
  }

 private:
  /// Rows of results that are added together.
  static Index together(const ConvKernels<float>& run, const Correlation& s) {
    return std::clamp<Index>(kResultElements / (s.cols.count * s.o * run.lanes), 1, s.rows.count);
  }

  /// Sums at most; copies of them; elements of rows of results that are gone through for all of them.
  static constexpr Index kMostSums = 640, kMaxParts = 16, kResultElements = 12 * 1024;

  /// Where elements of a window lie; the last one again up to a whole tile.
  void list(Index* to) const {
    for (Index i = 0; i < rows_; ++i) {
      const Index e = std::min(i, s_.depth() - 1), tap = e / s_.c;
      *to++ = tap / s_.cols.taps * s_.rows.shift_step * row_ +
              tap % s_.cols.taps * s_.cols.shift_step * pixel_ + e % s_.c * run_.lanes;
    }
  }

  /// Rows [begin, end) of the results of the images from `image` on.
  void add(Index image, Index begin, Index end, const Index* places, float* x, float* dy, float* sums) const {
    const Index top = begin * s_.rows.in_step + s_.rows.shift_first, span = s_.rows.span(end - begin);
    for (Index r = 0; r < span; ++r) {
      if (top + r >= 0 && top + r < s_.rows.in)
        turn_row(run_, s_, x_, image, top + r, x + r * row_);
      else
        std::fill_n(x + r * row_, row_, 0.0f);
    }
    const Index y_row = s_.cols.count * s_.o, elements = (end - begin) * y_row;
    run_.pack(dy_ + (image * s_.rows.count + begin) * y_row, 1, s_.rows.count * y_row, dy, elements, 0,
              elements, std::min(run_.lanes, s_.n - image), 1, 0);
    run_.image_sums({x, places, rows_, end - begin, s_.cols.count, s_.rows.in_step * row_,
                     s_.cols.in_step * pixel_, dy, s_.o, sums});
  }

  const ConvKernels<float>& run_;
  const Correlation& s_;
  const float* const x_;
  const float* const dy_;
  const Index pixel_, row_;       // elements of x turned, with zeros
  const Index result_, results_;  // elements of a row of results, and rows added together
  const Index rows_;              // elements of the window, in whole tiles
};

}  // namespace fastnn::cpu
