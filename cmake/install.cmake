# The C++ package: fastnn_core, its headers and what find_package(fastnn) needs.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)
set(FASTNN_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/fastnn)

install(TARGETS fastnn_core EXPORT fastnn ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT cpp)
install(DIRECTORY cpp/include/fastnn DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT cpp)
install(EXPORT fastnn FILE fastnn-targets.cmake NAMESPACE fastnn:: DESTINATION ${FASTNN_CMAKE_DIR} COMPONENT cpp)

configure_package_config_file(cmake/fastnn-config.cmake.in fastnn-config.cmake INSTALL_DESTINATION ${FASTNN_CMAKE_DIR})
write_basic_package_version_file(fastnn-config-version.cmake COMPATIBILITY SameMinorVersion)
install(
  FILES ${CMAKE_CURRENT_BINARY_DIR}/fastnn-config.cmake ${CMAKE_CURRENT_BINARY_DIR}/fastnn-config-version.cmake
  DESTINATION ${FASTNN_CMAKE_DIR} COMPONENT cpp)
