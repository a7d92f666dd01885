# SPDX-License-Identifier: Apache-2.0
# cmake -D PROGRAM=<example> -D EXPECTED=<name>.out -P run.cmake: runs an example; its output must be the committed one.
execute_process(COMMAND ${PROGRAM} RESULT_VARIABLE status OUTPUT_VARIABLE output ECHO_OUTPUT_VARIABLE)
if(NOT status STREQUAL "0")
  message(FATAL_ERROR "${PROGRAM} ended with: ${status}")
endif()
if(EXISTS ${EXPECTED})
  file(READ ${EXPECTED} expected)
  if(NOT output STREQUAL expected)
    message(FATAL_ERROR "the output above is not that of ${EXPECTED}, which is:\n${expected}")
  endif()
endif()
