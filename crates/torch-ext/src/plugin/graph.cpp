// CUDA graphs: the kernels of a step, recorded once and started as one. ../graphs.rs says how a
// step is made of it.
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDAStream.h>

#include <memory>

#include "allocator.h"
#include "answer.h"

/// Begins to record what this thread asks of its current stream, which is not the default one.
/// Nothing is computed until a replay. What is allocated meanwhile belongs to the graph.
CATSCAN_PLUGIN at::cuda::CUDAGraph* catscan_graph_begin(char* message, size_t size) {
  at::cuda::CUDAGraph* graph = nullptr;
  answer(message, size, [&] {
    TORCH_CHECK(c10::cuda::getCurrentCUDAStream() != c10::cuda::getDefaultCUDAStream(),
                "the default stream cannot be captured");
    auto fresh = std::make_unique<at::cuda::CUDAGraph>();
    // Only this thread and those of its backward are watched: another that copies pictures to
    // pinned memory meanwhile is no error.
    fresh->capture_begin({0, 0}, cudaStreamCaptureModeThreadLocal);
    graph = fresh.release();
  });
  return graph;
}

/// Ends the recording and readies the graph. On failure the graph can only be freed.
CATSCAN_PLUGIN int catscan_graph_end(at::cuda::CUDAGraph* graph, char* message, size_t size) {
  return answer(message, size, [&] { graph->capture_end(); });
}

/// Gives a recording up after an error in it: the stream is as it was before.
CATSCAN_PLUGIN void catscan_graph_abandon(at::cuda::CUDAGraph* graph) {
  char message[2] = {0};
  answer(message, sizeof message, [&] { graph->capture_end(); });
  // A stream whose recording failed ends it with an error, before libtorch's allocator heard of it.
  answer(message, sizeof message, [&] {
    c10::cuda::CUDACachingAllocator::endAllocateToPool(
        c10::cuda::getCurrentCUDAStream().device_index(), graph->pool());
  });
  (void)cudaGetLastError();
  answer(message, sizeof message, [&] { delete graph; });
}

/// Asks for the whole step again, on the current stream.
CATSCAN_PLUGIN int catscan_graph_replay(at::cuda::CUDAGraph* graph, char* message, size_t size) {
  return answer(message, size, [&] { graph->replay(); });
}

/// Frees a graph that was ended, with the memory that belongs to it.
CATSCAN_PLUGIN void catscan_graph_free(at::cuda::CUDAGraph* graph) {
  char message[2] = {0};
  answer(message, sizeof message, [&] { delete graph; });
}
