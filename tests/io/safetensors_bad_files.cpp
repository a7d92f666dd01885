// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE safetensors_bad_files
#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "lancet/io/finite.hpp"
#include "lancet/io/safetensors.hpp"
#include "support/allocations.hpp"
#include "support/errors.hpp"
#include "support/safetensors_bytes.hpp"
#include "support/temporary_folder.hpp"

// As gguf_bad_files.cpp: every bad file has its own sentence, is never read past its end, and costs little
// memory.

using lancet::safetensors_file;
using namespace lancet_test;

namespace {

void refused(std::vector<std::byte> const& bytes, std::string_view sentence,
             lancet::safetensors_limits const& limits = {}) {
  std::vector<std::byte> const exact(bytes.begin(), bytes.end());
  allocation_watch const watch;
  check_throws<lancet::file_error>([&] { (void)safetensors_file::parse(exact, "bad.safetensors", limits); },
                                   sentence);
  check_throws<lancet::file_error>([&] { (void)safetensors_file::parse(exact, "bad.safetensors", limits); },
                                   "bad.safetensors");
  BOOST_TEST(watch.peak() <= 64 * exact.size() + 16384,
             "took " << watch.peak() << " bytes for a file of " << exact.size());
}

void refused(std::string_view header, std::string_view sentence, std::size_t data = 0,
             lancet::safetensors_limits const& limits = {}) {
  BOOST_TEST_CONTEXT(std::string(header.substr(0, 200))) {
    refused(safetensors_bytes(header, std::string(data, '\0')), sentence, limits);
  }
}

// One tensor `w` with the given entry.
void refused_entry(std::string const& entry, std::string_view sentence, std::size_t data = 16) {
  refused("{\"w\": " + entry + "}", sentence, data);
}

std::string const good =
    R"({"a": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}, "b": {"dtype": "I8", "shape": [3], "data_offsets": [16, 19]}, "__metadata__": {"k": "v"}})";

}  // namespace

BOOST_AUTO_TEST_CASE(header_size) {
  refused(std::vector<std::byte>(3),
          "bad.safetensors @ byte 0: safetensors header: needs 8 bytes, only 3 are left");
  refused(safetensors_bytes("{}", "", ~std::uint64_t{0}),
          "safetensors header: got 18446744073709551615, which need at least 1 bytes each, only 2 are left");
  refused(safetensors_bytes("{}", "", ~std::uint64_t{0} - 7), "safetensors header: got 18446744073709551608");
  refused(safetensors_bytes("{}", "", 3), "safetensors header: got 3");
  refused(safetensors_bytes("{}", "", 0), "bad.safetensors @ byte 8: the header does not begin with '{'");
  refused(safetensors_bytes("{}", "", 1), "not valid JSON");
  refused(good, "safetensors header: got " + std::to_string(good.size()) + ", the limit is 64", 19,
          {.header_bytes = 64});
}

BOOST_AUTO_TEST_CASE(truncated_at_every_byte) {
  auto const bytes = safetensors_bytes(good, std::string(19, '\0'));
  (void)safetensors_file::parse(bytes, "f");
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    std::vector<std::byte> const part(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
    check_throws<lancet::file_error>([&] { (void)safetensors_file::parse(part, "bad.safetensors"); },
                                     "bad.safetensors");
  }
}

BOOST_AUTO_TEST_CASE(header_text) {
  refused(" {}", "the header does not begin with '{': not a safetensors file");
  refused("[]", "the header does not begin with '{'");
  refused("{\"a\": }", "bad.safetensors (header):1: not valid JSON");
  refused("{} x", "not valid JSON");
  refused(std::string_view("{}\0", 3), "not valid JSON: a zero byte");
  refused("{\"\xff\": 1}", "not valid JSON");
  refused("{\"a\": {\"shape\": [[1]]}}", "nested deeper than 3 levels");
  refused("{\"a\":" + std::string(1'000'000, '['), "nested deeper than 3 levels");
}

BOOST_AUTO_TEST_CASE(duplicates) {
  std::string const entry = R"({"dtype": "F32", "shape": [4], "data_offsets": [0, 16]})";
  refused("{\"w\": " + entry + ", \"w\": " + entry + "}", "duplicate key 'w'", 16);
  refused("{\"w\": " + entry + ", \"\\u0077\": " + entry + "}", "duplicate key 'w'", 16);
  refused(R"({"w": {"dtype": "F32", "shape": [4], "shape": [2], "data_offsets": [0, 16]}})",
          "duplicate key 'shape'", 16);
  refused(R"({"__metadata__": {}, "__metadata__": {}})", "duplicate key '__metadata__'");
  refused(R"({"__metadata__": {"k": "1", "k": "2"}})", "duplicate key 'k'");
}

BOOST_AUTO_TEST_CASE(metadata) {
  refused(R"({"__metadata__": {"k": 1}})", "bad.safetensors: __metadata__: 'k': got 1, expected a string");
  refused(R"({"__metadata__": {"k": {}}})", "__metadata__: 'k': got an object, expected a string");
  refused(R"({"__metadata__": null})", "__metadata__: got null, expected an object");
  refused(R"({"__metadata__": {"a": "", "b": ""}})",
          "__metadata__: got an object, expected an object with at most 1 strings", 0, {.metadata = 1});
}

