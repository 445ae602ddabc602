# fastnn_warnings: linked privately by every target of ours.
option(FASTNN_WERROR "Treat warnings as errors" OFF)
add_library(fastnn_warnings INTERFACE)
if(CMAKE_CXX_COMPILER_ID MATCHES "GNU|Clang")
  target_compile_options(fastnn_warnings INTERFACE -Wall -Wextra -Wconversion -Wshadow)
  if(FASTNN_WERROR)
    target_compile_options(fastnn_warnings INTERFACE -Werror)
  endif()
endif()
