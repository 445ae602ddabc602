#pragma once

#include <math.h>

#include "simd/simd.hpp"

namespace fastnn::cpu::FASTNN_ISA {

// Lane by lane through the C library.
#define FASTNN_LANES(name, f32, f64)                         \
  static inline F32 name(F32 x) {                            \
    float lane[F32::lanes];                                  \
    x.store(lane);                                           \
    for (int i = 0; i < F32::lanes; ++i) lane[i] = f32(lane[i]); \
    return F32::load(lane);                                  \
  }                                                          \
  static inline F64 name(F64 x) {                            \
    double lane[F64::lanes];                                 \
    x.store(lane);                                           \
    for (int i = 0; i < F64::lanes; ++i) lane[i] = f64(lane[i]); \
    return F64::load(lane);                                  \
  }
FASTNN_LANES(exp, expf, ::exp)
FASTNN_LANES(log, logf, ::log)
FASTNN_LANES(log1p, log1pf, ::log1p)
FASTNN_LANES(expm1, expm1f, ::expm1)
FASTNN_LANES(tanh, tanhf, ::tanh)
FASTNN_LANES(erf, erff, ::erf)
#undef FASTNN_LANES
template <class V>
static inline V sigmoid(V x) {
  return V::set(1) / (V::set(1) + exp(V::set(0) - x));
}

}  // namespace fastnn::cpu::FASTNN_ISA