BOOST_AUTO_TEST_CASE(entries) {
  refused_entry("3", "bad.safetensors: tensor 'w': got 3, expected an object");
  refused_entry(R"({"shape": [4], "data_offsets": [0, 16]})", "tensor 'w': has no 'dtype'");
  refused_entry(R"({"dtype": "F32", "data_offsets": [0, 16]})", "tensor 'w': has no 'shape'");
  refused_entry(R"({"dtype": "F32", "shape": [4]})", "tensor 'w': has no 'data_offsets'");
  refused_entry(R"({"dtype": "F32", "shape": [4], "data_offsets": [0, 16], "zip": 1})",
                "tensor 'w': unknown key 'zip'");
  refused_entry(R"({"dtype": "F33", "shape": [4], "data_offsets": [0, 16]})",
                "tensor 'w': unknown type 'F33'; expected one of F32, F16, BF16");
  refused_entry(R"({"dtype": "F8_E4M3", "shape": [16], "data_offsets": [0, 16]})",
                "tensor 'w': type F8_E4M3 cannot be read; expected one of F32");
  refused_entry(R"({"dtype": 1, "shape": [4], "data_offsets": [0, 16]})",
                "tensor 'w': dtype: got 1, expected a string");
  refused_entry(R"({"dtype": "", "shape": [4], "data_offsets": [0, 16]})", "unknown type ''");
  refused(R"({"": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}})", "a tensor's name is empty", 16);
  refused("{\"" + std::string(1025, 'n') + R"(": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}})",
          "the name is longer than 1024 bytes", 16);
  refused(good, "got 3 tensors, the limit is 2", 19, {.tensors = 2});
}

BOOST_AUTO_TEST_CASE(axes) {
  auto const shape = [](std::string const& list, std::string_view sentence) {
    refused_entry(R"({"dtype": "F32", "shape": )" + list + R"(, "data_offsets": [0, 16]})", sentence);
  };
  shape("4", "tensor 'w': shape: got 4, expected a list");
  shape("[-4]", "tensor 'w': shape[0]: got -4, expected an integer from 0 to 18446744073709551615");
  shape("[4.0]", "shape[0]: got 4.0, expected an integer");
  shape("[\"4\"]", "shape[0]: got the string '4'");
  shape("[18446744073709551616]", "shape[0]: got 1.8446744073709552e+19, expected an integer");
  shape("[1,1,1,1,1,1,1,1,4]", "tensor 'w': got 9 axes, expected at most 8");
  shape("[4294967296, 4294967296]", "tensor 'w': the size 4294967296 * 4294967296 does not fit into 64 bits");
  shape("[4294967296, 4294967296, 0]",
        "does not fit into 64 bits");  // though it is empty: later products must not wrap either
  shape("[0, 18446744073709551615]", "is beyond what can be addressed");
  shape("[4611686018427387904]", "the size 4611686018427387904 * 4 does not fit into 64 bits");
  shape("[9223372036854775808]", "beyond what can be addressed");
  shape("[5]", "tensor 'w': data_offsets: got 0 to 16, expected 20 bytes for shape [5] of F32");
  shape("[0]", "expected 0 bytes for shape [0]");
}

BOOST_AUTO_TEST_CASE(data_offsets) {
  auto const offsets = [](std::string const& pair, std::string_view sentence) {
    refused_entry(R"({"dtype": "F32", "shape": [4], "data_offsets": )" + pair + "}", sentence);
  };
  offsets("[0]", "tensor 'w': data_offsets: got a list of 1, expected a list of 2");
  offsets("[0, 8, 16]", "got a list of 3, expected a list of 2");
  offsets("16", "data_offsets: got 16, expected a list of 2");
  offsets("[-16, 0]", "data_offsets[0]: got -16, expected an integer from 0");
  offsets("[16, 0]", "data_offsets: got 16 to 0, expected 16 bytes");
  offsets("[0, 1e2]", "data_offsets[1]: got 100.0, expected an integer");
  offsets("[18446744073709551600, 18446744073709551615]",
          "got 18446744073709551600 to 18446744073709551615, expected 16 bytes");
  offsets("[18446744073709551599, 18446744073709551615]",
          "tensor 'w' begins at byte 18446744073709551599 of the data, after a gap; expected 0");
  offsets("[4, 20]", "tensor 'w' begins at byte 4 of the data, after a gap; expected 0");
  refused_entry(R"({"dtype": "F32", "shape": [4], "data_offsets": [0, 16]})",
                "tensor 'w' ends at byte 16 of the data, the file has only 15", 15);
  refused_entry(R"({"dtype": "F32", "shape": [4], "data_offsets": [0, 16]})",
                "the tensors end at byte 16 of the data, which has 17",
                17);  // a place to hide another file in
  refused("{}", "the tensors end at byte 0 of the data, which has 100", 100);
  auto const two = [](std::string const& a, std::string const& b, std::string_view sentence) {
    refused(R"({"a": {"dtype": "I8", "shape": [8], "data_offsets": )" + a +
                R"(}, "b": {"dtype": "I8", "shape": [8], "data_offsets": )" + b + "}}",
            sentence, 16);
  };
  two("[0, 8]", "[0, 8]", "tensor 'b' begins at byte 0 of the data, inside the tensor before it; expected 8");
  two("[4, 12]", "[0, 8]",
      "tensor 'a' begins at byte 4 of the data, inside the tensor before it; expected 8");
  two("[0, 8]", "[9, 17]", "tensor 'b' begins at byte 9 of the data, after a gap; expected 8");
}

