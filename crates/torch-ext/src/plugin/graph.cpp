// CUDA graphs: the kernels of a step, recorded once and started as one. ../graphs.rs says how a
// step is made of it.
#include <ATen/core/CachingHostAllocator.h>
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDAStream.h>

#include <memory>

#include "allocator.h"
#include "answer.h"

namespace {

namespace allocator = c10::cuda::CUDACachingAllocator;

/// Does what may fail, where a failure changes nothing of what is to be done.
template <typename Work>
void attempt(Work&& work) {
  char message[2] = {0};
  answer(message, sizeof message, work);
}

/// libtorch's graph, which tells the pool of its memory only after a successful recording and
/// gives it back only then. A failed one must be taken from its allocators as well: while they
/// believe that something is being recorded they free no memory for anybody.
struct Graph : at::cuda::CUDAGraph {
  void give_up() {
    auto* host = at::getHostAllocator(at::kCUDA);
    // Each fails where libtorch has come further than this, or not so far.
    attempt([&] { capture_end(); });
    attempt([&] { allocator::endAllocateToPool(capture_dev_, mempool_id_); });
    attempt([&] { host->end_allocate_to_pool(mempool_id_); });
    if (!capture_ended_) {
      attempt([&] { allocator::releasePool(capture_dev_, mempool_id_); });
      attempt([&] { host->release_pool(mempool_id_); });
    }
    (void)cudaGetLastError();
  }
};

}  // namespace

/// Begins to record what this thread asks of its current stream, which is not the default one.
/// Nothing is computed until a replay. What is allocated meanwhile belongs to the graph.
CATSCAN_PLUGIN Graph* catscan_graph_begin(char* message, size_t size) {
  Graph* graph = nullptr;
  answer(message, size, [&] {
    const auto stream = c10::cuda::getCurrentCUDAStream();
    TORCH_CHECK(stream != c10::cuda::getDefaultCUDAStream(),
                "the default stream cannot be captured");
    // The eager steps' memory, kept for the next one, would lie idle beside the graph's own.
    stream.synchronize();
    allocator::emptyCache();
    auto fresh = std::make_unique<Graph>();
    try {
      // Only this thread and those of its backward are watched: another that copies pictures to
      // pinned memory meanwhile is no error.
      fresh->capture_begin({0, 0}, cudaStreamCaptureModeThreadLocal);
    } catch (...) {
      fresh->give_up();
      throw;
    }
    graph = fresh.release();
  });
  return graph;
}

/// Ends the recording and readies the graph. On failure it can only be abandoned.
CATSCAN_PLUGIN int catscan_graph_end(Graph* graph, char* message, size_t size) {
  return answer(message, size, [&] { graph->capture_end(); });
}

/// Gives a recording up after an error in it: stream and memory are as they were before.
CATSCAN_PLUGIN void catscan_graph_abandon(Graph* graph) {
  graph->give_up();
  attempt([&] { delete graph; });
}

/// Asks for the whole step again, on the current stream.
CATSCAN_PLUGIN int catscan_graph_replay(Graph* graph, char* message, size_t size) {
  return answer(message, size, [&] { graph->replay(); });
}

/// Frees a graph that was ended, with the memory that belongs to it.
CATSCAN_PLUGIN void catscan_graph_free(Graph* graph) {
  attempt([&] { delete graph; });
}
