#pragma once

// How one source file becomes one kernel per instruction set. The only file with macros.
//
// CMake compiles cpp/src/ops/<op>.cpp several times. Each time but one, FASTNN_ISA is defined: only
// the kernels, templates over float and double in namespace fastnn::cpu::<isa>, are compiled, with
// that ISA's flags. The one time it is not: only the entry points, with baseline flags.
//
//   FASTNN_DECLARE(void, softmax_rows, (const T* x, T* y, Index rows, Index cols))
//   #if FASTNN_KERNELS   template <class T> void softmax_rows(...) {...}   FASTNN_INSTANTIATE(softmax_rows)
//   #if FASTNN_ENTRY     FASTNN_SELECT(softmax_rows<T>)(x, y, rows, cols)
//
// Inside a kernel, use nothing that the compiler may emit as a shared inline function: no std::
// templates, no containers. An inline function compiled with AVX-512 flags could replace its
// baseline twin at link time and crash older machines. tests/test_architecture.py checks the objects.

#include "fastnn/core/types.hpp"

#ifdef FASTNN_ISA
#define FASTNN_KERNELS 1
#define FASTNN_ENTRY 0
#else
#define FASTNN_KERNELS 0
#define FASTNN_ENTRY 1
#endif

#if defined(__x86_64__)
#define FASTNN_FOR_EACH_ISA(M, ...) M(scalar, __VA_ARGS__) M(avx2, __VA_ARGS__) M(avx512, __VA_ARGS__)
#elif defined(__aarch64__)
#define FASTNN_FOR_EACH_ISA(M, ...) M(scalar, __VA_ARGS__) M(neon, __VA_ARGS__)
#else
#define FASTNN_FOR_EACH_ISA(M, ...) M(scalar, __VA_ARGS__)
#endif

/// Declares one kernel template over T in every ISA's namespace.
#define FASTNN_DECLARE(ret, fn, params) FASTNN_FOR_EACH_ISA(FASTNN_DECLARE_IN, ret, fn, params)
#define FASTNN_DECLARE_IN(isa, ret, fn, params) \
  namespace isa {                               \
  template <class T> ret fn params;             \
  }

/// Emits a function template for both element types.
#define FASTNN_INSTANTIATE(fn)            \
  template decltype(fn<float>) fn<float>; \
  template decltype(fn<double>) fn<double>;

#if FASTNN_ENTRY
#include "fastnn/core/isa.hpp"

/// The active ISA's version of a declared kernel: FASTNN_SELECT(f<T>)(arguments...).
#if defined(__x86_64__)
#define FASTNN_SELECT(fn)                                        \
  (::fastnn::active_isa() == ::fastnn::Isa::avx512 ? &avx512::fn \
   : ::fastnn::active_isa() == ::fastnn::Isa::avx2 ? &avx2::fn   \
                                                   : &scalar::fn)
#elif defined(__aarch64__)
#define FASTNN_SELECT(fn) (::fastnn::active_isa() == ::fastnn::Isa::neon ? &neon::fn : &scalar::fn)
#else
#define FASTNN_SELECT(fn) (&scalar::fn)
#endif
#endif
