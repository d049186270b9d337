// What a program asks of a CUDA device besides tensors. ../plugin.rs holds the other side.
#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <cuda_runtime_api.h>

#include "allocator.h"
#include "answer.h"

/// Raise it with every change of a signature; the program refuses another number.
CATSCAN_PLUGIN unsigned catscan_plugin_abi() { return 1; }

/// Which CUDA this was compiled against, such as 13000.
CATSCAN_PLUGIN int catscan_plugin_cuda() { return CUDART_VERSION; }

/// Fails, in words, where nothing else here may be called. Asks libtorch's CPU half alone, so that
/// it answers where the CUDA half is not even on the disk.
CATSCAN_PLUGIN int catscan_plugin_ready(char* message, size_t size) {
  return answer(message, size, [] {
    const auto& hooks = at::detail::getCUDAHooks();
    TORCH_CHECK(hooks.isBuilt(), "libtorch's CUDA half is not loaded in this process");
    TORCH_CHECK(hooks.hasCUDA() && hooks.deviceCount() > 0, "the driver offers no CUDA device");
  });
}

/// Bytes: free and in all on the device; held by tensors of this process, kept by its allocator,
/// and the most that tensors ever held.
CATSCAN_PLUGIN int catscan_device_memory(int device, uint64_t* bytes, char* message, size_t size) {
  return answer(message, size, [&] {
    const c10::cuda::CUDAGuard guard(static_cast<c10::DeviceIndex>(device));
    size_t free = 0, total = 0;
    C10_CUDA_CHECK(cudaMemGetInfo(&free, &total));
    // Before the first tensor the allocator has not begun to count.
    c10::cuda::CUDACachingAllocator::init(c10::cuda::device_count());
    const auto stats = c10::cuda::CUDACachingAllocator::getDeviceStats(device);
    bytes[0] = free;
    bytes[1] = total;
    bytes[2] = stats.allocated_bytes[0].current;
    bytes[3] = stats.reserved_bytes[0].current;
    bytes[4] = stats.allocated_bytes[0].peak;
  });
}

/// Waits for all that was asked of the device.
CATSCAN_PLUGIN int catscan_device_synchronize(int device, char* message, size_t size) {
  return answer(message, size, [&] {
    const c10::cuda::CUDAGuard guard(static_cast<c10::DeviceIndex>(device));
    c10::cuda::device_synchronize();
  });
}

/// From here on this thread's work goes to a stream of its own: the default one cannot be captured.
CATSCAN_PLUGIN int catscan_device_side_stream(int device, char* message, size_t size) {
  return answer(message, size, [&] {
    const auto index = static_cast<c10::DeviceIndex>(device);
    c10::cuda::set_device(index);
    // What was begun on the stream before this one is waited for once.
    c10::cuda::device_synchronize();
    c10::cuda::setCurrentCUDAStream(c10::cuda::getStreamFromPool(/*isHighPriority=*/false, index));
  });
}
