// SPDX-License-Identifier: Apache-2.0
// lancet::cuda: the operations of backend::cuda, so that other sources need no nvcc.
#include "lancet/backend/cuda.cuh"

namespace lancet {

using cuda::math::bf16_weights;
using cuda::math::fp32;
using cuda::math::tf32;

template struct device::cuda_runtime<fp32>;
template struct device::cuda_runtime<tf32>;
template struct device::cuda_runtime<bf16_weights>;
template struct device::operations<backend::cuda<float>, float, device::cuda_runtime<fp32>>;
template struct device::operations<backend::cuda<double>, double, device::cuda_runtime<fp32>>;
template struct device::operations<backend::cuda<float, tf32>, float, device::cuda_runtime<tf32>>;
template struct device::operations<backend::cuda<float, bf16_weights>, float,
                                   device::cuda_runtime<bf16_weights>>;

}  // namespace lancet
