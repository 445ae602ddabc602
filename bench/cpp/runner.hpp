// What every microbenchmark shares: verify on each instruction set, then time, against the machine's peak.
#pragma once

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "fastnn/core/isa.hpp"
#include "fastnn/core/threads.hpp"
#include "fastnn/core/types.hpp"
#include "peak.hpp"

namespace bench {

using fastnn::Index;
using fastnn::Isa;

/// What one call needs at least: operations, bytes moved, and the bytes of memory those lie in, if fewer
/// because some are both read and written. Throughput and share are told in operations if there are any.
struct Work {
  double flops = 0, bytes = 0, footprint = bytes;
};

inline bool failed = false;

/// Normally distributed values, which repeat after a few thousand: drawing ten million takes longer than
/// timing them.
inline std::vector<float> normal(Index n) {
  static const std::vector<float> drawn = [] {
    std::mt19937 generator{1};
    std::normal_distribution<float> distribution;
    std::vector<float> values(4099);  // a prime, so that rows differ
    for (float& value : values) value = distribution(generator);
    return values;
  }();
  std::vector<float> values(static_cast<std::size_t>(n));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = drawn[i % drawn.size()];
  return values;
}

/// "/256x10" for {256, 10}.
inline std::string label(std::initializer_list<Index> lengths) {
  std::string text;
  for (Index length : lengths) text.append(text.empty() ? "/" : "x").append(std::to_string(length));
  return text;
}

/// The largest difference, relative to the largest expected value; infinite where one is not a number.
inline double difference(const std::vector<float>& values, const std::vector<float>& expected) {
  double worst = 0, scale = 1e-30;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double distance = std::fabs(double(values[i]) - double(expected[i]));
    worst = std::isnan(distance) ? HUGE_VAL : std::max(worst, distance);
    scale = std::max(scale, std::fabs(double(expected[i])));
  }
  return worst / scale;
}

/// Operations or bytes per second that no kernel exceeds by much: the best of three, measured once for each
/// footprint.
inline double limit(const Work& work) {
  static std::map<double, double> known;
  const auto [entry, is_new] = known.try_emplace(work.flops > 0 ? 0 : work.footprint, 0.0);
  for (int attempt = 0; is_new && attempt < 3; ++attempt) {
    const int threads = fastnn::num_threads();
    entry->second =
        std::max(entry->second, work.flops > 0 ? peak::flops(threads)
                                               : peak::bandwidth(threads, std::size_t(work.footprint)));
  }
  return entry->second;
}

/// Registers name/<isa> for every instruction set of this machine. `make` returns a job; calling that must
/// write all of its member y, which is held against what the scalar kernels write.
template <class Make> void add(const std::string& name, Work work, const Make& make) {
  for (Isa isa : fastnn::kAllIsas) {
    if (!fastnn::supported(isa)) continue;
    benchmark::RegisterBenchmark((name + "/" + fastnn::name(isa)).c_str(), [=](benchmark::State& state) {
      fastnn::set_active_isa(Isa::scalar);
      auto expected = make();
      expected();
      fastnn::set_active_isa(isa);
      auto timed = make();
      timed();
      if (difference(timed.y, expected.y) > 1e-5) {
        failed = true;
        state.SkipWithError("differs from the scalar kernels");
        return;
      }
      const double begin = peak::now();
      for (auto _ : state) timed();
      const double seconds = (peak::now() - begin) / double(state.iterations());
      const double rate = (work.flops > 0 ? work.flops : work.bytes) / seconds;
      state.counters[work.flops > 0 ? "GFLOP/s" : "GB/s"] = rate / 1e9;
      state.counters["% of peak"] = 100 * rate / limit(work);
    })->Unit(benchmark::kMicrosecond);
  }
}

/// Runs what was added. The exit status is 1 if a kernel was wrong.
inline int run(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::AddCustomContext("threads", std::to_string(fastnn::num_threads()));
  benchmark::RunSpecifiedBenchmarks();
  return failed ? 1 : 0;
}

}  // namespace bench
