# FASTNN_SANITIZE=address,undefined builds everything of ours with those sanitizers.
set(FASTNN_SANITIZE "" CACHE STRING "Comma-separated sanitizers, e.g. address,undefined")
add_library(fastnn_sanitizers INTERFACE)
if(FASTNN_SANITIZE)
  # -O1 comes last and wins: at -O3 the elementwise kernels take 62 s to compile with both sanitizers, so 26 s (gcc 12).
  target_compile_options(fastnn_sanitizers INTERFACE -O1 -fsanitize=${FASTNN_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=undefined -g)
  target_link_options(fastnn_sanitizers INTERFACE -fsanitize=${FASTNN_SANITIZE})
endif()
