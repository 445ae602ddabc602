#pragma once

// Correlations by Winograd's algorithm (winograd_kernel.hpp). The results are cut into tiles, of 4 x 4 for
// windows of 3 x 3; for a chunk of some dozen tiles and 36 products:
//
//     v (36, tiles, c)   transformed patches, in the second-level cache
//     m (36, tiles, 48)  their products with one panel of the transformed kernel u (36, c, o): 36 matrix
//     products y                  tile by tile
//
// u has 36 numbers for each 9 of w; it is made in every call, unless the caller keeps it (packing.hpp). Where
// w is large for the number of tiles, u is never written as a whole: all tiles go past one panel after the
// other, of which the rows of some channels are transformed, multiplied, and their products added up.
//
// Windows with a stride become such without one over the phases of x (conv_phases.hpp): 11 x 11 with
// stride 4 become 3 x 3 over 16 times the channels. Those of s pixels in a row lie together, so patches are
// transformed from x as it is, phase row by phase row. In input gradients results have these channels
// (conv_phase_gradient.hpp), and are written in the same way.

#include "conv_chunks.hpp"
#include "conv_kernels.hpp"
#include "conv_phases.hpp"
#include "epilogue.hpp"
#include "packing.hpp"
#include "parallel.hpp"

namespace fastnn::cpu {

/// Pixels of a tile, where they lie.
template <class T> struct WinogradPatch {
  const T* at;
  Index row, pixel;  // strides
};

/// Elements between the numbers of one product and of the next, so that they do not all fall into one set of
/// the first-level cache.
template <class T> constexpr Index kWinogradLine = 64 / sizeof(T);

/// The results of a correlation in tiles, and what they read.
struct WinogradTiles {
  /// Elements of a kernel whose transform, or whose sums, come from the third-level cache or beyond.
  static constexpr Index kLargeKernel = 128 * 128;
  /// Channels out that fill lanes enough, and channels of phases that outweigh how few lanes each row of them
  /// fills.
  static constexpr Index kLeastColumns = 10, kLeastDepth = 12;

  const Correlation& s;
  const WinogradForm form;
  const Index phases = s.rows.in_step / form.stride;  // along one axis
  const Index depth = phases * phases * s.c;          // channels of them all
  const Index rows = parts(s.rows.count, form.results), cols = parts(s.cols.count, form.results),
              count = s.n * rows * cols;

  WinogradTiles(const Correlation& correlation, const WinogradForm& way) : s(correlation), form(way) {}

  /// Whether there are windows of that size and stride, or phases of them, and channels enough.
  static bool fit(const Correlation& s, const WinogradForm& form) {
    const Index phases = s.rows.in_step / form.stride;
    const auto fits = [&](const Sweep& a) {
      return parts(a.taps, phases) == form.taps && a.shift_step == 1 && a.in_step == phases * form.stride &&
             a.out_step == 1;
    };
    const bool known = phases == 1 || (phases > 1 && form.stride == 1);
    return s.groups == 1 && known && fits(s.rows) && fits(s.cols) &&
           phases * phases * s.c >= (phases > 1 ? kLeastDepth : form.channels) && s.o >= kLeastColumns;
  }

  /// The taps of windows by phases.
  PhaseTaps taps() const { return {phases, s.rows.taps, s.cols.taps, s.c * s.o}; }

  /// Channels in times channels out that are enough for products to outweigh transforms: more where rows of
  /// phases fill less than a vector.
  static Index least(Index channels, Index stride, Index c) {
    return (stride > 1 && stride * c < 16 ? 2 : 1) * channels;
  }

  /// As many taps of a window as take their time.
  Index work() const { return form.points * form.points * 5 / 4 * count; }

  struct Place {
    Index image, row, col;  // of a tile's first result
  };
  Place place(Index tile) const {
    return {tile / (rows * cols), tile / cols % rows * form.results, tile % cols * form.results};
  }

