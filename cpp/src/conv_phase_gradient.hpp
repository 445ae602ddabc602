#pragma once

// Input gradients of convolutions with a stride by Winograd's algorithm. All phases of x (conv_phases.hpp)
// come from the same windows of gradients, so they are one correlation without a stride, with the phases as
// channels of its results. Windows of 3 x 3 with stride 2, 7 of whose 16 taps by phases would be zeros, have
// transforms of their own (winograd_kernel.hpp), which make 4 x 4 pixels of x.

#include "conv_winograd.hpp"
#include "fastnn/conv2d.hpp"

namespace fastnn::cpu {

template <class T> class PhaseGradient {
 public:
  PhaseGradient(const ConvKernels<T>& run, const Conv2dShape& s)
      : run_(run),
        s_(s),
        three_(s.kh == 3 && s.kw == 3 && s.stride_h == 2 && s.stride_w == 2),
        sums_(three_ ? Correlation::backward_of_three(s) : Correlation::backward(s)),
        image_(three_ ? PhaseImage::of_three(s) : PhaseImage::of(s)) {}

  /// The way that is faster than a sum for each phase, or none.
  const WinogradKernels<T>* way() const {
    const bool whole = s_.groups == 1 && s_.dilation_h == 1 && s_.dilation_w == 1;
    if (!whole || s_.stride_h != s_.stride_w || s_.stride_h == 1) return nullptr;
    const Index sums = s_.pixels() * s_.kh * s_.kw;
    if (!three_) return Winograd<T>::of(run_, sums_, sums, s_.stride_h, s_.c);
    const WinogradKernels<T>& way = run_.stride_two_gradient;
    const bool wide = s_.c >= WinogradTiles::kLeastColumns && s_.o >= way.form.channels;
    return wide && Winograd<T>::pays({sums_, way.form}, sums, 1, s_.c) ? &way : nullptr;
  }

  void operator()(const WinogradKernels<T>& way, const T* dz, const T* w, T* dx,
                  const Epilogue<T>& epilogue) const {
    const PhaseTaps taps(s_.stride_h, s_.kh, s_.kw, s_.c * s_.o);
    const Workspace<T> memory(std::size_t(sums_.o) + (three_ ? 0 : taps.elements()));
    T *const bias = memory.data(), *const split = bias + sums_.o;
    if (!three_) taps.split(w, split);
    ConvEpilogue<T> first;
    if (epilogue.bias) {
      for (Index q = 0; q < sums_.o; ++q) bias[q] = epilogue.bias[q % s_.c];
      first.bias = bias;
    }
    if (is_relu(epilogue)) first.activation = Unary::relu;
    Winograd<T>(run_, way, sums_, dz, dx, first, &image_)(three_ ? w : split, nullptr);
    if (is_done_by_tiles(epilogue)) return;
    parallel_ranges(s_.n * s_.h * s_.w, s_.c, [&](Index begin, Index end) {
      FASTNN_SELECT(epilogue_rows<T>)
      (epilogue, 1, dx + begin * s_.c, epilogue.z ? epilogue.z + begin * s_.c : nullptr, s_.c, nullptr,
       end - begin, s_.c);
    });
  }

 private:
  const ConvKernels<T>& run_;
  const Conv2dShape& s_;
  const bool three_;
  const Correlation sums_;
  const PhaseImage image_;
};

}  // namespace fastnn::cpu
