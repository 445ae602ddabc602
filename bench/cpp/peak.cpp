#include "peak.hpp"

#include <omp.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace peak {
namespace {

#if defined(__AVX512F__)
constexpr std::size_t kBytes = 64;
#elif defined(__AVX__)
constexpr std::size_t kBytes = 32;
#else
constexpr std::size_t kBytes = 16;
#endif
constexpr std::size_t kWidth = kBytes / sizeof(float);
using Vec [[gnu::vector_size(kBytes), gnu::may_alias]] = float;

volatile float sink;

void stream(float* p, Vec v) {
#if defined(__AVX512F__)
  _mm512_stream_ps(p, v);
#elif defined(__AVX__)
  _mm256_stream_ps(p, v);
#else
  *reinterpret_cast<Vec*>(p) = v;
#endif
}

double scale(int threads, std::size_t bytes, bool streaming) {
  const std::size_t block = std::size_t(threads) * 64;
  const std::size_t n = bytes / 2 / sizeof(float) / block * block;
  const std::size_t allocated = (n * sizeof(float) + 4095) / 4096 * 4096;
  auto* x = static_cast<float*>(std::aligned_alloc(4096, allocated));
  auto* y = static_cast<float*>(std::aligned_alloc(4096, allocated));
  std::fill(x, x + n, 1.0f);
  std::fill(y, y + n, 1.0f);
  const long rounds = std::max(3L, 200'000'000 / long(bytes));
  double seconds[5];
  for (double& time : seconds) {
    const double begin = now();
#pragma omp parallel num_threads(threads)
    {
      const std::size_t part = n / std::size_t(threads), from = part * std::size_t(omp_get_thread_num());
      for (long r = 0; r < rounds; ++r) {
        for (std::size_t i = from; i < from + part; i += 2 * kWidth) {
          const Vec a = *reinterpret_cast<const Vec*>(x + i) * 3.0f;
          const Vec b = *reinterpret_cast<const Vec*>(x + i + kWidth) * 3.0f;
          if (streaming) {
            stream(y + i, a);
            stream(y + i + kWidth, b);
          } else {
            *reinterpret_cast<Vec*>(y + i) = a;
            *reinterpret_cast<Vec*>(y + i + kWidth) = b;
          }
        }
        asm volatile("" ::: "memory");
      }
    }
    time = (now() - begin) / double(rounds);
  }
  std::free(x);
  std::free(y);
  std::sort(seconds, seconds + 5);
  return 2.0 * double(n) * sizeof(float) / seconds[2];
}

}  // namespace

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Twelve independent chains hide the latency of the multiply-add.
double flops(int threads, long rounds) {
  constexpr int kChains = 12;
  const double begin = now();
#pragma omp parallel num_threads(threads)
  {
    Vec sum[kChains], x = Vec{} + 1.0000001f, y = Vec{} + 1e-9f;
    for (int i = 0; i < kChains; ++i) sum[i] = Vec{} + float(i) * 0.001f;
    for (long r = 0; r < rounds; ++r) {
#pragma GCC unroll 12
      for (int i = 0; i < kChains; ++i) sum[i] = sum[i] * x + y;
    }
    for (int i = 1; i < kChains; ++i) sum[0] = sum[0] + sum[i];
    sink = sum[0][0];
  }
  return double(threads) * double(rounds) * kChains * 2 * double(kWidth) / (now() - begin);
}

double bandwidth(int threads, std::size_t bytes) {
  return std::max(scale(threads, bytes, false), scale(threads, bytes, true));
}

}  // namespace peak
