#include "fastnn/core/isa.hpp"

#include <atomic>
#include <cstdlib>
#include <string>

#include "check.hpp"

namespace fastnn {
namespace {

std::string supported_names() {
  std::string names;
  for (Isa isa : kAllIsas)
    if (supported(isa)) names += (names.empty() ? "" : ", ") + std::string(name(isa));
  return names;
}

Isa detect() {
  if (const char* forced = std::getenv("FASTNN_ISA"); forced && *forced) {
    for (Isa isa : kAllIsas)
      if (std::string(forced) == name(isa) && supported(isa)) return isa;
    check("FASTNN_ISA", false, "expected one of ", supported_names(), ", got '", forced, "'");
  }
  Isa best = Isa::scalar;
  for (Isa isa : kAllIsas)
    if (supported(isa)) best = isa;
  return best;
}

std::atomic<Isa>& active() {
  static std::atomic<Isa> isa{detect()};
  return isa;
}

}  // namespace

Isa active_isa() { return active().load(std::memory_order_relaxed); }

void set_active_isa(Isa isa) {
  check("set_active_isa", supported(isa), "expected one of ", supported_names(), ", got '", name(isa), "'");
  active().store(isa, std::memory_order_relaxed);
}

const char* name(Isa isa) {
  switch (isa) {
    case Isa::scalar: return "scalar";
    case Isa::avx2: return "avx2";
    case Isa::avx512: return "avx512";
    case Isa::neon: return "neon";
  }
  return "unknown";
}

bool supported(Isa isa) {
#if defined(__x86_64__)
  switch (isa) {
    case Isa::scalar: return true;
    case Isa::avx2: return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case Isa::avx512:
      return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
             __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    case Isa::neon: return false;
  }
  return false;
#elif defined(__aarch64__)
  return isa == Isa::scalar || isa == Isa::neon;
#else
  return isa == Isa::scalar;
#endif
}

}  // namespace fastnn
