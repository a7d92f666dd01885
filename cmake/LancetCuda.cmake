# SPDX-License-Identifier: Apache-2.0
# lancet::cuda: the CUDA backend. Its operations are compiled by nvcc, once, from compiled/cuda.cu; what includes
# <lancet/backend/cuda.hpp> is compiled by the C++ compiler and linked with them. Not a part of lancet::lancet: who wants
# it says so.
include_guard(GLOBAL)
include(CheckLanguage)

set(LANCET_CUDA_ARCHITECTURES 90 CACHE STRING "The GPUs that lancet::cuda is compiled for, as CMAKE_CUDA_ARCHITECTURES")
if(NOT PROJECT_IS_TOP_LEVEL)  # a language and a library more: only for a project that asks for them
  set(LANCET_WITH_CUDA OFF CACHE STRING "lancet::cuda: AUTO, ON or OFF")
endif()
if(NOT "${LANCET_WITH_CUDA}" STREQUAL "OFF")
  set(CMAKE_FIND_PACKAGE_TARGETS_GLOBAL TRUE)  # as in lancet_component
  find_package(CUDAToolkit 12.4 QUIET)
  unset(CMAKE_FIND_PACKAGE_TARGETS_GLOBAL)
  if(NOT CMAKE_CUDA_COMPILER AND CUDAToolkit_NVCC_EXECUTABLE AND NOT DEFINED ENV{CUDACXX})
    set(ENV{CUDACXX} ${CUDAToolkit_NVCC_EXECUTABLE})  # the toolkit is looked for in more places than the compiler
  endif()
  check_language(CUDA)  # sets CMAKE_CUDA_COMPILER
endif()
lancet_component(cuda
  COMPILER CUDA
  INCLUDES cuda_runtime.h cublasLt.h lancet/backend/cuda.hpp
  PACKAGES "CUDAToolkit 12.4"
  LINK CUDA::cudart CUDA::cublasLt
  DEBIAN nvidia-cuda-toolkit)

if(TARGET lancet_cuda)
  enable_language(CUDA)
  set(CMAKE_CUDA_RUNTIME_LIBRARY Shared)  # as CUDA::cudart: a program must not hold two runtimes
  if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)  # CMake 3.25 does not know that newer nvcc have it
    set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
    set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION -std=c++20)
  endif()
  add_library(lancet_cuda_operations STATIC ${PROJECT_SOURCE_DIR}/compiled/cuda.cu)
  set_target_properties(lancet_cuda_operations PROPERTIES EXPORT_NAME cuda_operations POSITION_INDEPENDENT_CODE ON)
  target_include_directories(lancet_cuda_operations PRIVATE ${PROJECT_SOURCE_DIR}/include)
  target_link_libraries(lancet_cuda_operations PUBLIC CUDA::cudart CUDA::cublasLt)
  lancet_own_target(lancet_cuda_operations)
  target_link_libraries(lancet_cuda INTERFACE lancet_cuda_operations)
endif()
