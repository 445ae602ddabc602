#pragma once

// The vector types of the instruction set being compiled: F32 and F64. Every ISA's header defines the
// same names with the same meaning, so that a kernel is written once, for Vec<T>. Only kernels
// include this file.
//
//   V::lanes  V::T  V::Mask
//   V::set(x)  V::load(p)  V::load_n(p, n, fill)   n in [0, lanes]: reads n elements, the others are fill
//   V::load_last(p, n)                the last n lanes from p, the others 0
//   v.store(p)  v.store_n(p, n)
//   v.stream(p)                       past the caches, to a multiple of the vector's size; stream_end()
//   before others
//                                     may read
//   + - * /  fma(a, b, c) = a b + c   fnma(a, b, c) = c - a b   (one rounding where the ISA has FMA)
//   min(a, b)  max(a, b)              b if either is NaN
//   abs sqrt round (to nearest, ties to even)  copysign(magnitude, sign)
//   < <= > >= == != -> Mask           false with a NaN, but != true
//   select(mask, yes, no)  & | on masks  any(mask)  bits(mask)  (lane i in bit i)
//   exponent(x)                       floor(log2|x|) for normal x
//   mantissa(x)                       x / 2^exponent(x), sign kept, for normal x
//   pow2(n)                           2^n for integral n in the normal range
//   scale(x, n)                       x 2^n for integral n, x and the result normal; NaN if x is NaN
//   quick_sqrt(x)                     sqrt(x) to 1 ulp, for what is divided by
//   inverse(x)                        1 / x to 1 ulp, for finite x where both are normal; NaN if x is NaN
//   sum(v)  max_lane(v)  min_lane(v)  fixed order
//
// and U64, lanes of 64 bits for philox.hpp:
//
//   U64::set(x)   U64::count(x)       x, x + 1, x + 2, ... in the order that store_words wants
//   low_product(a, b)                 of the lower halves
//   high(a)  xor3(a, b, c)            a >> 32, a ^ b ^ c
//   store_words(p, a, b, c, d)        the lower halves, 4 of a lane together, in the order of count

#if defined(FASTNN_ISA_avx512)
#include "simd/avx512.hpp"
#elif defined(FASTNN_ISA_avx2)
#include "simd/avx2.hpp"
#elif defined(FASTNN_ISA_neon)
#include "simd/neon.hpp"
#else
#include "simd/scalar.hpp"
#endif

namespace fastnn::cpu::FASTNN_ISA {

template <class T> struct VecOf;
template <> struct VecOf<float> { using type = F32; };
template <> struct VecOf<double> { using type = F64; };

/// The vector of elements of type T.
template <class T> using Vec = typename VecOf<T>::type;

}  // namespace fastnn::cpu::FASTNN_ISA
