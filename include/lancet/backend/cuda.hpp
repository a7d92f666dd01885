// SPDX-License-Identifier: Apache-2.0
// backend::cuda: tensors on an NVIDIA GPU. Declarations, for any C++ compiler.
//
// What is declared here is compiled by nvcc: either link `lancet::cuda`, which holds the instantiations of
// compiled/cuda.cu, or include cuda.cuh in a .cu file of your own. All work goes to one stream in order;
// nothing waits for the GPU but `download` and what needs its answer (`log_sum_exp`).
#pragma once

#include <string>
#include <vector>

#include "lancet/backend/device/bf16_weight.hpp"
#include "lancet/backend/device/operations.hpp"

namespace lancet {

/// The CUDA runtime or cuBLAS refused: the message begins with the operation's name.
class cuda_error : public error {
 public:
  using error::error;
};

namespace cuda {

/// How products are computed; sums are always in float, or in double for doubles.
namespace math {
struct fp32 {};  ///< as the CPU does
struct tf32 {};  ///< factors rounded to 10 bits by the tensor cores: a relative error of 5e-4 a product
/// Weights stored in bfloat16, and inputs rounded to it for products with weights: half the memory, a
/// relative error of 4e-3 a product.
struct bf16_weights {};
}  // namespace math
}  // namespace cuda

namespace device {

/// A Runtime (memory.hpp) of the CUDA runtime and cuBLASLt. Throws cuda_error; resource_error where memory is
/// short.
template <class Math>
struct cuda_runtime {
  /// "NVIDIA H200 (sm_90, 139 GiB)" of each GPU that can be used; empty without a GPU or a driver.
  [[nodiscard]] static std::vector<std::string> devices();
  /// Makes GPU `number` the one that tensors are made on, whatever thread makes them. Call it before the
  /// first tensor.
  static void use_device(int number);

  [[nodiscard]] static void* allocate(std::size_t bytes);
  static void release(void* memory) noexcept;
  static void zero(void* memory, std::size_t bytes);
  static void upload(void const* from, void* to, std::size_t bytes);
  static void download(void const* from, void* to, std::size_t bytes);
  static void upload_rows(void const* from, std::size_t bytes, void* to, std::size_t pitch, index rows);
  static void download_rows(void const* from, std::size_t pitch, void* to, std::size_t bytes, index rows);
  template <class Kernel>
  static void launch(char const* name, index blocks, int threads, Kernel const& kernel);
  template <class In, class Out>
  static void gemm(matrix<In const> a, bool turned_a, matrix<In const> b, bool turned_b, matrix<Out> c,
                   bool accumulate);
};

}  // namespace device

namespace backend {

/// `Scalar` is float or double, `Math` one of cuda::math.
template <class Scalar, class Math = lancet::cuda::math::fp32>
struct cuda : device::operations<cuda<Scalar, Math>, Scalar, device::cuda_runtime<Math>> {
  static constexpr char const* name = "cuda";
  using weight = std::conditional_t<std::is_same_v<Math, lancet::cuda::math::bf16_weights>,
                                    device::bf16_weight<cuda>, plain_weight<cuda>>;

  /// The view itself: an address on the GPU, for kernels of your own.
  template <class View>
  static View native(View v) {
    return v;
  }
};

}  // namespace backend
}  // namespace lancet
