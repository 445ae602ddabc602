#pragma once

// Input gradients with few channels: as columns of a product 3 of 16 lanes would do something. So columns are
// pixels here: the kernel (kh kw c, o) times the gradients of a row of y, (o, ow), makes for every element of
// the window a row of what it adds to the image, side by side. These rows are added up in planes, one for
// each channel and phase of the stride, where they lie side by side as well; at the end the planes are put
// together.
//
// Adding windows of kw c elements to the image itself was three times slower: loads of what was stored under
// a mask just before wait for the store.
//
// A task has rows of one image for itself and computes all windows that reach them, so each element is a sum
// in the same order however rows are shared.

#include "conv_kernels.hpp"
#include "epilogue.hpp"
#include "fastnn/conv2d.hpp"
#include "parallel.hpp"
#include "workspace.hpp"

namespace fastnn::cpu {

template <class T> class Scatter {
 public:
  Scatter(const ConvKernels<T>& run, const Conv2dShape& s, const T* dz, T* dx, const Epilogue<T>& epilogue)
      : run_(run),
        s_(s),
        dz_(dz),
        dx_(dx),
        epilogue_(epilogue),
        window_(s.kh * s.kw * s.c),
        before_(parts(s.left, s.stride_w)),
        plane_(s.out_w() + before_ + parts(s.kw, s.stride_w) + run.lanes) {}

  /// Whether most lanes would go empty otherwise.
  static bool pays(const ConvKernels<T>& run, const Conv2dShape& s) {
    return s.groups == 1 && s.dilation_w == 1 && s.kh * s.kw > 1 && 2 * s.c <= run.lanes && s.n * s.c > 0;
  }

  void operator()(const T* w) const {
    const Index work = s_.pixels() * s_.o * window_;
    const Index wanted = std::clamp<Index>(work / kGrainMultiplies, 1, kMaxTasks);
    // Rows of fewer than three windows would be reached by many of another task's, too.
    const Index bands =
        std::clamp<Index>(parts(wanted, s_.n), 1, std::max<Index>(1, s_.h / (3 * s_.window_h())));
    const Index tasks = std::min(s_.n * bands, kMaxTasks);
    parallel_tasks(tasks, [&](Index task) {
      const Workspace<Index> tables(std::size_t(2 * window_ + s_.kw * s_.c + 1));
      const Workspace<T> memory(
          std::size_t(parts(s_.h, bands) * row_elements() + kPixels * (window_ + s_.o)));
      list(tables.data());
      for (Index i = s_.n * bands * task / tasks; i < s_.n * bands * (task + 1) / tasks; ++i)
        band(w, i / bands, s_.h * (i % bands) / bands, s_.h * (i % bands + 1) / bands, tables.data(),
             memory.data());
    });
  }

 private:
  static constexpr Index kPixels = 96;  // two panels

  Index row_elements() const { return s_.c * s_.stride_w * plane_; }

  /// Where rows of the kernel and of the products lie, and in which plane, and from where on, the products of
  /// an element of the window belong.
  void list(Index* tables) const {
    for (Index r = 0; r < window_; ++r) tables[r] = r * s_.o, tables[window_ + r] = r * kPixels;
    Index* const places = tables + 2 * window_;
    for (Index j = 0; j < s_.kw; ++j) {
      const Index at = j - s_.left + before_ * s_.stride_w;
      for (Index c = 0; c < s_.c; ++c)
        places[j * s_.c + c] = (c * s_.stride_w + at % s_.stride_w) * plane_ + at / s_.stride_w;
    }
    places[s_.kw * s_.c] = 0;  // the one stretch of the product
  }

  /// Rows [begin, end) of an image.
  void band(const T* w, Index image, Index begin, Index end, const Index* tables, T* memory) const {
    T *const planes = memory, *const products = planes + (end - begin) * row_elements();
    T* const packed = products + kPixels * window_;
    std::fill_n(planes, (end - begin) * row_elements(), T(0));
    const Index reach = s_.window_h() - 1;
    const Index first = std::max<Index>(0, begin + s_.top - reach + s_.stride_h - 1) / s_.stride_h;
    const Index last = std::min(s_.out_h() - 1, (end - 1 + s_.top) / s_.stride_h);
    for (Index i = first; i <= last; ++i)
      for (Index j = 0; j < s_.out_w(); j += kPixels) {
        const Index pixels = std::min(kPixels, s_.out_w() - j);
        multiply(w, dz_ + ((image * s_.out_h() + i) * s_.out_w() + j) * s_.o, pixels, tables, packed,
                 products);
        for (Index k = 0; k < s_.kh; ++k) {
          const Index row = i * s_.stride_h - s_.top + k * s_.dilation_h;
          if (row < begin || row >= end) continue;
          const Index line = s_.kw * s_.c;
          run_.scatter(products + k * line * kPixels, kPixels, line, pixels, tables + 2 * window_,
                       planes + (row - begin) * row_elements() + j);
        }
      }
    for (Index row = begin; row < end; ++row)
      join(planes + (row - begin) * row_elements(), image * s_.h + row);
    if (epilogue_.empty()) return;
    const Index at = (image * s_.h + begin) * s_.w * s_.c;
    FASTNN_SELECT(epilogue_rows<T>)
    (epilogue_, 1, dx_ + at, epilogue_.z ? epilogue_.z + at : nullptr, s_.c, epilogue_.bias,
     (end - begin) * s_.w, s_.c);
  }

  void multiply(const T* w, const T* dz, Index pixels, const Index* tables, T* packed, T* products) const {
    const Index panels = parts(parts(pixels, run_.lanes), run_.tile_vectors);
    for (Index i = 0; i < panels; ++i) run_.pack(dz, 1, s_.o, packed, s_.o, 0, s_.o, pixels, panels, i);
    run_.multiply({w, tables, tables + 2 * window_ + s_.kw * s_.c, 1, s_.o, 1, packed, s_.o, 0, products,
                   tables + window_, window_, pixels, panels, false},
                  0, panels);
  }

  /// A row of the image from its planes.
  void join(const T* planes, Index line) const {
    T* to = dx_ + line * s_.w * s_.c;
    for (Index c = 0; c < s_.c; ++c)
      for (Index phase = 0; phase < s_.stride_w; ++phase) {
        const T* from = planes + (c * s_.stride_w + phase) * plane_ + before_;
        for (Index x = phase; x < s_.w; x += s_.stride_w) to[x * s_.c + c] = *from++;
      }
  }

  const ConvKernels<T>& run_;
  const Conv2dShape& s_;
  const T* const dz_;
  T* const dx_;
  const Epilogue<T>& epilogue_;
  const Index window_, before_, plane_;
};

}  // namespace fastnn::cpu
