// 2D convolution. Which way is taken, by shape alone:
//
//   product      the windows are rows of x as it lies in memory (a kernel as large as the image; the
//                gradients of 1 x 1, stride 1, with few pixels): a matrix product and no more
//   depthwise    as many groups as channels, one kernel each: depthwise_conv2d.cpp
//   Winograd     windows of 2 x 2 to 5 x 5, and larger ones with a stride, which are such windows over its
//                phases; channels and pixels enough: conv_winograd.hpp, conv_phase_gradient.hpp for input
//                gradients with a stride, conv_winograd_gradient.hpp for the kernel gradient
//   points       kernel gradients of 1 x 1 windows, pixels many or apart: conv_point_gradient.hpp
//   lanes        few channels out, or lanes that go empty, where a batch fills vectors: conv_image_lanes.hpp,
//                and conv_image_gradient.hpp for the gradient of kernels of some hundred elements
//   taps         kernel gradients of windows 3 or 5 wide, stride 1, with few channels: conv_tap_gradient.hpp
//   correlation  everything else: an implicit matrix product, straight from the image; windows of one
//                pixel by tiles of their own, which ask for the next chunk: point_kernel.hpp
//
// The correlation: results are cut into chunks of some hundred pixels. Where windows reach beyond the image,
// what a chunk reads is copied with zeros around it, some percent of the work at most; then every pixel's
// window is the same list of stretches of memory, kw c elements long each, and tiles of 8 pixels x 48
// channels go over them. Nothing like the matrix of all windows is ever written.
//
// The input gradient is the same sum over the gradients of y: one correlation with the kernel turned round
// for each phase of the strides (conv_sweep.hpp), so no product with an inserted zero is ever computed.
//
// Transposed convolution is the input gradient of a convolution, and its input gradient is that convolution.
#include "fastnn/conv2d.hpp"

#include "conv_kernels.hpp"
#include "correlation.hpp"
#include "epilogue.hpp"
#include "slope.hpp"

#if FASTNN_KERNELS  // ---- once per ISA ----------------------------------------
#include "conv_kernel.hpp"
#include "image_lanes_kernel.hpp"
#include "point_kernel.hpp"
#include "tap_gradient_kernel.hpp"
#include "winograd_kernel.hpp"

namespace fastnn::cpu::FASTNN_ISA {

template <class T> const ConvKernels<T>& conv_kernels() {
  static constexpr ConvKernels<T> kKernels{
      Vec<T>::lanes,
      kConvRows,
      kConvVectors,
      kPointRows,
      kPointVectors,
      &conv_multiply<T>,
      &conv_pack<T>,
      &pack_panel_rows<T>,
      &conv_block<T>,
      &conv_add<T>,
      &conv_scatter<T>,
      &tap_lines,
      &tap_gradient<T>,
      point_kernel<T>(),
      &image_lanes<T>,
      &image_results<T>,
      kImageSumRows,
      &image_sums<T>,
      &image_totals<T>,
      {winograd_kernels<SixPoints<4, 3>, T>(), winograd_kernels<SixPoints<3, 4>, T>(),
       winograd_kernels<SixPoints<2, 5>, T>(), winograd_kernels<StrideTwo, T>(),
       winograd_kernels<ThreePoints, T>()},
      winograd_stride_two_gradient<T>()};
  return kKernels;
}
FASTNN_INSTANTIATE(conv_kernels)

}  // namespace fastnn::cpu::FASTNN_ISA
#endif

#if FASTNN_ENTRY  // ---- once --------------------------------------------------
#include <optional>
#include <type_traits>

#include "check.hpp"
#include "column_norm.hpp"
#include "conv_chunks.hpp"
#include "conv_image_gradient.hpp"
#include "conv_image_lanes.hpp"
#include "conv_kernel_gradient.hpp"
#include "conv_phase_gradient.hpp"
#include "conv_point_gradient.hpp"
#include "conv_scatter.hpp"
#include "conv_tap_gradient.hpp"
#include "conv_winograd.hpp"
#include "conv_winograd_gradient.hpp"
#include "fastnn/batch_norm.hpp"
#include "fastnn/depthwise_conv2d.hpp"
#include "packing.hpp"
#include "parallel.hpp"

