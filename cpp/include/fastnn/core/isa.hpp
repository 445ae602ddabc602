#pragma once

namespace fastnn {

/// Instruction sets the kernels may have been compiled for, lowest first.
enum class Isa { scalar, avx2, avx512, neon };

constexpr Isa kAllIsas[] = {Isa::scalar, Isa::avx2, Isa::avx512, Isa::neon};

/// The instruction set every op runs on: the best this machine has, unless the environment
/// variable FASTNN_ISA names another. Throws std::invalid_argument if that name is unknown or
/// the machine cannot run it.
Isa active_isa();

/// Overrides active_isa() for the whole process (tests, benchmarks). Throws std::invalid_argument
/// if this machine cannot run `isa`.
void set_active_isa(Isa isa);

const char* name(Isa isa);

/// True if the library was compiled for `isa` and this machine can run it.
bool supported(Isa isa);

}  // namespace fastnn
