// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE safetensors
#include "lancet/io/safetensors.hpp"

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <numeric>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lancet/io/finite.hpp"
#include "lancet/io/json.hpp"
#include "lancet/io/safetensors_writer.hpp"
#include "support/errors.hpp"
#include "support/safetensors_bytes.hpp"
#include "support/shared.hpp"
#include "support/temporary_folder.hpp"

using lancet::as_tensor;
using lancet::safetensors_file;
using lancet::tensor_entry;
using lancet::tensor_type;
using lancet::write_safetensors;
using lancet_test::check_throws;
using lancet_test::safetensors_bytes;
using lancet_test::temporary_folder;

namespace {
using shape = std::vector<std::ptrdiff_t>;

template <typename T>
tensor_entry of(std::string name, shape axes, std::vector<T> const& values) {
  return as_tensor(std::move(name), std::move(axes), std::span<T const>(values));
}
}  // namespace

BOOST_AUTO_TEST_CASE(by_hand) {
  std::string const header = R"({"__metadata__": {"format": "pt", "x": ""},
    "b": {"dtype": "I64", "shape": [], "data_offsets": [6, 14]}, "a": {"dtype": "BF16", "shape": [1, 3], "data_offsets": [0, 6]},
    "none": {"shape": [0, 7], "data_offsets": [14, 14], "dtype": "F32"}}    )";
  std::string data("\x80\x3f\x00\xc0\x00\x00\x2a\x00\x00\x00\x00\x00\x00\x00", 14);
  auto const bytes = safetensors_bytes(header, data);
  auto const file = safetensors_file::parse(bytes, "m.safetensors");
  BOOST_TEST(file.metadata().at("format") == "pt");
  BOOST_TEST(file.metadata().size() == 2u);
  BOOST_TEST(file.tensors().size() == 3u);
  BOOST_TEST(file.tensors().begin()->name == "a");  // in the order of the data
  BOOST_TEST((lancet::read_floats(file.tensors().at("a")) == std::vector<float>{1.0f, -2.0f, 0.0f}));
  BOOST_TEST(
      (lancet::read_values<std::int64_t>(file.tensors().at("b"), "f") == std::vector<std::int64_t>{42}));
  BOOST_TEST(lancet::read_floats(file.tensors().at("none")).empty());
  BOOST_TEST((file.tensors().at("none").shape == shape{0, 7}));
}

BOOST_AUTO_TEST_CASE(empty_file) {
  BOOST_TEST(safetensors_file::parse(safetensors_bytes("{}", ""), "f").tensors().size() == 0u);
  BOOST_TEST(safetensors_file::parse(safetensors_bytes("{\"__metadata__\":{}}", ""), "f").metadata().empty());
}

BOOST_AUTO_TEST_CASE(written_and_read_again) {
  temporary_folder const folder;
  std::string const path = folder / "t.safetensors";
  std::vector<float> const floats{1.5f, -2.0f, 3.25f, 1e-40f, 5, 6};
  std::vector<std::int32_t> const ids{-1, 2};
  std::vector<std::int64_t> const longs{std::int64_t{1} << 40};
  std::vector<std::uint8_t> const small{1, 2, 3};
  std::vector<lancet::bfloat16> const brains{lancet::to_bfloat16(2.0f)};
  std::vector<double> const doubles{1.0 / 3.0};
  std::vector<tensor_entry> const tensors{of("u8", {3}, small),
                                          of("w", {2, 3}, floats),
                                          of("ids", {2}, ids),
                                          of("n\xc3\xa4me \"q\"", {1}, longs),
                                          of("b", {}, brains),
                                          of("d", {1, 1}, doubles),
                                          of("none", {0}, std::vector<float>{})};
  write_safetensors(path, tensors, {{"format", "lancet"}, {"note", "line\nline"}});
  auto file = safetensors_file::open(path);
  auto const moved = std::move(file);
  BOOST_TEST(moved.metadata().at("note") == "line\nline");
  BOOST_TEST(moved.tensors().size() == tensors.size());
  for (tensor_entry const& expected : tensors) {
    auto const& got = moved.tensors().at(expected.name);
    BOOST_TEST((got.type == expected.type && got.shape == expected.shape));
    BOOST_TEST(
        (std::equal(got.bytes.begin(), got.bytes.end(), expected.bytes.begin(), expected.bytes.end())));
    BOOST_TEST(reinterpret_cast<std::uintptr_t>(got.bytes.data()) % lancet::row_of(got.type).block_bytes ==
               0u);
  }
  // Equal input, equal bytes; a second writing through what was read gives the same file.
  write_safetensors(folder / "again", tensors, {{"format", "lancet"}, {"note", "line\nline"}});
  BOOST_TEST((lancet_test::slurp(path) == lancet_test::slurp(folder / "again")));
  std::vector<tensor_entry> const read(moved.tensors().begin(), moved.tensors().end());
  write_safetensors(folder / "third", read, moved.metadata());
  BOOST_TEST((lancet_test::slurp(path) == lancet_test::slurp(folder / "third")));
  write_safetensors(folder / "nothing", {});
  BOOST_TEST(safetensors_file::open(folder / "nothing").tensors().size() == 0u);
}