  /// The pixels of x that a tile reads, or its results; a copy with zeros around where it leaves the image.
  template <class T> WinogradPatch<T> source(const T* x, Index tile, T* copy) const {
    const Place at = place(tile);
    // What no window reaches counts as zeros: windows may be shorter than their phases.
    const auto reach = [](const Sweep& a) { return std::min(a.in, a.shift_first + a.span(a.count)); };
    const Index line = s.cols.in * s.c, step = form.advance * phases;
    return patch(x + at.image * s.rows.in * line, {reach(s.rows), reach(s.cols), s.c, line},
                 at.row / form.results * step + s.rows.shift_first,
                 at.col / form.results * step + s.cols.shift_first, form.side * phases, copy);
  }
  template <class T> WinogradPatch<T> results(const T* y, Index tile, T* copy) const {
    const Place at = place(tile);
    const Index line = s.cols.out * s.o;
    return patch(y + at.image * s.rows.out * line, {s.rows.out, s.cols.out, s.o, line}, at.row, at.col,
                 form.results, copy);
  }

 private:
  struct Image {
    Index h, w, c, line;
  };
  template <class T>
  static WinogradPatch<T> patch(const T* x, const Image& size, Index row, Index col, Index side, T* copy) {
    const Index c = size.c, line = size.line;
    if (row >= 0 && col >= 0 && row + side <= size.h && col + side <= size.w)
      return {x + row * line + col * c, line, c};
    const Index before = std::clamp<Index>(-col, 0, side),
                inside = std::clamp<Index>(size.w - col, before, side) - before;
    for (Index r = 0; r < side; ++r) {
      T* const to = copy + r * side * c;
      if (row + r < 0 || row + r >= size.h) {
        std::fill_n(to, side * c, T(0));
        continue;
      }
      std::fill_n(to, before * c, T(0));
      std::copy_n(x + (row + r) * line + (col + before) * c, inside * c, to + before * c);
      std::fill_n(to + (before + inside) * c, (side - before - inside) * c, T(0));
    }
    return {copy, side * c, c};
  }
};

/// The columns of a panel of a packed matrix.
struct WinogradColumns {
  Index first, width, count;  // count: up to a whole vector
  WinogradColumns(Index cols, Index lanes, Index panels, Index panel) {
    const Index vectors = parts(cols, lanes), end = vectors * (panel + 1) / panels * lanes;
    first = vectors * panel / panels * lanes;
    width = std::min(end, cols) - first, count = end - first;
  }
};

/// The way whose windows these are and that pays(tiles), or none.
template <class T, class Pays>
const WinogradKernels<T>* winograd_way(const ConvKernels<T>& run, const Correlation& s, const Pays& pays) {
  for (const WinogradKernels<T>& way : run.winograd)
    if (WinogradTiles::fit(s, way.form) && pays(WinogradTiles(s, way.form))) return &way;
  return nullptr;
}

template <class T> class Winograd {
 public:
  Winograd(const ConvKernels<T>& run, const WinogradKernels<T>& way, const Correlation& s, const T* x, T* y,
           const ConvEpilogue<T>& epilogue, const PhaseImage* image = nullptr)
      : run_(run),
        way_(way),
        s_(s),
        x_(x),
        y_(y),
        epilogue_(epilogue),
        image_(image),
        tiles_(s, way.form),
        products_(way.form.points * way.form.points),
        panels_(parts(parts(s.o, run.lanes), run.tile_vectors)),
        depth_(tiles_.depth),
        u_step_(depth_ * up(s.o, run.lanes) + kLine),
        chunk_(std::clamp<Index>(up(parts(tiles_.count, 4), 8), 16,
                                 std::clamp<Index>(kPatchElements / (products_ * depth_) / 8 * 8, 16, 64))) {}

  /// The way that is faster than the sum itself, or none: for channels enough for the products to outweigh
  /// the transforms, and pixels enough to outweigh that of the kernel.
  static const WinogradKernels<T>* of(const ConvKernels<T>& run, const Correlation& s) {
    const Index sums = s.n * s.rows.count * s.cols.count * s.rows.taps * s.cols.taps;
    return winograd_way(run, s,
                        [&](const WinogradTiles& tiles) { return pays(tiles, sums, tiles.phases, s.c); });
  }
  /// The same where results are phases of an image of c channels, in place of so many products of a pixel and
  /// a tap.
  static const WinogradKernels<T>* of(const ConvKernels<T>& run, const Correlation& s, Index sums,
                                      Index stride, Index c) {
    return winograd_way(run, s, [&](const WinogradTiles& tiles) { return pays(tiles, sums, stride, c); });
  }
  static bool pays(const WinogradTiles& tiles, Index sums, Index stride, Index c) {
    const WinogradForm& form = tiles.form;
    return tiles.depth * tiles.s.o >= tiles.least(form.least, stride, c) &&
           sums > stride * stride * (tiles.work() + (form.weights < 6 ? 200 : 500));
  }

  void operator()(const T* w, PackedKernel* kept) const {
    if (!kept && is_large()) return with_taps(w, [&](const T* taps) { by_panels(taps); });
    const Index weights = way_.form.weights;
    const Packing<T> u(kept, w, kept ? kWay + int(&way_ - run_.winograd) : 0, 1, depth_,
                       std::size_t(weights * weights * u_step_),
                       [&](T* to) { with_taps(w, [&](const T* taps) { transform(taps, to); }); });
    const Index side = way_.form.side, chunks = parts(tiles_.count, chunk_),
                wanted = tiles_.count * products_ * depth_ * s_.o / kGrainMultiplies;
    const Index tasks = std::clamp<Index>(std::min(chunks, wanted), 1, kMaxTasks);
    const Index panel_parts =
        std::clamp<Index>(std::min(panels_, wanted / tasks), 1, chunks < 4 ? 4 / chunks : 1);
    parallel_tasks(tasks * panel_parts, [&](Index task) {
      const Index t = task / panel_parts, q = task % panel_parts;
      const Workspace<Index> tables(std::size_t(2 * chunk_ + 1));
      const Workspace<T> scratch(
          std::size_t(products_ * (chunk_ * (depth_ + run_.lanes * run_.tile_vectors) + 2 * kLine) +
                      side * side * depth_));
      for (Index i = chunks * t / tasks; i < chunks * (t + 1) / tasks; ++i)
        chunk(u.data(), tiles_.count * i / chunks, tiles_.count * (i + 1) / chunks, panels_ * q / panel_parts,
              panels_ * (q + 1) / panel_parts, tables.data(), scratch.data());
    });
  }

 private:
  static constexpr Index kLine = kWinogradLine<T>, kLargeKernel = WinogradTiles::kLargeKernel;
  /// Elements of a chunk's transformed patches: 768 KiB of floats.
  static constexpr Index kPatchElements = 192 * 1024;
  /// Elements of a large kernel for each tile that make tiles too few for its transform to be made at once,
  /// and elements of transforms that no number of tiles is enough for.
  static constexpr Index kTileElements = 1024, kHugeTransform = 36 * 256 * 256;
  /// Channels whose part of a panel of the transformed kernel stays in the second-level cache: 432 KiB of
  /// floats.
  static constexpr Index kBlock = 64;
  /// Tiles that go past a panel at once, at most: their products stay there, too.
  static constexpr Index kPassTiles = 128;
  /// How packed kernels are told from others: the first of the ways.
  static constexpr int kWay = 3;

  bool is_large() const {
    const Index size = depth_ * s_.o, weights = way_.form.weights * way_.form.weights;
    return size >= kLargeKernel && (size >= kTileElements * tiles_.count || weights * size > kHugeTransform);
  }

  void by_panels(const T* w) const {
    const Index passes = parts(tiles_.count, kPassTiles);
    const Workspace<T> v(std::size_t(products_ * (parts(tiles_.count, passes) * depth_ + kLine)));
    for (Index i = 0; i < passes; ++i)
      by_panels(w, tiles_.count * i / passes, tiles_.count * (i + 1) / passes, v.data());
  }

  /// Tiles [begin, end) by one panel of the kernel after the other, of which some channels at a time are
  /// transformed where they are multiplied next.
  void by_panels(const T* w, Index begin, Index end, T* v) const {
    const Index tiles = end - begin, weights = way_.form.weights * way_.form.weights;
    parallel_ranges(tiles, products_ * depth_, [&](Index from, Index to) {
      const Workspace<T> patch(std::size_t(way_.form.side * way_.form.side * depth_));
      for (Index t = from; t < to; ++t) gather(begin + t, v + t * depth_, v_step(tiles), patch.data());
    });
    parallel_tasks(panels_, [&](Index panel) {
      const WinogradColumns q(s_.o, run_.lanes, panels_, panel);
      const Index m_size = products_ * m_step(tiles, q), u_step = kBlock * q.count + kLine;
      const Workspace<Index> tables(std::size_t(2 * tiles + 1));
      const Workspace<T> scratch(std::size_t(m_size + weights * u_step));
      T *const m = scratch.data(), *const u = m + m_size;
      for (Index first = 0; first < depth_; first += kBlock) {
        const Index channels = std::min(kBlock, depth_ - first);
        transform(w, q, first, channels, u, u_step);
        multiply(tiles, v + first, u, u_step, channels, m, q, first > 0, tables.data());
      }
      scatter(begin, end, m, q);
    });
  }

  void transform(const T* w, T* u) const {
    parallel_tasks(panels_, [&](Index panel) {
      const WinogradColumns q(s_.o, run_.lanes, panels_, panel);
      transform(w, q, 0, depth_, u + q.first * depth_, u_step_);
    });
  }

  /// Channels [first, first + channels) of the kernel, columns q.
  void transform(const T* w, const WinogradColumns& q, Index first, Index channels, T* u,
                 Index u_step) const {
    const Index size = way_.form.taps, step = channels * q.count;
    const Workspace<T> taps(std::size_t(size * size * step));
    w += first * s_.w_in + q.first * s_.w_out;
    for (Index tap = 0; tap < size * size; ++tap)
      run_.pack(w + place(tap / size, tap % size), s_.w_in, s_.w_out, taps.data() + tap * step, channels, 0,
                channels, q.width, 1, 0);
    way_.kernel(taps.data(), step, u, u_step, step);
  }

  /// Calls run(w) with taps by phases, if there are any.
  template <class Run> void with_taps(const T* w, const Run& run) const {
    if (tiles_.phases == 1) return run(w);
    const PhaseTaps taps = tiles_.taps();
    const Workspace<T> memory(taps.elements());
    taps.split(w, memory.data());
    run(memory.data());
  }
  Index place(Index row, Index col) const {
    if (tiles_.phases > 1) return (row * way_.form.taps + col) * tiles_.taps().tap;
    return s_.rows.index(row) * s_.w_row + s_.cols.index(col) * s_.w_tap;
  }

  /// Tiles [begin, end), panels [panel, panel_end).
  void chunk(const T* u, Index begin, Index end, Index panel, Index panel_end, Index* tables,
             T* scratch) const {
    const Index tiles = end - begin;
    T *const v = scratch, *const m = v + products_ * v_step(tiles);
    T* const patch = scratch + products_ * (chunk_ * (depth_ + run_.lanes * run_.tile_vectors) + 2 * kLine);
    for (Index t = 0; t < tiles; ++t) gather(begin + t, v + t * depth_, v_step(tiles), patch);
    for (; panel < panel_end; ++panel) {
      const WinogradColumns q(s_.o, run_.lanes, panels_, panel);
      multiply(tiles, v, u + q.first * depth_, u_step_, depth_, m, q, false, tables);
      scatter(begin, end, m, q);
    }
  }

  /// How far apart the numbers of one product and of the next are, in v and in m.
  Index v_step(Index tiles) const { return tiles * depth_ + kLine; }
  static Index m_step(Index tiles, const WinogradColumns& q) { return tiles * q.count + kLine; }

  /// m = v u, or m + v u, for all products; of v's channels as many as u has. tables: (2 tiles + 1).
  void multiply(Index tiles, const T* v, const T* u, Index u_step, Index channels, T* m,
                const WinogradColumns& q, bool onto, Index* tables) const {
    Index *const a_rows = tables, *const c_rows = a_rows + tiles, *const stretch = c_rows + tiles;
    for (Index t = 0; t < tiles; ++t) a_rows[t] = t * depth_, c_rows[t] = t * q.count;
    *stretch = 0;
    for (Index e = 0; e < products_; ++e)
      run_.multiply({v + e * v_step(tiles), a_rows, stretch, 1, channels, 1, u + way_.form.place(e) * u_step,
                     channels, 0, m + e * m_step(tiles, q), c_rows, tiles, q.width, 1, onto},
                    0, 1);
  }

  void gather(Index tile, T* v, Index v_step, T* copy) const {
    const WinogradPatch<T> patch = tiles_.source(x_, tile, copy);
    const Index phases = tiles_.phases, line = phases * s_.c;
    for (Index i = 0; i < phases; ++i)
      way_.patch(patch.at + i * patch.row, phases * patch.row, phases * patch.pixel, v + i * line, v_step,
                 line);
  }

  void scatter(Index begin, Index end, const T* m, const WinogradColumns& q) const {
    const Index step = m_step(end - begin, q);
    if (image_) {
      const Workspace<T> copy(std::size_t(way_.form.results * way_.form.results * q.width));
      for (Index t = begin; t < end; ++t) scatter_phases(t, m + (t - begin) * q.count, step, q, copy.data());
      return;
    }
    for (Index t = begin; t < end; ++t) scatter(t, m + (t - begin) * q.count, step, q);
  }
  void scatter(Index tile, const T* m, Index m_step, const WinogradColumns& q) const {
    const auto at = tiles_.place(tile);
    const Index line = s_.cols.out * s_.o,
                first = (at.image * s_.rows.out + at.row) * line + at.col * s_.o + q.first;
    const int rows = int(std::min(way_.form.results, s_.rows.count - at.row)),
              cols = int(std::min(way_.form.results, s_.cols.count - at.col));
    way_.results(m, m_step, epilogue_.bias ? epilogue_.bias + q.first : nullptr, epilogue_.norm.from(q.first),
                 is_relu(epilogue_), y_ + first, line, s_.o, rows, cols, q.width);
    if (is_done_by_tiles(epilogue_)) return;
    for (int r = 0; r < rows; ++r) {
      const Index from = first + r * line;
      FASTNN_SELECT(epilogue_rows<T>)
      (epilogue_, 1, y_ + from, epilogue_.z ? epilogue_.z + from : nullptr, s_.o, nullptr, cols, q.width);
    }
  }

  /// Results of a tile, which are phases of the image: some or all of each phase row.
  void scatter_phases(Index tile, const T* m, Index m_step, const WinogradColumns& q, T* copy) const {
    const Index line = image_->stride * image_->c, end = q.first + q.width;
    for (Index first = q.first; first < end;) {
      const Index phase = first / line, next = std::min(end, (phase + 1) * line);
      scatter_phase_row(tile, m + first - q.first, m_step, first, next - first, phase, copy);
      first = next;
    }
  }

  /// Columns [first, first + n), of one phase row.
  void scatter_phase_row(Index tile, const T* m, Index m_step, Index first, Index n, Index phase,
                         T* copy) const {
    const auto at = tiles_.place(tile);
    const Index step = image_->stride, w = image_->w, c = image_->c, line = step * c,
                row = step * at.row + phase - image_->top, col = step * at.col - image_->left,
                left = first - phase * line;
    const Index rows = std::min(way_.form.results, s_.rows.count - at.row),
                cols = std::min(way_.form.results, s_.cols.count - at.col);
    T* const image = y_ + at.image * image_->h * w * c;
    const auto results = [&](T* y, Index y_row, Index y_pixel) {
      way_.results(m, m_step, epilogue_.bias ? epilogue_.bias + first : nullptr, {}, is_relu(epilogue_), y,
                   y_row, y_pixel, int(rows), int(cols), n);
    };
    if (row >= 0 && row + step * (rows - 1) < image_->h && col >= 0 && col + step * cols <= w)
      return results(image + (row * w + col) * c + left, step * w * c, line);
    results(copy, cols * n, n);
    for (Index i = 0; i < rows; ++i)
      for (Index j = 0; row + step * i >= 0 && row + step * i < image_->h && j < cols; ++j) {
        const Index from = (col + step * j) * c + left, begin = std::max<Index>(from, 0),
                    stop = std::min(from + n, w * c);
        if (begin < stop)
          std::copy_n(copy + (i * cols + j) * n + begin - from, stop - begin,
                      image + (row + step * i) * w * c + begin);
      }
  }

  const ConvKernels<T>& run_;
  const WinogradKernels<T>& way_;
  const Correlation& s_;
  const T* const x_;
  T* const y_;
  const ConvEpilogue<T>& epilogue_;
  const PhaseImage* const image_;  // whose phases the results are, or null
  const WinogradTiles tiles_;
  const Index products_, panels_, depth_, u_step_, chunk_;
};

}  // namespace fastnn::cpu
