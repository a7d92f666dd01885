# SPDX-License-Identifier: Apache-2.0
# cmake -D PROGRAM=<test executable> -P run.cmake: runs one Boost.Test executable and judges it.
#
# Failed when the program fails, and when it checked nothing. Skipped (the line SKIPPED AS A WHOLE, which CTest looks
# for) when it checked nothing and printed a line with SKIPPED. A partly skipped test has passed; script/test lists the lines.
execute_process(
  COMMAND ${PROGRAM} --report_level=short --color_output=no
  RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output ECHO_OUTPUT_VARIABLE ECHO_ERROR_VARIABLE)

if(NOT status STREQUAL "0")
  message(FATAL_ERROR "${PROGRAM} ended with: ${status}")
endif()
if(NOT output MATCHES "[1-9][0-9]* assertions? out of")
  if(output MATCHES "SKIPPED|[1-9][0-9]* test cases? out of [0-9]+ skipped")
    execute_process(COMMAND ${CMAKE_COMMAND} -E echo "SKIPPED AS A WHOLE")
  else()
    message(FATAL_ERROR "${PROGRAM} checked nothing: a test that cannot fail")
  endif()
endif()
