#include "fastnn/cast.hpp"

#include "kernel.hpp"

namespace fastnn::cpu {

FASTNN_DECLARE(void, cast_span, (Element type, const void* x, T* y, Index begin, Index end))

}  // namespace fastnn::cpu

#if FASTNN_KERNELS  // ---- once per ISA ----------------------------------------

namespace fastnn::cpu::FASTNN_ISA {

template <class From, class T> static inline void convert(const void* x, T* y, Index begin, Index end) {
  const From* const from = static_cast<const From*>(x);
  for (Index i = begin; i < end; ++i) y[i] = T(from[i]);
}

template <class T> void cast_span(Element type, const void* x, T* y, Index begin, Index end) {
  switch (type) {
    case Element::boolean: return convert<bool>(x, y, begin, end);
    case Element::int8: return convert<std::int8_t>(x, y, begin, end);
    case Element::uint8: return convert<std::uint8_t>(x, y, begin, end);
    case Element::int16: return convert<std::int16_t>(x, y, begin, end);
    case Element::uint16: return convert<std::uint16_t>(x, y, begin, end);
    case Element::int32: return convert<std::int32_t>(x, y, begin, end);
    case Element::uint32: return convert<std::uint32_t>(x, y, begin, end);
    case Element::int64: return convert<std::int64_t>(x, y, begin, end);
    case Element::uint64: return convert<std::uint64_t>(x, y, begin, end);
    case Element::float32: return convert<float>(x, y, begin, end);
    case Element::float64: return convert<double>(x, y, begin, end);
  }
}
FASTNN_INSTANTIATE(cast_span)
template void cast_span(Element, const void*, std::int64_t*, Index, Index);

}  // namespace fastnn::cpu::FASTNN_ISA
#endif

#if FASTNN_ENTRY  // ---- once --------------------------------------------------
#include <type_traits>

#include "check.hpp"
#include "parallel.hpp"

namespace fastnn::cpu {

template <class T> void cast(Element type, const void* x, T* y, Index n) {
  check("cast", n >= 0, "expected n >= 0, got ", n);
  check("cast", !std::is_integral_v<T> || type < Element::float32, "expected integers to make int64 of");
  const auto kernel = FASTNN_SELECT(cast_span<T>);
  parallel_ranges(
      n, 1, [=](Index begin, Index end) { kernel(type, x, y, begin, end); }, 64);
}
FASTNN_INSTANTIATE(cast)
template void cast(Element, const void*, std::int64_t*, Index);

}  // namespace fastnn::cpu
#endif
