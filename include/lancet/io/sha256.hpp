// SPDX-License-Identifier: Apache-2.0
// SHA-256 (FIPS 180-4) of bytes and of files, by OpenSSL: link libcrypto.
#pragma once

#include <openssl/evp.h>

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "lancet/core/error.hpp"
#include "lancet/io/detail/posix.hpp"

namespace lancet {

/// The digest of bytes given piece by piece.
class sha256_stream {
 public:
  sha256_stream() : context_(::EVP_MD_CTX_new()) {
    if (!context_ || ::EVP_DigestInit_ex(context_.get(), ::EVP_sha256(), nullptr) != 1) fail();
  }

  void update(std::span<std::byte const> bytes) {
    if (::EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) != 1) fail();
  }

  /// The digest of all pieces as 64 lower-case hexadecimal digits; ends the stream.
  [[nodiscard]] std::string finish() {
    std::array<unsigned char, 32> digest{};
    unsigned size = 0;
    if (::EVP_DigestFinal_ex(context_.get(), digest.data(), &size) != 1 || size != digest.size()) fail();
    static constexpr char digits[] = "0123456789abcdef";
    std::string text;
    for (unsigned char const byte : digest) text += {digits[byte >> 4], digits[byte & 15]};
    return text;
  }

 private:
  struct release {
    void operator()(EVP_MD_CTX* context) const { ::EVP_MD_CTX_free(context); }
  };
  [[noreturn]] static void fail() { throw resource_error("SHA-256: OpenSSL failed"); }

  std::unique_ptr<EVP_MD_CTX, release> context_;
};

[[nodiscard]] inline std::string sha256(std::span<std::byte const> bytes) {
  sha256_stream stream;
  stream.update(bytes);
  return stream.finish();
}

/// The digest of a file's content, in bounded memory; an empty file has one too. Throws file_error.
[[nodiscard]] inline std::string sha256_of_file(std::string const& path) {
  detail::readable_file const opened = detail::open_readable(path);
  sha256_stream stream;
  std::vector<std::byte> piece(std::size_t{1} << 18);
  while (std::size_t const got = detail::read_up_to(opened.file, piece.data(), piece.size(), path)) {
    stream.update(std::span(piece).first(got));
  }
  return stream.finish();
}

}  // namespace lancet
