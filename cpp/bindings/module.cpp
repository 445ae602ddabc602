#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <map>
#include <string>
#include <vector>

#include "fastnn/core/isa.hpp"
#include "fastnn/core/memory.hpp"
#include "fastnn/core/threads.hpp"

namespace py = pybind11;
using fastnn::Isa;

#define FASTNN_BIND(op) void bind_##op(py::module_&);
#include "bind_all.inc"
#undef FASTNN_BIND
void bind_program(py::module_&);

namespace {

void set_active_isa(const std::string& name) {
  for (Isa isa : fastnn::kAllIsas)
    if (name == fastnn::name(isa)) return fastnn::set_active_isa(isa);
  throw py::value_error("[set_active_isa] expected scalar, avx2, avx512 or neon, got '" + name + "'");
}

std::vector<std::string> supported_isas() {
  std::vector<std::string> names;
  for (Isa isa : fastnn::kAllIsas)
    if (fastnn::supported(isa)) names.emplace_back(fastnn::name(isa));
  return names;
}

std::string compiler() {
#if defined(__clang__)
  return "clang " __clang_version__;
#elif defined(__GNUC__)
  return "gcc " __VERSION__;
#else
  return "unknown";
#endif
}

void bind_isa(py::module_& m) {
  m.def("active_isa", [] { return std::string(fastnn::name(fastnn::active_isa())); });
  m.def("set_active_isa", &set_active_isa, py::arg("name"));
  m.def("supported_isas", &supported_isas);
}

void bind_threads(py::module_& m) {
  m.def("num_threads", &fastnn::num_threads);
  m.def("set_num_threads", &fastnn::set_num_threads, py::arg("n"));
  m.def("set_thread_limit", &fastnn::set_thread_limit, py::arg("n"));
  m.def("available_threads", &fastnn::available_threads);
  m.def("forked", &fastnn::forked);
  m.def("threading", &fastnn::threading);
}

void bind_memory(py::module_& m) {
  m.def("memory_stats", [] {
    const fastnn::MemoryStats s = fastnn::memory_stats();
    return std::map<std::string, std::uint64_t>{{"in_use_bytes", s.in_use_bytes},
                                                {"cached_bytes", s.cached_bytes},
                                                {"peak_bytes", s.peak_bytes},
                                                {"requests", s.requests},
                                                {"reused", s.reused}};
  });
  m.def("pool_limit", &fastnn::pool_limit);
  m.def("empty_cache", &fastnn::pool_clear);
}

void bind_build(py::module_& m) {
  m.def("compiler", &compiler);
  m.attr("__version__") = FASTNN_VERSION;
}

}  // namespace

PYBIND11_MODULE(_core, m, py::mod_gil_not_used()) {
  m.doc() = "CPU kernels of fastnn. Private: use fastnn.ops instead.";
  fastnn::active_isa();  // a wrong FASTNN_ISA, FASTNN_NUM_THREADS or FASTNN_POOL_BYTES is told at import
  fastnn::num_threads();
  fastnn::pool_limit();
  bind_isa(m);
  bind_threads(m);
  bind_memory(m);
  bind_build(m);
  bind_program(m);
#define FASTNN_BIND(op) bind_##op(m);
#include "bind_all.inc"
#undef FASTNN_BIND
}