BOOST_AUTO_TEST_CASE(many_tensors_are_written_in_time) {
  temporary_folder const folder;
  std::vector<std::uint8_t> const one{7};
  std::vector<tensor_entry> tensors;
  for (int i = 0; i < 1 << 18; ++i) tensors.push_back(of("a.tensor." + std::to_string(i), {1}, one));
  auto const start = std::chrono::steady_clock::now();
  write_safetensors(folder / "t", tensors, {{"format", "lancet"}});
  // About a second; looking at all names for each one would take a minute.
  BOOST_TEST(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() < 20);
  BOOST_TEST(safetensors_file::open(folder / "t").tensors().size() == tensors.size());
}

BOOST_AUTO_TEST_CASE(what_cannot_be_written) {
  temporary_folder const folder;
  std::vector<float> const six(6);
  auto const refused = [&](std::vector<tensor_entry> const& tensors, std::string_view sentence,
                           lancet::safetensors_metadata const& metadata = {}) {
    check_throws<lancet::usage_error>([&] { write_safetensors(folder / "t", tensors, metadata); }, sentence);
  };
  refused({of("w", {5}, six)}, "tensor 'w': got 24 bytes, expected 20 for shape [5]");
  refused({of("w", {-2, -3}, six)}, "got shape [-2, -3], expected lengths from 0");
  refused({of("w", {6}, six), of("v", {6}, six), of("w", {2, 3}, six)},
          "got two tensors named 'w', expected different names");
  refused({of("", {6}, six)}, "tensor '': got this name, expected another one");
  refused({of("__metadata__", {6}, six)}, "expected another one");
  refused({of("\xff", {6}, six)}, "not UTF-8");
  refused({of("w", {6}, six)}, "not UTF-8", {{"k", "\xc3"}});
  refused({{.name = "q",
            .type = tensor_type::q4_1,
            .shape = {32},
            .bytes = std::as_bytes(std::span(six)).first(20)}},
          "got Q4_1, expected a type that safetensors knows");
  BOOST_TEST(folder.entries() == 0);
  std::vector<tensor_entry> const good{of("w", {6}, six)};
  check_throws<lancet::resource_error>([&] { write_safetensors("/dev/full", good); }, "No space left");
}

// The files with reference values were written by the format's own library.
BOOST_AUTO_TEST_CASE(reference_files) {
  if (lancet_test::skipped_without_shared("safetensors.reference_files")) return;
  temporary_folder const folder;
  int files = 0;
  for (auto const& entry : std::filesystem::recursive_directory_iterator(lancet_test::shared("goldens"))) {
    if (entry.path().extension() != ".safetensors") continue;
    BOOST_TEST_CONTEXT(entry.path().string()) {
      auto const file = safetensors_file::open(entry.path().string());
      BOOST_TEST(file.tensors().size() > 0u);
      for (tensor_entry const& tensor : file.tensors()) {
        if (lancet::is_dequantizable(tensor.type)) (void)lancet::read_floats(tensor);
      }
      if (std::filesystem::file_size(entry.path()) < 1'000'000) {
        std::vector<tensor_entry> const all(file.tensors().begin(), file.tensors().end());
        write_safetensors(folder / "copy", all, file.metadata());
        auto const copy = safetensors_file::open(folder / "copy");
        for (tensor_entry const& tensor : all) {
          auto const& got = copy.tensors().at(tensor.name, tensor.shape);
          BOOST_TEST(
              (std::equal(got.bytes.begin(), got.bytes.end(), tensor.bytes.begin(), tensor.bytes.end())));
        }
      }
    }
    ++files;
  }
  BOOST_TEST(files >= 20);
}

BOOST_AUTO_TEST_CASE(reference_numbers) {
  if (lancet_test::skipped_without_shared("safetensors.reference_numbers")) return;
  std::string const stem = lancet_test::shared("goldens/tiny/llama/");
  auto const file = safetensors_file::open(stem + "golden.safetensors");
  auto const& ids = file.tensors().at("ids");
  BOOST_TEST((ids.shape == shape{2, 12}));
  for (auto const id : lancet::read_values<std::int32_t>(ids, file.path())) BOOST_TEST((id >= 0 && id < 211));
  auto const attention = lancet::read_floats(file.tensors().at("attn", shape{3, 2, 4, 12, 12}));
  for (std::size_t row = 0; row < attention.size() / 12;
       ++row) {  // probabilities: only right bytes in right order sum to 1
    float const sum = std::accumulate(attention.begin() + static_cast<std::ptrdiff_t>(12 * row),
                                      attention.begin() + static_cast<std::ptrdiff_t>(12 * row + 12), 0.0f);
    BOOST_TEST(std::abs(sum - 1) < 1e-5f);
  }
  auto const model = safetensors_file::open(stem + "model.safetensors");
  BOOST_TEST(model.metadata().at("format") == "pt");
  for (tensor_entry const& tensor : model.tensors())
    lancet::check_finite(lancet::read_floats(tensor), tensor.name, model.path());
}
