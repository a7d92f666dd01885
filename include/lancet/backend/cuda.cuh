// SPDX-License-Identifier: Apache-2.0
// Definitions of backend::cuda, for nvcc: include it in the .cu files that use the backend.
#pragma once

#include <cublasLt.h>
#include <cuda_runtime.h>

#include <atomic>
#include <cstdlib>
#include <map>
#include <mutex>
#include <tuple>

#include "lancet/backend/cuda.hpp"
#include "lancet/backend/device/launch.hpp"

namespace lancet::cuda {

/// Throws cuda_error "OPERATION: …" unless `status` is success, and resource_error where memory is short.
inline void check(cudaError_t status, char const* operation) {
  if (status == cudaSuccess) return;
  static_cast<void>(cudaGetLastError());  // reported here, and not once more by the next launch
  std::string const what =
      std::string(operation) + ": " + cudaGetErrorString(status) + " (" + cudaGetErrorName(status) + ")";
  if (status == cudaErrorMemoryAllocation) throw resource_error(what);
  throw cuda_error(what);
}
inline void check(cublasStatus_t status, char const* operation) {
  if (status != CUBLAS_STATUS_SUCCESS)
    throw cuda_error(std::string(operation) + ": " + cublasLtGetStatusString(status));
}

/// The GPU that everything runs on, its stream and pool of memory, and cuBLASLt.
class context {
 public:
  /// The process has one; CUDA's choice of a GPU is each thread's own, and made where it first comes here.
  [[nodiscard]] static context const& current() {
    context const& one = of_process();
    thread_local bool chosen = false;
    if (!chosen) {
      check(cudaSetDevice(one.device_), "cudaSetDevice");
      chosen = true;
    }
    return one;
  }
  /// The same, leaving the thread's choice alone: to give memory back, even while the process ends.
  [[nodiscard]] static context const& of_process() {
    static context const one;
    return one;
  }
  /// The number of the GPU that the context will be made on; -1: what the thread that makes it has chosen.
  [[nodiscard]] static std::atomic<int>& wish() {
    static std::atomic<int> number = -1;
    return number;
  }
  [[nodiscard]] cudaStream_t stream() const { return stream_; }
  [[nodiscard]] cublasLtHandle_t blas() const { return blas_; }
  [[nodiscard]] void* workspace() const { return workspace_; }
  static constexpr std::size_t workspace_bytes = std::size_t{32} << 20;
  /// LANCET_CUDA_SYNC=1: wait after every kernel, so that an error names the operation that made it.
  [[nodiscard]] bool waits() const { return waits_; }

 private:
  context() {
    if (int const number = context::wish(); number >= 0) check(cudaSetDevice(number), "cudaSetDevice");
    check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "cudaStreamCreate");
    check(cudaGetDevice(&device_), "cudaGetDevice");
    cudaMemPool_t pool;
    check(cudaDeviceGetDefaultMemPool(&pool, device_), "cudaDeviceGetDefaultMemPool");
    std::uint64_t keep = ~std::uint64_t{0};  // what is released stays in the pool
    check(cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &keep), "cudaMemPoolSetAttribute");
    check(cublasLtCreate(&blas_), "cublasLtCreate");
    check(cudaMallocAsync(&workspace_, workspace_bytes, stream_), "cudaMallocAsync");
    char const* const sync = std::getenv("LANCET_CUDA_SYNC");
    waits_ = sync && *sync && *sync != '0';
  }
  // Never destroyed: tensors of static lifetime may outlive it, and the process' end frees everything.

  int device_ = 0;
  cudaStream_t stream_ = nullptr;
  cublasLtHandle_t blas_ = nullptr;
  void* workspace_ = nullptr;
  bool waits_ = false;
};

/// A block of threads (device/block.hpp) on the GPU.
struct block {
  __device__ int thread() const { return static_cast<int>(threadIdx.x); }
  __device__ int threads() const { return static_cast<int>(blockDim.x); }
  __device__ index number() const { return static_cast<index>(blockIdx.x); }
  __device__ index blocks() const { return static_cast<index>(gridDim.x); }
  __device__ void sync() const { __syncthreads(); }
  template <class T>
  __device__ T shuffle_xor(T value, int mask) const {
    return __shfl_xor_sync(0xFFFFFFFFU, value, mask);
  }
  template <class S>
  __device__ S& shared() const {
    __shared__ S one;
    return one;
  }
};

