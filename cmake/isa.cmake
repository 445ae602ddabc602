# Every instruction set the kernels are compiled for, lowest first, and its compiler flags.
# FASTNN_FOR_EACH_ISA in cpp/src/kernel.hpp lists the same names.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64|amd64")
  set(FASTNN_ISAS scalar avx2 avx512)
  set(FASTNN_FLAGS_scalar "")
  set(FASTNN_FLAGS_avx2 -mavx2 -mfma -mprfchw -mtune=haswell)
  set(FASTNN_FLAGS_avx512 -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma -mprfchw -mprefer-vector-width=512)
  # GCC before 13 takes its own _mm512_undefined_ps() for a use of an uninitialised variable (bug 105593).
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    list(APPEND FASTNN_FLAGS_avx512 -Wno-uninitialized -Wno-maybe-uninitialized)
  endif()
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64|ARM64")
  set(FASTNN_ISAS scalar neon)
  set(FASTNN_FLAGS_scalar "")
  set(FASTNN_FLAGS_neon "")
else()
  set(FASTNN_ISAS scalar)
  set(FASTNN_FLAGS_scalar "")
endif()

# No -ffast-math: infinities and NaNs must survive. Fused multiply-add only where written as fma().
set(FASTNN_KERNEL_FLAGS -O3 -ffp-contract=off -fno-math-errno -fno-trapping-math)
# Nothing a kernel does throws, and nothing it calls: no tables of how to unwind them, 2 % of a wheel.
set(FASTNN_NO_THROW_FLAGS -fno-exceptions -fno-asynchronous-unwind-tables)

# Copies of whole register tiles for each case of a branch are two thirds of the time gemm.cpp takes, and no faster.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  set_source_files_properties(cpp/src/ops/gemm.cpp PROPERTIES COMPILE_OPTIONS "-fno-split-loops;-fno-unswitch-loops")
endif()

# fastnn_add_kernels(<target> <source>...): compiles the kernels of every source once per
# instruction set, in that set's namespace, and adds the objects to <target>.
function(fastnn_add_kernels target)
  foreach(isa IN LISTS FASTNN_ISAS)
    set(objects ${target}_kernels_${isa})
    add_library(${objects} OBJECT ${ARGN})
    target_compile_definitions(${objects} PRIVATE FASTNN_ISA=${isa} FASTNN_ISA_${isa}=1)
    target_compile_options(${objects} PRIVATE ${FASTNN_KERNEL_FLAGS} ${FASTNN_NO_THROW_FLAGS} ${FASTNN_FLAGS_${isa}})
    target_include_directories(${objects} PRIVATE cpp/include cpp/src)
    target_link_libraries(${objects} PRIVATE fastnn_warnings fastnn_sanitizers)
    set_target_properties(${objects} PROPERTIES POSITION_INDEPENDENT_CODE ON)
    target_sources(${target} PRIVATE $<TARGET_OBJECTS:${objects}>)
  endforeach()
endfunction()
