// SPDX-License-Identifier: Apache-2.0
// Errors: every failure says what was got, what was expected, and where.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

namespace lancet {

/// Base of everything that lancet throws on purpose.
class error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A caller's arguments do not fit together: shapes, ranges, an unknown name. (Exit status 2 of the program.)
class usage_error : public error {
 public:
  using error::error;
};

/// A file is missing, damaged, or says something that lancet cannot honour. (Exit status 3 of the program.)
class file_error : public error {
 public:
  /// `where` is the file's path, with a line or byte offset where known: "pairs.jsonl:7", "m.gguf @ byte 24".
  file_error(std::string_view where, std::string_view what)
      : error(std::string(where) + ": " + std::string(what)) {}
};

/// Memory or disk is exhausted. (Exit status 4 of the program.)
class resource_error : public error {
 public:
  using error::error;
};

/// "WHERE: got GOT, expected EXPECTED" as a usage_error.
[[noreturn]] inline void fail_expected(std::string_view where, std::string_view got,
                                       std::string_view expected) {
  throw usage_error(std::string(where) + ": got " + std::string(got) + ", expected " + std::string(expected));
}

}  // namespace lancet
