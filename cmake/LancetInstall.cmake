# SPDX-License-Identifier: Apache-2.0
# Installs headers and a CMake package with one export file a component, so that a consumer without, say, OpenSSL can
# still use lancet::eigen.
include_guard(GLOBAL)
include(CMakePackageConfigHelpers)

set(lancet_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/lancet)
set(lancet_config_packages "")
set(lancet_installed ${LANCET_COMPONENTS})
set(lancet_compiled_needs "")

if(TARGET lancet_cuda_operations)
  install(TARGETS lancet_cuda_operations EXPORT lancet-cuda)
endif()
foreach(component IN LISTS LANCET_COMPONENTS)
  install(TARGETS lancet_${component} EXPORT lancet-${component} FILE_SET HEADERS)
  install(EXPORT lancet-${component} NAMESPACE lancet:: DESTINATION ${lancet_package_dir})
  get_property(packages GLOBAL PROPERTY LANCET_PACKAGES_${component})
  string(APPEND lancet_config_packages "set(lancet_packages_${component} \"${packages}\")\n")
endforeach()
install(TARGETS lancet FILE_SET HEADERS)  # the target itself is put together anew by lancetConfig.cmake

if(TARGET lancet_compiled)
  if(LANCET_NATIVE)
    # A library for this processor would crash in a program whose Eigen was aligned for another one.
    message(STATUS "lancet::compiled is not installed: it is built for this machine only (LANCET_NATIVE)")
  else()
    install(TARGETS lancet_compiled EXPORT lancet-compiled)
    install(EXPORT lancet-compiled NAMESPACE lancet:: DESTINATION ${lancet_package_dir})
    list(APPEND lancet_installed compiled)
    get_target_property(lancet_compiled_needs lancet_compiled LANCET_NEEDS)
  endif()
endif()

foreach(header IN LISTS LANCET_PLAIN_HEADERS)
  file(RELATIVE_PATH relative ${PROJECT_SOURCE_DIR}/include ${header})
  get_filename_component(folder ${relative} DIRECTORY)
  install(FILES ${header} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/${folder})
endforeach()

configure_package_config_file(cmake/lancetConfig.cmake.in ${PROJECT_BINARY_DIR}/lancetConfig.cmake
  INSTALL_DESTINATION ${lancet_package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/lancetConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/lancetConfig.cmake ${PROJECT_BINARY_DIR}/lancetConfigVersion.cmake
  DESTINATION ${lancet_package_dir})
install(DIRECTORY cmake/modules DESTINATION ${lancet_package_dir})
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
