// The maximum of whole images. Its places are kept for the gradient, unlike those of smaller windows
// (pool2d.cpp): they are next to nothing beside x, and finding them again takes as long as copying x.

#include "fastnn/global_max_pool.hpp"

#include "kernel.hpp"

namespace fastnn::cpu {

FASTNN_DECLARE(void, largest_of_pixels, (const T* x, T* y, T* places, Index pixels, Index c, Index cols))
FASTNN_DECLARE(void, give_to_places,
               (const T* places, const T* dy, T* dx, Index begin, Index end, Index c, bool streams))

}  // namespace fastnn::cpu

#if FASTNN_KERNELS  // ---- once per ISA ----------------------------------------
#include "find_largest.hpp"

namespace fastnn::cpu::FASTNN_ISA {

/// Some columns of an image that is one window. Places take no time beside reading x.
template <int n, class T, class At>
static inline void largest_of_columns(const T* x, T* y, T* places, Index pixels, Index c, At at) {
  using V = Vec<T>;
  const auto found = find_largest<n>(x, 0, c, 1, pixels, at);
  for (int v = 0; v < n; ++v) at.store(y + v * V::lanes, found.m[v]);
  for (int v = 0; places && v < n; ++v) at.store(places + v * V::lanes, found.place[v]);
}

template <class T> void largest_of_pixels(const T* x, T* y, T* places, Index pixels, Index c, Index cols) {
  using V = Vec<T>;
  Index i = 0;
  for (; i + kLargestVectors * V::lanes <= cols; i += kLargestVectors * V::lanes)
    largest_of_columns<kLargestVectors>(x + i, y + i, places ? places + i : nullptr, pixels, c, Whole<V>{0});
  row_each<T>(cols - i, [&](auto at) {
    largest_of_columns<1>(x + i, y + i, places ? places + i : nullptr, pixels, c, at);
  });
}
FASTNN_INSTANTIATE(largest_of_pixels)

/// Pixels [begin, end) of an image. dx: of the first of them.
template <class T>
void give_to_places(const T* places, const T* dy, T* dx, Index begin, Index end, Index c, bool streams) {
  using V = Vec<T>;
  const V zero = V::set(0);
  for (Index p = begin; p < end; ++p, dx += c) {
    const V here = V::set(T(p));
    row_each<T>(c,
                [&](auto at) { put(streams, at, dx, select(at.load(places) == here, at.load(dy), zero)); });
  }
  if (streams) stream_end();
}
FASTNN_INSTANTIATE(give_to_places)

}  // namespace fastnn::cpu::FASTNN_ISA
#endif

#if FASTNN_ENTRY  // ---- once --------------------------------------------------
#include "check.hpp"
#include "parallel.hpp"
#include "streaming.hpp"

namespace fastnn::cpu {

namespace {

/// Channels that a task takes of an image that is one window.
constexpr Index kTaskChannels = 512;

void check_pixels(const char* op, Index n, Index pixels, Index c, bool places) {
  check(op, n >= 0 && c >= 0 && pixels >= 1, "expected n, c >= 0 and pixels >= 1, got (", n, ", ", pixels,
        ", ", c, ")");
  check(op, !places || pixels <= kMostPlaces, "expected at most ", kMostPlaces, " pixels, got ", pixels);
}

}  // namespace

template <class T> void global_max_pool(const T* x, T* y, T* places, Index n, Index pixels, Index c) {
  check_pixels("global_max_pool", n, pixels, c, places);
  const Index blocks = parts(c, kTaskChannels);
  const auto kernel = FASTNN_SELECT(largest_of_pixels<T>);
  parallel_ranges(n * blocks, pixels * std::min(c, kTaskChannels), [=](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) {
      const Index image = i / blocks, first = i % blocks * kTaskChannels, at = image * c + first;
      kernel(x + image * pixels * c + first, y + at, places ? places + at : nullptr, pixels, c,
             std::min(kTaskChannels, c - first));
    }
  });
}
FASTNN_INSTANTIATE(global_max_pool)

template <class T>
void global_max_pool_backward(const T* places, const T* dy, T* dx, Index n, Index pixels, Index c) {
  check_pixels("global_max_pool_backward", n, pixels, c, true);
  const bool streamed = streams(dx, n * pixels * c, c);
  const auto kernel = FASTNN_SELECT(give_to_places<T>);
  parallel_ranges(n * pixels, c, [=](Index begin, Index end) {
    for (Index stop; begin < end; begin = stop) {
      const Index image = begin / pixels;
      stop = std::min(end, (image + 1) * pixels);
      kernel(places + image * c, dy + image * c, dx + begin * c, begin - image * pixels,
             stop - image * pixels, c, streamed);
    }
  });
}
FASTNN_INSTANTIATE(global_max_pool_backward)

}  // namespace fastnn::cpu
#endif
