// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE sha256
#include "lancet/io/sha256.hpp"

#include <boost/test/unit_test.hpp>
#include <string>

#include "support/errors.hpp"
#include "support/temporary_folder.hpp"

namespace {
std::string of(std::string const& text) { return lancet::sha256(std::as_bytes(std::span(text))); }
}  // namespace

// The vectors of FIPS 180-4's examples (csrc.nist.gov).
BOOST_AUTO_TEST_CASE(published_vectors) {
  BOOST_TEST(of("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  BOOST_TEST(of("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  BOOST_TEST(of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
             "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  BOOST_TEST(of(std::string(1'000'000, 'a')) ==
             "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

BOOST_AUTO_TEST_CASE(in_pieces_and_from_files) {
  lancet_test::temporary_folder const folder;
  for (std::size_t const size : {0u, 1u, 262143u, 262144u, 262145u, 1'000'000u}) {
    std::string const text(size, 'a');
    lancet_test::spill(folder / "file", text);
    BOOST_TEST(lancet::sha256_of_file(folder / "file") == of(text));
    lancet::sha256_stream stream;
    stream.update(std::as_bytes(std::span(text).first(size / 3)));
    stream.update(std::as_bytes(std::span(text).subspan(size / 3)));
    BOOST_TEST(stream.finish() == of(text));
  }
  lancet_test::check_throws<lancet::file_error>([&] { (void)lancet::sha256_of_file(folder / "absent"); },
                                                "absent: no such file");
}