namespace detail {

/// The most threads that a kernel is launched with: what registers are divided by.
template <class Kernel>
constexpr int most_threads() {
  if constexpr (requires { Kernel::threads; })
    return Kernel::threads;
  else
    return 512;
}

template <class Kernel>
__global__ void __launch_bounds__(most_threads<Kernel>()) run(Kernel const kernel) {
  block here;
  kernel(here);
}

/// Owns one cuBLASLt descriptor.
template <class T, cublasStatus_t (*Destroy)(T)>
struct descriptor {
  T handle = nullptr;
  descriptor() = default;
  descriptor(descriptor const&) = delete;
  descriptor& operator=(descriptor const&) = delete;
  ~descriptor() {
    if (handle) Destroy(handle);
  }
};
using layout = descriptor<cublasLtMatrixLayout_t, cublasLtMatrixLayoutDestroy>;
using operation = descriptor<cublasLtMatmulDesc_t, cublasLtMatmulDescDestroy>;
using preference = descriptor<cublasLtMatmulPreference_t, cublasLtMatmulPreferenceDestroy>;

template <class T>
constexpr cudaDataType_t type_of() {
  if constexpr (std::is_same_v<T, float>) return CUDA_R_32F;
  if constexpr (std::is_same_v<T, double>) return CUDA_R_64F;
  if constexpr (std::is_same_v<T, bfloat16>) return CUDA_R_16BF;
}
template <class T, class Math>
constexpr cublasComputeType_t compute_of() {
  if constexpr (std::is_same_v<T, double>) return CUBLAS_COMPUTE_64F;
  return std::is_same_v<Math, math::tf32> ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
}

/// The largest power of two, up to 256, that divides an address.
[[nodiscard]] inline std::uint32_t alignment(void const* at) {
  auto const bits = reinterpret_cast<std::uintptr_t>(at) | 256U;
  return static_cast<std::uint32_t>(bits & (~bits + 1));
}

/// `from` is the caller's again once an upload returns. CUDA stages pageable memory before it returns; page-locked
/// memory it reads later, so wait for that.
inline void give_back(void const* from, cudaStream_t stream) {
  cudaPointerAttributes of{};
  check(cudaPointerGetAttributes(&of, from), "upload");
  if (of.type != cudaMemoryTypeUnregistered) check(cudaStreamSynchronize(stream), "upload");
}

}  // namespace detail

}  // namespace lancet::cuda

namespace lancet::device {

template <class Math>
std::vector<std::string> cuda_runtime<Math>::devices() {
  int count = 0;
  if (cudaGetDeviceCount(&count) != cudaSuccess) {
    static_cast<void>(cudaGetLastError());
    return {};
  }
  std::vector<std::string> out;
  for (int i = 0; i < count; ++i) {
    cudaDeviceProp of;
    cuda::check(cudaGetDeviceProperties(&of, i), "cudaGetDeviceProperties");
    out.push_back(std::string(of.name) + " (sm_" + std::to_string(of.major) + std::to_string(of.minor) +
                  ", " + std::to_string(of.totalGlobalMem >> 30) + " GiB)");
  }
  return out;
}
template <class Math>
void cuda_runtime<Math>::use_device(int number) {
  cuda::check(cudaSetDevice(number), "cudaSetDevice");
  cuda::context::wish() = number;
}

template <class Math>
void* cuda_runtime<Math>::allocate(std::size_t bytes) {
  void* memory = nullptr;
  cuda::check(cudaMallocAsync(&memory, bytes, cuda::context::current().stream()), "allocate");
  return memory;
}
template <class Math>
void cuda_runtime<Math>::release(void* memory) noexcept {
  if (cudaFreeAsync(memory, cuda::context::of_process().stream()) != cudaSuccess)
    static_cast<void>(cudaGetLastError());
}
template <class Math>
void cuda_runtime<Math>::zero(void* memory, std::size_t bytes) {
  cuda::check(cudaMemsetAsync(memory, 0, bytes, cuda::context::current().stream()), "zero");
}
template <class Math>
void cuda_runtime<Math>::upload(void const* from, void* to, std::size_t bytes) {
  cudaStream_t const stream = cuda::context::current().stream();
  cuda::check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, stream), "upload");
  cuda::detail::give_back(from, stream);
}
template <class Math>
void cuda_runtime<Math>::download(void const* from, void* to, std::size_t bytes) {
  cudaStream_t const stream = cuda::context::current().stream();
  cuda::check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, stream), "download");
  cuda::check(cudaStreamSynchronize(stream), "download");
}
template <class Math>
void cuda_runtime<Math>::upload_rows(void const* from, std::size_t bytes, void* to, std::size_t pitch,
                                     index rows) {
  if (bytes == 0 || rows == 0) return;  // a copy in two dimensions has a largest pitch, one row has none
  if (rows == 1 || pitch == bytes) return upload(from, to, bytes * static_cast<std::size_t>(rows));
  cudaStream_t const stream = cuda::context::current().stream();
  cuda::check(cudaMemcpy2DAsync(to, pitch, from, bytes, bytes, static_cast<std::size_t>(rows),
                                cudaMemcpyHostToDevice, stream),
              "upload");
  cuda::detail::give_back(from, stream);
}
template <class Math>
void cuda_runtime<Math>::download_rows(void const* from, std::size_t pitch, void* to, std::size_t bytes,
                                       index rows) {
  if (bytes == 0 || rows == 0) return;
  if (rows == 1 || pitch == bytes) return download(from, to, bytes * static_cast<std::size_t>(rows));
  cudaStream_t const stream = cuda::context::current().stream();
  cuda::check(cudaMemcpy2DAsync(to, bytes, from, pitch, bytes, static_cast<std::size_t>(rows),
                                cudaMemcpyDeviceToHost, stream),
              "download");
  cuda::check(cudaStreamSynchronize(stream), "download");
}

