#include "fastnn/normal.hpp"

#include "philox.hpp"

namespace fastnn::cpu {

FASTNN_DECLARE(void, normal_span,
               (const RandomKey& key, T* y, Index begin, Index end, double mean, double stddev))

/// Elements that are made together.
constexpr Index kBatch = 128;

}  // namespace fastnn::cpu

#if FASTNN_KERNELS  // ---- once per ISA ----------------------------------------
#include "simd/math.hpp"

namespace fastnn::cpu::FASTNN_ISA {

// z of a batch.
static inline void normal_batch(const Philox& philox, std::uint64_t batch, double* z) {
  constexpr int kBlocks = int(kBatch) / 4;
  constexpr double kUnit = 1.0 / 4294967296.0;
  std::uint32_t words[4 * kBlocks];
  philox.blocks<kBlocks>(batch * kBlocks, words);
  for (int pair = 0; pair < 4; pair += 2) {
    double* first = z + pair * kBlocks;
    double* second = first + kBlocks;
    for (int l = 0; l < kBlocks; ++l) {
      first[l] = (double(words[4 * l + pair]) + 0.5) * kUnit;
      second[l] = double(words[4 * l + pair + 1]) * (2 * 3.14159265358979323846 * kUnit);
    }
    for (int l = 0; l < kBlocks; l += F64::lanes) {
      const F64 r = sqrt(F64::set(-2) * log(F64::load(first + l))), angle = F64::load(second + l);
      (r * cos(angle)).store(first + l);
      (r * sin(angle)).store(second + l);
    }
  }
}

// begin is a multiple of kBatch.
template <class T>
void normal_span(const RandomKey& key, T* y, Index begin, Index end, double mean, double stddev) {
  const Philox philox(key);
  for (Index first = begin; first < end; first += kBatch) {
    double z[kBatch];
    normal_batch(philox, std::uint64_t(first / kBatch), z);
    const Index count = end - first < kBatch ? end - first : kBatch;
    for (Index i = 0; i < count; ++i) y[first + i] = T(mean + stddev * z[i]);
  }
}
FASTNN_INSTANTIATE(normal_span)

}  // namespace fastnn::cpu::FASTNN_ISA
#endif

#if FASTNN_ENTRY  // ---- once --------------------------------------------------
#include "parallel.hpp"

namespace fastnn::cpu {

template <class T> void normal(std::uint64_t* state, T* y, Index n, double mean, double stddev) {
  const RandomKey key = random_key(state);
  ++state[2];
  const auto kernel = FASTNN_SELECT(normal_span<T>);
  parallel_ranges(
      n, 8, [&](Index begin, Index end) { kernel(key, y, begin, end, mean, stddev); }, kBatch);
}
FASTNN_INSTANTIATE(normal)

}  // namespace fastnn::cpu
#endif