BOOST_AUTO_TEST_CASE(nan_weights) {
  std::string data(16, '\0');
  float const nan = std::numeric_limits<float>::quiet_NaN();
  data.replace(8, 4, reinterpret_cast<char const*>(&nan), 4);
  auto const bytes =
      safetensors_bytes(R"({"w": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}})", data);
  auto const file = safetensors_file::parse(bytes, "bad.safetensors");
  check_throws<lancet::file_error>(
      [&] { lancet::check_finite(lancet::read_floats(file.tensors().at("w")), "w", file.path()); },
      "bad.safetensors: tensor 'w': element 2 is NaN");
}

// 100,000 and more tiny tensors within the header's limit: time and memory must stay in proportion.
BOOST_AUTO_TEST_CASE(very_many_tensors) {
  std::string header = "{";
  for (int i = 0; i < 100'000; ++i)
    header += "\"t" + std::to_string(i) + R"(":{"dtype":"U8","shape":[],"data_offsets":[)" +
              std::to_string(i) + "," + std::to_string(i + 1) + "]},";
  header.back() = '}';
  auto const bytes = safetensors_bytes(header, std::string(100'000, '\0'));
  allocation_watch const watch;
  auto const file = safetensors_file::parse(bytes, "f");
  BOOST_TEST(file.tensors().size() == 100'000u);
  BOOST_TEST(file.tensors().at("t99999").bytes.data() == &bytes.back());
  BOOST_TEST(watch.peak() < 20 * bytes.size(),
             "took " << watch.peak() << " bytes for a file of " << bytes.size());
}

BOOST_AUTO_TEST_CASE(bounded_memory_on_a_gibibyte) {
  temporary_folder const folder;
  std::string const path = folder / "big.safetensors";
  auto const attempt = [&](std::uint64_t declared, std::string const& header, std::string_view sentence) {
    auto const bytes = safetensors_bytes(header, "", declared);
    spill(path, {reinterpret_cast<char const*>(bytes.data()), bytes.size()});
    std::filesystem::resize_file(path, std::uint64_t{1} << 30);
    allocation_watch const watch;
    check_throws<lancet::file_error>([&] { (void)safetensors_file::open(path); }, sentence);
    BOOST_TEST(watch.peak() < 1u << 20, "took " << watch.peak());
  };
  attempt(1u << 29, "{", "safetensors header: got 536870912, the limit is 100000000");
  attempt(99'000'000, "{", "not valid JSON: a zero byte");
}

BOOST_AUTO_TEST_CASE(mutations) {
  static constexpr char letters[] = "{}[]\",:0123456789-.eE ntf\\uaF38_\xff";
  auto const original = safetensors_bytes(good, std::string(19, '\1'));
  int accepted = 0, rejected = 0;
  for (unsigned const seed : {1u, 2u, 3u}) {
    std::mt19937 random(seed);
    auto const below = [&](std::size_t n) { return static_cast<std::size_t>(random()) % n; };
    for (int round = 0; round < 5000; ++round) {
      std::vector<std::byte> bytes = original;
      for (std::size_t change = 0; change <= below(3); ++change) {
        std::size_t const at = below(bytes.size());
        switch (below(4)) {
          case 0:
            bytes[at] = static_cast<std::byte>(random());
            break;
          case 1:
            bytes[at] = static_cast<std::byte>(letters[below(std::size(letters) - 1)]);
            break;
          case 2:
            bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(at),
                         static_cast<std::byte>(letters[below(std::size(letters) - 1)]));
            break;
          default:
            bytes.erase(bytes.begin() + static_cast<std::ptrdiff_t>(at));
        }
        if (below(2) == 0) {  // keep the announced size right, so that the text itself is tried
          std::uint64_t const size = bytes.size() - 8 - 19;
          std::memcpy(bytes.data(), &size, 8);
        }
      }
      bytes.shrink_to_fit();
      try {
        auto const file = safetensors_file::parse(bytes, "f");
        for (auto const& tensor : file.tensors()) {
          if (lancet::is_dequantizable(tensor.type)) (void)lancet::read_floats(tensor);
        }
        ++accepted;
      } catch (lancet::file_error const&) {
        ++rejected;
      }
    }
  }
  BOOST_TEST_MESSAGE(accepted << " accepted, " << rejected << " rejected");
  BOOST_TEST(accepted > 100);
  BOOST_TEST(rejected > 1000);
}