template <class Math>
template <class Kernel>
void cuda_runtime<Math>::launch(char const* name, index blocks, int threads, Kernel const& kernel) {
  cuda::context const& now = cuda::context::current();
  cuda::detail::run<Kernel>
      <<<static_cast<unsigned>(blocks), static_cast<unsigned>(threads), 0, now.stream()>>>(kernel);
  cuda::check(cudaGetLastError(), name);
  if (now.waits()) cuda::check(cudaStreamSynchronize(now.stream()), name);
}

// cuBLAS counts columns first: a row-major matrix is its transpose there, and cᵀ = op(b)ᵀ·op(a)ᵀ.
template <class Math>
template <class In, class Out>
void cuda_runtime<Math>::gemm(matrix<In const> a, bool turned_a, matrix<In const> b, bool turned_b,
                              matrix<Out> c, bool accumulate) {
  using namespace cuda::detail;
  using cuda::check;
  struct plan {
    operation how;
    layout a, b, c;
    cublasLtMatmulAlgo_t algorithm;
  };
  // What decides on the algorithm: shapes, strides, and how well the addresses are aligned.
  using key_type = std::tuple<index, index, index, index, index, index, index, index, index, int,
                              std::uint32_t, std::uint32_t, std::uint32_t>;
  static std::map<key_type, plan> plans;
  static std::mutex one_at_a_time;
  std::lock_guard lock(one_at_a_time);
  key_type const key{a.rows,
                     a.cols,
                     a.stride,
                     b.rows,
                     b.cols,
                     b.stride,
                     c.rows,
                     c.cols,
                     c.stride,
                     (turned_a ? 1 : 0) + (turned_b ? 2 : 0) + (accumulate ? 4 : 0),
                     alignment(a.data),
                     alignment(b.data),
                     alignment(c.data)};
  cuda::context const& now = cuda::context::current();
  auto [at, fresh] = plans.try_emplace(key);
  plan& p = at->second;
  if (fresh) try {
      constexpr char const* where = "matmul";
      check(cublasLtMatmulDescCreate(&p.how.handle, compute_of<Out, Math>(), type_of<Out>()), where);
      cublasOperation_t const first = turned_b ? CUBLAS_OP_T : CUBLAS_OP_N,
                              second = turned_a ? CUBLAS_OP_T : CUBLAS_OP_N;
      check(cublasLtMatmulDescSetAttribute(p.how.handle, CUBLASLT_MATMUL_DESC_TRANSA, &first, sizeof first),
            where);
      check(cublasLtMatmulDescSetAttribute(p.how.handle, CUBLASLT_MATMUL_DESC_TRANSB, &second, sizeof second),
            where);
      auto const describe = [&](layout& to, auto const& m, cudaDataType_t type) {
        check(cublasLtMatrixLayoutCreate(&to.handle, type, static_cast<std::uint64_t>(m.cols),
                                         static_cast<std::uint64_t>(m.rows), std::max(m.stride, m.cols)),
              where);
      };
      describe(p.a, b, type_of<In>());
      describe(p.b, a, type_of<In>());
      describe(p.c, c, type_of<Out>());
      preference wish;
      check(cublasLtMatmulPreferenceCreate(&wish.handle), where);
      auto const set = [&](cublasLtMatmulPreferenceAttributes_t attribute, auto value) {
        check(cublasLtMatmulPreferenceSetAttribute(wish.handle, attribute, &value, sizeof value), where);
      };
      set(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, cuda::context::workspace_bytes);
      set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, alignment(b.data));
      set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, alignment(a.data));
      set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, alignment(c.data));
      set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, alignment(c.data));
      cublasLtMatmulHeuristicResult_t best{};
      int found = 0;
      check(cublasLtMatmulAlgoGetHeuristic(now.blas(), p.how.handle, p.a.handle, p.b.handle, p.c.handle,
                                           p.c.handle, wish.handle, 1, &best, &found),
            where);
      if (found == 0) throw cuda_error("matmul: cuBLASLt has no algorithm for these shapes");
      p.algorithm = best.algo;
    } catch (...) {
      plans.erase(at);
      throw;
    }
  Out const one = 1, onto = accumulate ? Out(1) : Out(0);
  check(cublasLtMatmul(now.blas(), p.how.handle, &one, b.data, p.a.handle, a.data, p.b.handle, &onto, c.data,
                       p.c.handle, c.data, p.c.handle, &p.algorithm, now.workspace(),
                       cuda::context::workspace_bytes, now.stream()),
        "matmul");
  if (now.waits()) check(cudaStreamSynchronize(now.stream()), "matmul");
}

}  // namespace lancet::device