namespace fastnn {

void Conv2dShape::check(const char* op) const {
  fastnn::check(op, n >= 0 && h >= 0 && w >= 0 && c >= 0 && o >= 0, "expected sizes >= 0, got x (", n, ", ",
                h, ", ", w, ", ", c, ") and ", o, " channels out");
  fastnn::check(op, kh > 0 && kw > 0, "expected a kernel of at least 1 x 1, got ", kh, " x ", kw);
  fastnn::check(op, stride_h > 0 && stride_w > 0, "expected strides >= 1, got (", stride_h, ", ", stride_w,
                ")");
  fastnn::check(op, dilation_h > 0 && dilation_w > 0, "expected dilation_rate >= 1, got (", dilation_h, ", ",
                dilation_w, ")");
  fastnn::check(op, top >= 0 && bottom >= 0 && left >= 0 && right >= 0, "expected padding >= 0, got ((", top,
                ", ", bottom, "), (", left, ", ", right, "))");
  fastnn::check(op, groups > 0 && c % groups == 0 && o % groups == 0,
                "expected channels that groups divides, got groups ", groups, " for ", c, " channels in and ",
                o, " out");
  fastnn::check(op, window_h() <= h + top + bottom && window_w() <= w + left + right,
                "expected a kernel that fits into the padded image of ", h + top + bottom, " x ",
                w + left + right, ", got one that covers ", window_h(), " x ", window_w());
}

void Conv2dShape::pad_same() {
  const auto missing = [](Index in, Index window, Index stride) {
    return stride < 1 ? 0 : std::max<Index>(0, (in + stride - 1) / stride * stride - stride + window - in);
  };
  const Index rows = missing(h, window_h(), stride_h), cols = missing(w, window_w(), stride_w);
  top = rows / 2, bottom = rows - top, left = cols / 2, right = cols - left;
}

Correlation Correlation::forward(const Conv2dShape& s) {
  Correlation x;
  x.n = s.n, x.c = s.c, x.o = s.o, x.groups = s.groups;
  x.rows = Sweep::forward(s.h, s.out_h(), s.kh, s.stride_h, s.dilation_h, s.top);
  x.cols = Sweep::forward(s.w, s.out_w(), s.kw, s.stride_w, s.dilation_w, s.left);
  x.w_tap = s.group_c() * s.o, x.w_row = s.kw * x.w_tap;
  x.w_in = s.o, x.w_out = 1, x.w_group = s.group_o();
  return x;
}

Correlation Correlation::backward(const Conv2dShape& s, Index row_phase, Index col_phase) {
  Correlation x = forward(s);
  std::swap(x.c, x.o);
  std::swap(x.w_in, x.w_out);
  x.rows = Sweep::backward(s.out_h(), s.h, s.kh, s.stride_h, s.dilation_h, s.top, row_phase);
  x.cols = Sweep::backward(s.out_w(), s.w, s.kw, s.stride_w, s.dilation_w, s.left, col_phase);
  return x;
}

Correlation Correlation::backward(const Conv2dShape& s) {
  Correlation x;
  const Index phases = s.stride_h * s.stride_w;
  x.n = s.n, x.c = s.o, x.o = phases * s.c;
  x.rows = Sweep::backward(s.out_h(), s.h, s.kh, s.stride_h, s.top);
  x.cols = Sweep::backward(s.out_w(), s.w, s.kw, s.stride_w, s.left);
  x.w_in = 1, x.w_out = s.o, x.w_tap = phases * s.c * s.o, x.w_row = x.cols.taps * x.w_tap;
  return x;
}

Correlation Correlation::backward_of_three(const Conv2dShape& s) {
  Correlation x = backward(s, 0, 0);
  x.rows = Sweep::backward_of_three(s.out_h(), s.h, s.top);
  x.cols = Sweep::backward_of_three(s.out_w(), s.w, s.left);
  return x;
}

bool Correlation::has_points() const {
  const auto follow = [](const Sweep& a) {
    return a.taps == 1 && a.shift_first == 0 && a.in_step == 1 && a.out_step == 1 && a.count == a.in &&
           a.count == a.out;
  };
  return groups == 1 && follow(rows) && follow(cols);
}

Correlation Correlation::as_row() const {
  Correlation row = *this;
  row.cols.in = row.cols.out = row.cols.count = n * rows.count * cols.count;
  row.rows.in = row.rows.out = row.rows.count = row.n = 1;
  return row;
}

namespace cpu {
namespace {

/// Pixels of a chunk: their windows stay in the second-level cache while the kernel goes past them.
constexpr Index kChunkPixels = 96;
/// The same where the kernel comes from beyond that cache, of more elements than that: it is read once for
/// each chunk.
constexpr Index kLongChunkPixels = 256, kLongChunkElements = 256 * 1024;
/// Rows of the kernel that a tile goes through before the next tile: 96 KiB a panel.
constexpr Index kDepth = 512;
/// Pixels from which on input gradients of 1 x 1 windows go the general way.
constexpr Index kManyPoints = 4096;
/// Offsets of the pixels of a chunk in source and result.
struct PixelTable {
  Index image, row, col;              // strides in the source
  Index out_image, out_row, out_col;  // and in the result
  void list(const Chunk& chunk, Index* in, Index* out) const {
    for (Index m = 0; m < chunk.images; ++m)
      for (Index r = 0; r < chunk.rows; ++r)
        for (Index q = 0; q < chunk.cols; ++q) {
          *in++ = m * image + r * row + q * col;
          *out++ = m * out_image + r * out_row + q * out_col;
        }
  }
};

template <class T> PixelTable pixel_table(const Correlation& s, const Source<T>& source) {
  return {source.image(),
          s.rows.in_step * source.row(),
          s.cols.in_step * source.pixel(),
          s.rows.out * s.cols.out * s.o,
          s.rows.out_step * s.cols.out * s.o,
          s.cols.out_step * s.o};
}

/// One correlation: chunks times panels of the packed kernel.
template <class T> class Correlator {
 public:
  Correlator(const ConvKernels<T>& run, const Correlation& s, const T* x, T* y,
             const ConvEpilogue<T>& epilogue)
      : run_(run),
        s_(s),
        y_(y),
        epilogue_(epilogue),
        chunks_(s.n, s.rows.count, s.cols.count,
                s.depth() * s.group_o() > kLongChunkElements ? kLongChunkPixels : kChunkPixels),
        source_(x, s, chunks_.largest(), run),
        stretches_(s, source_),
        depth_(s.depth()),
        points_(run.point_rows && s.has_points() && s.n * s.rows.count == 1 &&
                s.cols.count >= run.point_rows && depth_ <= kDepth),
        panels_(parts(parts(s.group_o(), run.lanes), points_ ? run.point_vectors : run.tile_vectors)),
        group_elements_(depth_ * up(s.group_o(), run.lanes)) {}

  void operator()(const T* w, PackedKernel* kept) const {
    const Packing<T> packed(kept, w, points_ ? 2 : 0, s_.groups, s_.group_c(),
                            std::size_t(s_.groups * group_elements_), [&](T* to) { pack(w, to); });
    const Index units = s_.groups * chunks_.size();
    const Index work = s_.n * s_.rows.count * s_.cols.count * depth_ * s_.o;
    const Index wanted = std::clamp<Index>(work / kGrainMultiplies, 1, kMaxTasks);
    const Index unit_parts = std::min(units, wanted),
                panel_parts = std::min(panels_, parts(wanted, unit_parts));
    parallel_tasks(unit_parts * panel_parts, [&](Index task) {
      const Index i = task / panel_parts, q = task % panel_parts;
      range(packed.data(), units * i / unit_parts, units * (i + 1) / unit_parts, panels_ * q / panel_parts,
            panels_ * (q + 1) / panel_parts);
    });
  }

 private:
  void pack(const T* w, T* packed) const {
    parallel_ranges(
        s_.groups * panels_, depth_ * run_.lanes * run_.tile_vectors, [&](Index begin, Index end) {
          for (Index i = begin; i < end; ++i) {
            const Index group = i / panels_, panel = i % panels_;
            Index first = 0;
            for (Index r = 0; r < s_.rows.taps; ++r)
              for (Index q = 0; q < s_.cols.taps; ++q, first += s_.group_c())
                run_.pack(w + s_.rows.index(r) * s_.w_row + s_.cols.index(q) * s_.w_tap + group * s_.w_group,
                          s_.w_in, s_.w_out, packed + group * group_elements_, depth_, first, s_.group_c(),
                          s_.group_o(), panels_, panel);
          }
        });
  }

  /// Chunks of groups [begin, end), panels [panel, panel_end).
  void range(const T* packed, Index begin, Index end, Index panel, Index panel_end) const {
    if (points_) return range_of_points(packed, begin, end, panel, panel_end);
    const Chunk largest = chunks_.largest();
    const Index pixels = largest.pixels();
    const Workspace<Index> tables(std::size_t(2 * pixels + stretches_.count));
    Index *const in = tables.data(), *const out = in + pixels, *const begins = out + pixels;
    pixel_table(s_, source_).list(largest, in, out);
    stretches_.list(begins);
    const Workspace<T> scratch(std::size_t(source_.scratch()));
    for (Index unit = begin; unit < end; ++unit) {
      const Index group = unit / chunks_.size();
      const Chunk chunk = chunks_[unit % chunks_.size()];
      ConvProduct<T> product;
      product.a = source_.of(chunk, group, scratch.data());
      product.a_rows = in, product.c_rows = out, product.rows = chunk.pixels();
      product.stretch = begins, product.step = 1;
      product.b = packed + group * group_elements_, product.depth = depth_;
      product.c = y_ + result_of(s_, chunk) + group * s_.group_o();
      product.cols = s_.group_o(), product.panels = panels_;
      product.bias = epilogue_.bias ? epilogue_.bias + group * s_.group_o() : nullptr;
      product.norm = epilogue_.norm.from(group * s_.group_o());
      for (Index i = panel; i < panel_end; ++i) {
        sum(product, i);
        if (!is_done_by_tiles(epilogue_)) finish(chunk, group, i);
      }
    }
  }

  /// The same for windows of one pixel side by side: all of the depth at once, while the next chunk is asked
  /// for.
  void range_of_points(const T* packed, Index begin, Index end, Index panel, Index panel_end) const {
    for (Index i = begin; i < end; ++i) {
      const Chunk chunk = chunks_[i];
      const T* const from = source_.of(chunk, 0, nullptr);
      const Index lines = parts(chunk.pixels() * s_.c * Index(sizeof(T)), kLineBytes);
      const Piece next{from + chunk.pixels() * s_.c, lines};
      PointProduct<T> product{from,  s_.c,           1,          packed, y_ + result_of(s_, chunk),
                              s_.o,  chunk.pixels(), s_.o,       depth_, panels_,
                              false, &next,          i + 1 < end};
      product.bias = epilogue_.bias, product.relu = is_relu(epilogue_), product.norm = epilogue_.norm;
      run_.point_multiply(product, panel, panel_end);
      for (Index q = panel; !is_done_by_tiles(epilogue_) && q < panel_end; ++q) finish(chunk, 0, q);
    }
  }

  /// One panel, in blocks of the depth.
  void sum(ConvProduct<T> product, Index panel) const {
    const Index length = stretches_.length, pieces = std::max<Index>(1, parts(length, kDepth));
    const Index together = pieces > 1 ? 1 : std::max<Index>(1, kDepth / std::max<Index>(1, length));
    const Index blocks = std::max<Index>(1, parts(stretches_.count, together));
    const T *const a = product.a, *const bias = product.bias;
    const ColumnNorm<T> norm = product.norm;
    const Index* const begins = product.stretch;
    for (Index i = 0; i < blocks; ++i)
      for (Index piece = 0; piece < pieces; ++piece) {
        const Index stretch = stretches_.count * i / blocks, offset = length * piece / pieces;
        product.stretch = begins + stretch, product.stretches = stretches_.count * (i + 1) / blocks - stretch;
        product.a = a + offset, product.length = length * (piece + 1) / pieces - offset;
        product.first = stretch * length + offset;
        product.accumulate = i > 0 || piece > 0;
        const bool last = i + 1 == blocks && piece + 1 == pieces;
        product.bias = last ? bias : nullptr;
        product.norm = last ? norm : ColumnNorm<T>{};
        product.relu = last && is_relu(epilogue_);
        run_.multiply(product, panel, 1);
      }
  }

  /// What is left of the epilogue after the bias and the norm.
  void finish(const Chunk& chunk, Index group, Index panel) const {
    const Index vectors = parts(s_.group_o(), run_.lanes), begin = vectors * panel / panels_ * run_.lanes;
    const Index end = std::min(s_.group_o(), vectors * (panel + 1) / panels_ * run_.lanes);
    const Index column = group * s_.group_o() + begin;
    const auto kernel = FASTNN_SELECT(epilogue_rows<T>);
    const auto rows = [&](Index at, Index step, Index count) {
      at += column;
      kernel(epilogue_, 1, y_ + at, epilogue_.z ? epilogue_.z + at : nullptr, step, nullptr, count,
             end - begin);
    };
    const bool whole = s_.rows.out_step == 1 && s_.cols.out_step == 1 && chunk.cols == s_.cols.out &&
                       (chunk.images == 1 || chunk.rows == s_.rows.out);
    const Index at = result_of(s_, chunk);
    if (whole && end - begin == s_.o)  // one long row
      return kernel(epilogue_, 1, y_ + at, epilogue_.z ? epilogue_.z + at : nullptr, 0, nullptr, 1,
                    chunk.pixels() * s_.o);
    if (whole) return rows(at, s_.o, chunk.pixels());
    for (Index m = 0; m < chunk.images; ++m)
      for (Index r = 0; r < chunk.rows; ++r)
        rows(result_of(s_, {chunk.image + m, 1, chunk.row + r, 1, chunk.col, chunk.cols}),
             s_.cols.out_step * s_.o, chunk.cols);
  }

  const ConvKernels<T>& run_;
  const Correlation& s_;
  T* const y_;
  const ConvEpilogue<T>& epilogue_;
  const Chunks chunks_;
  const Source<T> source_;
  const Stretches stretches_;
  const Index depth_;
  const bool points_;
  const Index panels_, group_elements_;
};

/// The shape as a matrix product of windows that lie in x one after the other, if they do.
std::optional<GemmShape> product_of(const Conv2dShape& s) {
  const bool padded = s.top || s.bottom || s.left || s.right;
  if (s.groups > 1 || padded) return std::nullopt;
  const bool points = s.kh == 1 && s.kw == 1 && s.stride_h == 1 && s.stride_w == 1;
  const bool whole = s.kh == s.h && s.kw == s.w && s.dilation_h == 1 && s.dilation_w == 1;
  if (!points && !whole) return std::nullopt;
  return GemmShape::dense(s.pixels(), s.o, s.depth());
}

/// Whether it is calculated as that product. With windows of one pixel the general way is as fast or faster,
/// and w may be kept.
bool is_product(const Conv2dShape& s) { return s.kh == s.h && s.kw == s.w && product_of(s); }

void check_transposed(const char* op, const Conv2dShape& s) {
  s.check(op);
  fastnn::check(op, s.groups == 1, "expected groups 1, got ", s.groups);
}

bool is_depthwise(const Conv2dShape& s) { return s.groups > 1 && s.groups == s.c && s.o == s.c; }

/// Whether images in lanes are the fastest way.
template <class T> bool lanes_pay(const ConvKernels<T>& run, const Correlation& s) {
  if constexpr (std::is_same_v<T, float>) return !Winograd<T>::of(run, s) && ImageLanes::pays(run, s);
  return false;
}

/// Whether the input gradient of 1 x 1 windows has so many pixels, of not too many channels, that asking for
/// them ahead outweighs packing the kernel.
template <class T> bool asks_ahead(const ConvKernels<T>& run, const Conv2dShape& s) {
  return run.point_rows && s.kh == 1 && s.kw == 1 && s.pixels() >= kManyPoints && s.o > s.c && s.o <= kDepth;
}

/// The input gradient of a convolution from dz, then the epilogue.
template <class T>
void input_gradient(const T* dz, const T* w, T* dx, const Conv2dShape& s, const Epilogue<T>& epilogue = {}) {
  const auto& run = FASTNN_SELECT(conv_kernels<T>)();
  if (product_of(s) && epilogue.empty() && !asks_ahead(run, s))
    return gemm<T>(dz, w, dx, GemmShape::dense(s.pixels(), s.depth(), s.o, false, true));
  const bool in_lanes = s.stride_h == 1 && s.stride_w == 1 && lanes_pay(run, Correlation::backward(s, 0, 0));
  const PhaseGradient<T> phases(run, s);
  if (const auto* way = phases.way()) return phases(*way, dz, w, dx, epilogue);
  if (!in_lanes && Scatter<T>::pays(run, s)) return Scatter<T>(run, s, dz, dx, epilogue)(w);
  for (Index i = 0; i < s.stride_h; ++i)
    for (Index j = 0; j < s.stride_w; ++j)
      correlate(dz, w, dx, Correlation::backward(s, i, j), ConvEpilogue<T>{epilogue});
}

template <class T> void kernel_gradient(const T* x, const T* dz, T* dw, const Conv2dShape& s) {
  const Correlation forward = Correlation::forward(s);
  if (product_of(s) && !PointGradient<T>::pays(FASTNN_SELECT(conv_kernels<T>)(), forward))
    return gemm<T>(x, dz, dw, GemmShape::dense(s.depth(), s.o, s.pixels(), true, false));
  correlate_kernel(x, dz, dw, forward);
}

}  // namespace

template <class T> void correlate(const T* x, const T* w, T* y, const Correlation& s,
                                  const ConvEpilogue<T>& epilogue, PackedKernel* kept) {
  if (s.n == 0 || s.rows.count == 0 || s.cols.count == 0 || s.o == 0) return;
  const auto& run = FASTNN_SELECT(conv_kernels<T>)();
  if constexpr (std::is_same_v<T, float>)
    if (lanes_pay(run, s)) return ImageLanes(run, s, x, y, epilogue)(w);
  if (const auto* way = Winograd<T>::of(run, s)) return Winograd<T>(run, *way, s, x, y, epilogue)(w, kept);
  if (s.has_points()) return Correlator<T>(run, s.as_row(), x, y, epilogue)(w, kept);
  Correlator<T>(run, s, x, y, epilogue)(w, kept);
}
FASTNN_INSTANTIATE(correlate)

template <class T> void correlate_kernel(const T* x, const T* dy, T* dw, const Correlation& s) {
  if (s.depth() == 0 || s.o == 0) return;
  const auto& run = FASTNN_SELECT(conv_kernels<T>)();
  if (const auto* way = WinogradGradient<T>::of(run, s)) return WinogradGradient<T>(run, *way, s, x, dy)(dw);
  if (PointGradient<T>::pays(run, s)) return PointGradient<T>(run, s, x, dy)(dw);
  if constexpr (std::is_same_v<T, float>)
    if (ImageGradient::pays(run, s)) return ImageGradient(run, s, x, dy)(dw);
  if (TapGradient<T>::pays(run, s)) return TapGradient<T>(run, s, x, dy)(dw);
  // Where rows of a tile are neighbouring channels, its pixels lie channels apart: in few sets of the cache.
  if (s.group_c() >= run.tile_rows) return KernelGradient<T, Blocks<T>>(run, s, x, dy)(dw);
  KernelGradient<T, Source<T>>(run, s, x, dy)(dw);
}
FASTNN_INSTANTIATE(correlate_kernel)

template <class T> void conv2d(const T* x, const T* w, const T* b, T* y, T* z, const Conv2dShape& s,
                               Unary activation, const UnaryParameters& parameters, const KeptKernel& kept) {
  s.check("conv2d");
  if (is_depthwise(s)) return depthwise_conv2d(x, w, b, y, z, s, activation, parameters);
  const ConvEpilogue<T> epilogue{{b, activation, parameters, z}};
  if (is_product(s)) return gemm<T>(x, w, y, *product_of(s), epilogue);
  correlate(x, w, y, Correlation::forward(s), epilogue, kept.get());
}
FASTNN_INSTANTIATE(conv2d)

template <class T> void conv2d_batch_norm(const T* x, const T* w, const T* b, const T* gamma, const T* beta,
                                          const T* mean, const T* variance, T* y, const Conv2dShape& s,
                                          double epsilon, Unary activation, const UnaryParameters& parameters,
                                          const KeptKernel& kept) {
  s.check("conv2d_batch_norm");
  check("conv2d_batch_norm", norm_activation(activation), "expected an activation of batch_norm, got number ",
        int(activation));
  if (is_product(s)) {
    gemm<T>(x, w, y, *product_of(s), {b});
    return batch_norm_inference<T>(y, gamma, beta, mean, variance, y, nullptr, {s.pixels(), s.o}, epsilon,
                                   activation, parameters);
  }
  const Workspace<T> memory(std::size_t(2 * s.o));
  T *const scale = memory.data(), *const shift = scale + s.o;
  for (Index q = 0; q < s.o; ++q) {
    scale[q] = inverse_deviation(variance[q], epsilon) * (gamma ? gamma[q] : T(1));
    shift[q] = beta ? beta[q] : T(0);
  }
  const ConvEpilogue<T> epilogue{{b, activation, parameters, nullptr}, {mean, scale, shift}};
  if (is_depthwise(s)) return correlate_channels(x, w, y, Correlation::forward(s), epilogue);
  correlate(x, w, y, Correlation::forward(s), epilogue, kept.get());
}
FASTNN_INSTANTIATE(conv2d_batch_norm)

template <class T> void conv2d_backward(const T* x, const T* w, const T* saved, const T* dy, T* dx, T* dw,
                                        T* db, const Conv2dShape& s, Unary activation,
                                        const UnaryParameters& parameters) {
  s.check("conv2d_backward");
  if (is_depthwise(s))
    return depthwise_conv2d_backward(x, w, saved, dy, dx, dw, db, s, activation, parameters);
  if (!dx && !dw && !db) return;
  std::optional<Workspace<T>> memory;
  const T* dz = dy;
  if (activation != Unary::linear) {
    T* const product = memory.emplace(std::size_t(s.pixels() * s.o)).data();
    slope(saved, dy, product, db, s.pixels(), s.o, activation, parameters);
    dz = product;
  } else if (db) {
    slope<T>(dy, dy, nullptr, db, s.pixels(), s.o, activation, parameters);
  }
  if (dw) kernel_gradient(x, dz, dw, s);
  if (dx) input_gradient(dz, w, dx, s);
}
FASTNN_INSTANTIATE(conv2d_backward)

template <class T> void conv_transpose2d(const T* x, const T* w, const T* b, T* y, T* z, const Conv2dShape& s,
                                         Unary activation, const UnaryParameters& parameters) {
  check_transposed("conv_transpose2d", s);
  input_gradient(x, w, y, s, Epilogue<T>{b, activation, parameters, z});
}
FASTNN_INSTANTIATE(conv_transpose2d)

template <class T> void conv_transpose2d_backward(const T* x, const T* w, const T* saved, const T* dy, T* dx,
                                                  T* dw, T* db, const Conv2dShape& s, Unary activation,
                                                  const UnaryParameters& parameters) {
  check_transposed("conv_transpose2d_backward", s);
  if (!dx && !dw && !db) return;
  const Index rows = s.n * s.h * s.w;
  std::optional<Workspace<T>> memory;
  const T* dz = dy;
  if (activation != Unary::linear) {
    T* const product = memory.emplace(std::size_t(rows * s.c)).data();
    slope(saved, dy, product, db, rows, s.c, activation, parameters);
    dz = product;
  } else if (db) {
    slope<T>(dy, dy, nullptr, db, rows, s.c, activation, parameters);
  }
  if (dw) correlate_kernel(dz, x, dw, Correlation::forward(s));
  if (dx) correlate(dz, w, dx, Correlation::forward(s));
}
FASTNN_INSTANTIATE(conv_transpose2d_backward)

}  // namespace cpu
}  // namespace fastnn
#endif
