// SPDX-License-Identifier: Apache-2.0
// LANCET_DEVICE marks functions of kernels, LANCET_HOST_DEVICE those that the host calls as well; both are
// nothing unless the compiler is nvcc.
#pragma once

#if defined(__CUDACC__)
#define LANCET_DEVICE __device__
#define LANCET_HOST_DEVICE __host__ __device__
#else
#define LANCET_DEVICE
#define LANCET_HOST_DEVICE
#endif
