// libtorch's allocator on CUDA devices, the one variable we ask of the CUDA half. Weak, so that the
// plugin loads where that half is absent and can say so (functions are looked for when called).
#pragma once

#include <c10/cuda/CUDACachingAllocator.h>

namespace c10::cuda::CUDACachingAllocator {
extern __attribute__((weak)) std::atomic<CUDAAllocator*> allocator;
}
