// SPDX-License-Identifier: Apache-2.0
// What a tensor backend is: storage, copies, prepared weights, and a list of the operations it does better.
#pragma once

#include <concepts>
#include <functional>
#include <span>
#include <type_traits>

#include "lancet/core/tensor.hpp"
#include "lancet/core/view.hpp"

namespace lancet {

/// The operations that a backend may override; every one has a fallback in `ops/`. A backend that lists a tag
/// must have a static member of the tag's name with the signature of the function in `ops/`: a listed
/// override that does not fit is an error of the compiler, never a silent fallback.
namespace op {
struct fill {};
struct scale {};
struct axpy {};
struct matmul {};
struct gather_rows {};
struct scatter_add_rows {};
struct row_dot {};
struct scale_columns {};
struct add_row_vector {};
struct column_sum {};
struct norm {};
struct rope {};
struct attention {};        // fused, and its adjoint
struct attention_steps {};  // scores, softmax, mix, and their adjoints
struct activation {};
struct log_sum_exp {};
struct transform {};
struct elements {};
struct adam {};
}  // namespace op

template <class... Ops>
struct op_list {
  template <class Op>
  static constexpr bool contains = (std::is_same_v<Op, Ops> || ...);
};

/// True if backend `B` lists operation `Op` among its overrides.
template <class B, class Op>
inline constexpr bool overrides = B::overrides::template contains<Op>;

/// Writes rows [first, first + count) of a matrix one after the other into host memory; several threads may call it.
template <class T>
using row_source = std::function<void(index first, index count, T* to)>;

/// A matrix W [out, in] prepared once for many products: `apply` gives x·Wᵀ + bias, `apply_adjoint` gy·W (or
/// adds them), `gather` rows of W. `plain_weight` prepares nothing. One that can be made of a row_source as
/// well, `weight(out, in, rows)`, is loaded without a copy of the whole matrix.
template <class W, class B>
concept prepared_weight = std::default_initializable<W> && std::movable<W> &&
    std::constructible_from<W, const_view<B>> &&
    requires(W const w, const_view<B> in, view<B> out, std::span<index const> rows) {
  { w.out() } -> std::convertible_to<index>;
  { w.in() } -> std::convertible_to<index>;
  { w.bytes() } -> std::convertible_to<index>;
  w.apply(in, in, out, true);
  w.apply_adjoint(in, out, true);
  w.gather(rows, out);
};

/// A tensor backend provides
///  - `scalar`: float or double;
///  - `host`: true if its memory can be read by the CPU;
///  - `storage`: owning zero-filled memory, `storage(count)`, `data()`, `size()`; empty when moved from;
///  - `copy(const_view, view)`: same shape, any strides;
///  - `upload(scalar const*, view)`, `download(const_view, scalar*)`: from and to contiguous host memory,
///    which is the caller's again when they return;
///  - `native(view)`: the backend library's own object over a view, const or not;
///  - `weight`: a matrix [out, in] prepared once for many products (see `prepared_weight`);
///  - `overrides`: an `op_list` of the operations it implements itself.
/// Laws (tests/laws): `copy` then `download` gives back what was uploaded, an override equals the fallback to
/// rounding, and so on up to interventions. docs/adding-a-backend.md walks through one.
template <class B>
concept tensor_backend = std::floating_point<typename B::scalar> &&
    std::default_initializable<typename B::storage> && std::movable<typename B::storage> &&
    std::constructible_from<typename B::storage, index> && prepared_weight<typename B::weight, B> &&
    requires(const_view<B> in, view<B> out, typename B::scalar* host, typename B::storage storage,
             typename B::storage const constant) {
  { B::host } -> std::convertible_to<bool>;
  { B::overrides::template contains<op::fill> } -> std::convertible_to<bool>;
  { storage.data() } -> std::convertible_to<typename B::scalar*>;
  { constant.data() } -> std::convertible_to<typename B::scalar const*>;
  { constant.size() } -> std::convertible_to<index>;
  B::copy(in, out);
  B::upload(host, out);
  B::download(in, host);
  B::native(in);
  B::native(out);
};

namespace detail {
/// Stands at the head of every fallback: fallbacks read memory directly.
template <class B, class Op>
constexpr void require_host_or_override() {
  static_assert(
      B::host,
      "lancet: this backend lacks an operation. A backend whose memory is not the host's must list every "
      "operation in its `overrides`; the tag is named above; see docs/adding-a-backend.md");
}
}  // namespace detail

}  // namespace lancet
