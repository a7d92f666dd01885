# SPDX-License-Identifier: Apache-2.0
# cmake -D COMPILER -D SOURCE -D INCLUDES=a|b -D EXPECTATION=success|error -P run.cmake: compiles SOURCE and judges it.
set(flags -std=c++20 -O0 -Wall -Wextra -Werror)
string(REPLACE "|" ";" INCLUDES "${INCLUDES}")
list(REMOVE_DUPLICATES INCLUDES)
foreach(folder IN LISTS INCLUDES)
  if(EXISTS ${folder}/lancet/version.hpp)
    list(APPEND flags -I${folder})
  elseif(folder AND NOT folder STREQUAL "/usr/include")  # there, -isystem would break #include_next
    list(APPEND flags -isystem ${folder})
  endif()
endforeach()

# Not -fsyntax-only: templates must be instantiated.
execute_process(COMMAND ${CMAKE_COMMAND} -E env LC_ALL=C ${COMPILER} ${flags} -c ${SOURCE} -o /dev/null
  RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)

if(EXPECTATION STREQUAL "success")
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "${SOURCE} did not compile, and must:\n${output}")
  endif()
  return()
endif()

if(status EQUAL 0)
  message(FATAL_ERROR "${SOURCE} compiled, and must not")
endif()
file(STRINGS ${SOURCE} expected REGEX "^// error: ")
if(NOT expected)
  message(FATAL_ERROR "${SOURCE} has no line '// error: text'")
endif()
foreach(text IN LISTS expected)
  string(REGEX REPLACE "^// error: " "" text "${text}")
  string(FIND "${output}" "${text}" at)
  if(at EQUAL -1)
    message(FATAL_ERROR "${SOURCE} failed to compile as it should, but without the words '${text}':\n${output}")
  endif()
endforeach()
