# SPDX-License-Identifier: Apache-2.0
# What lancet's own programs are compiled with. Never used on a target that a consumer links.
include_guard(GLOBAL)

# lancet_own_target(<target>): our warnings, and the processor of this machine with LANCET_NATIVE.
function(lancet_own_target target)
  if(CMAKE_CUDA_COMPILER)
    set_target_properties(${target} PROPERTIES CUDA_ARCHITECTURES "${LANCET_CUDA_ARCHITECTURES}" CUDA_STANDARD 20)
    target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=-Wall,-Wextra>)
  endif()
  target_compile_options(${target} PRIVATE
    $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wpedantic -Wshadow -Wconversion>)
  # g++ collects its garbage later: 7 % less time, 2 GB a compiler at the most.
  target_compile_options(${target} PRIVATE
    $<$<COMPILE_LANG_AND_ID:CXX,GNU>:--param=ggc-min-heapsize=1000000 --param=ggc-min-expand=200>)
  if(LANCET_NATIVE AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    # g++ 12 calls its own AVX-512 intrinsics uninitialised (GCC bug 105593), and string concatenation
    # overlapping (105651).
    target_compile_options(${target} PRIVATE
      $<$<COMPILE_LANGUAGE:CXX>:-Wno-uninitialized -Wno-maybe-uninitialized -Wno-restrict>)
  endif()
  if(LANCET_WERROR)
    target_compile_options(${target} PRIVATE
      $<$<COMPILE_LANGUAGE:CXX>:-Werror> $<$<COMPILE_LANGUAGE:CUDA>:--Werror=all-warnings>)
  endif()
  if(LANCET_NATIVE)
    # All own targets or none: Eigen's alignment follows the processor, and mixing the two crashes.
    target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-march=native>)
  endif()
endfunction()
