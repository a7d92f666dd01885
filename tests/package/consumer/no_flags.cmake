# SPDX-License-Identifier: Apache-2.0
# lancet must put no flag, macro or link option on those who link it.
foreach(target lancet::lancet lancet::core lancet::eigen lancet::cblas lancet::io lancet::stats lancet::pcre2)
  foreach(property INTERFACE_COMPILE_OPTIONS INTERFACE_COMPILE_DEFINITIONS INTERFACE_LINK_OPTIONS)
    if(TARGET ${target})
      get_target_property(value ${target} ${property})
      if(value)
        message(FATAL_ERROR "${target} forces ${property} on its users: ${value}")
      endif()
    endif()
  endforeach()
endforeach()
