// SPDX-License-Identifier: Apache-2.0
// Errors must not only be thrown: their sentence must say the right thing.
#pragma once

#include <boost/test/unit_test.hpp>
#include <string>
#include <string_view>

namespace lancet_test {

/// Runs `f`, which must throw an Error whose text contains `sentence`.
template <typename Error, typename Function>
void check_throws(Function&& f, std::string_view sentence) {
  try {
    f();
  } catch (Error const& error) {
    std::string const text = error.what();
    BOOST_CHECK_MESSAGE(text.find(sentence) != std::string::npos,
                        "got \"" << text << "\", expected \"" << sentence << "\"");
    return;
  } catch (std::exception const& error) {
    BOOST_ERROR("another type of error: \"" << error.what() << "\", expected \"" << sentence << "\"");
    return;
  }
  BOOST_ERROR("no error, expected \"" << sentence << "\"");
}

}  // namespace lancet_test
