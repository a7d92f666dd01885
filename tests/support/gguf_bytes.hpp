// SPDX-License-Identifier: Apache-2.0
// GGUF files made by hand, field by field, right and wrong ones.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lancet_test {

/// The value types of GGUF by their numbers in the file.
enum gguf_number : std::uint32_t {
  g_u8,
  g_i8,
  g_u16,
  g_i16,
  g_u32,
  g_i32,
  g_f32,
  g_bool,
  g_string,
  g_array,
  g_u64,
  g_i64,
  g_f64
};

/// Bytes that grow; `mark` remembers a place so that `patch` can overwrite the field there.
class gguf_bytes {
 public:
  template <typename T>
  gguf_bytes& put(T value) {
    auto const view = std::as_bytes(std::span(&value, 1));
    bytes.insert(bytes.end(), view.begin(), view.end());
    return *this;
  }
  gguf_bytes& u32(std::uint32_t value) { return put(value); }
  gguf_bytes& u64(std::uint64_t value) { return put(value); }
  gguf_bytes& raw(std::string_view text) {
    for (char const c : text) bytes.push_back(static_cast<std::byte>(c));
    return *this;
  }
  gguf_bytes& text(std::string_view value) { return u64(value.size()).raw(value); }

  gguf_bytes& mark(std::string const& name) {
    marks[name] = bytes.size();
    return *this;
  }
  template <typename T>
  gguf_bytes& patch(std::string const& name, T value) {
    std::memcpy(bytes.data() + marks.at(name), &value, sizeof value);
    return *this;
  }

  gguf_bytes& header(std::uint64_t tensors, std::uint64_t metadata, std::uint32_t version = 3) {
    return raw("GGUF")
        .mark("version")
        .u32(version)
        .mark("tensors")
        .u64(tensors)
        .mark("metadata")
        .u64(metadata);
  }
  template <typename T>
  gguf_bytes& scalar(std::string_view key, std::uint32_t type, T value) {
    return text(key).u32(type).put(value);
  }
  gguf_bytes& string(std::string_view key, std::string_view value) {
    return text(key).u32(g_string).text(value);
  }
  template <typename T>
  gguf_bytes& array(std::string_view key, std::uint32_t type, std::vector<T> const& values) {
    text(key).u32(g_array).u32(type).u64(values.size());
    for (T const& value : values) put(value);
    return *this;
  }
  gguf_bytes& strings(std::string_view key, std::vector<std::string> const& values) {
    text(key).u32(g_array).u32(g_string).u64(values.size());
    for (auto const& value : values) text(value);
    return *this;
  }
  /// `axes` in ggml's order, the contiguous one first.
  gguf_bytes& tensor(std::string_view name, std::vector<std::uint64_t> const& axes, std::uint32_t type,
                     std::uint64_t offset) {
    text(name).u32(static_cast<std::uint32_t>(axes.size()));
    for (auto const length : axes) u64(length);
    return u32(type).u64(offset);
  }
  gguf_bytes& pad(std::size_t alignment = 32) {
    while (bytes.size() % alignment != 0) bytes.push_back(std::byte{0});
    return *this;
  }
  gguf_bytes& zeros(std::size_t count) {
    bytes.resize(bytes.size() + count);
    return *this;
  }

  std::vector<std::byte> bytes;
  std::map<std::string, std::size_t> marks;
};

/// A right file: every value type, arrays, a Q4_1 matrix [2, 64] (offset 1, elements 0.5 i), an F32 vector
/// [3], an F16 cube [2, 1, 2].
[[nodiscard]] inline gguf_bytes small_gguf(std::uint32_t version = 3) {
  gguf_bytes g;
  g.header(3, 17, version);
  g.scalar<std::uint8_t>("t.u8", g_u8, 200).scalar<std::int8_t>("t.i8", g_i8, -100);
  g.scalar<std::uint16_t>("t.u16", g_u16, 60000).scalar<std::int16_t>("t.i16", g_i16, -30000);
  g.scalar<std::uint32_t>("t.u32", g_u32, 4000000000u).scalar<std::int32_t>("t.i32", g_i32, -2000000000);
  g.scalar<std::uint64_t>("t.u64", g_u64, 18000000000000000000u)
      .scalar<std::int64_t>("t.i64", g_i64, -9000000000000000000);
  g.scalar<float>("t.f32", g_f32, 1.5f).scalar<double>("t.f64", g_f64, -2.25);
  g.scalar<std::uint8_t>("t.yes", g_bool, 1).string("t.text", "h\xc3\xa9llo");
  g.strings("t.tokens", {"<s>", "", "the", "\xc4\xa0nurse"});
  g.array<float>("t.scores", g_f32, {0.5f, -1.0f}).array<std::int32_t>("t.kinds", g_i32, {3, 1, -1});
  g.array<std::uint8_t>("t.flags", g_bool, {1, 0, 1});
  g.scalar<std::uint32_t>("general.alignment", g_u32, 64);
  g.tensor("blk.0.w", {64, 2}, 3, 0).tensor("blk.0.norm", {3}, 0, 128).tensor("cube", {2, 1, 2}, 1, 192);
  g.pad(64);
  for (int block = 0; block < 4; ++block) {
    g.put<std::uint16_t>(0x3800).put<std::uint16_t>(0x3c00);  // 0.5, 1
    for (int i = 0; i < 16; ++i) g.put(static_cast<std::uint8_t>(i));
  }
  g.pad(64);
  g.put(0.25f).put(-8.0f).put(3.0f).pad(64);
  for (int const half : {0x3c00, 0xc000, 0x0000, 0x7bff}) g.put(static_cast<std::uint16_t>(half));
  return g;
}

}  // namespace lancet_test
