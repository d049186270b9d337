// NCCL's process group, which lives in libtorch's CUDA half. Its store and its tensors are those of
// the CPU half.
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include "answer.h"

namespace {

struct Group {
  c10::intrusive_ptr<c10d::Store> store;
  c10::intrusive_ptr<c10d::ProcessGroupNCCL> nccl;
};

}  // namespace

/// Joins `world` ranks that find one another at `host:port` (rank 0 listens there) under `prefix`.
CATSCAN_PLUGIN Group* catscan_nccl_open(const char* host, uint16_t port, const char* prefix,
                                        int rank, int world, uint32_t timeout_s, char* message,
                                        size_t size) {
  Group* group = nullptr;
  answer(message, size, [&] {
    const std::chrono::milliseconds timeout(1000 * static_cast<int64_t>(timeout_s));
    c10d::TCPStoreOptions options;
    options.port = port;
    options.isServer = rank == 0;
    options.numWorkers = world;
    options.timeout = timeout;
    auto fresh = std::make_unique<Group>();
    auto store = c10::make_intrusive<c10d::TCPStore>(host, options);
    fresh->store = c10::make_intrusive<c10d::PrefixStore>(prefix, std::move(store));
    auto settings = c10d::ProcessGroupNCCL::Options::create();
    settings->timeout = timeout;
    fresh->nccl =
        c10::make_intrusive<c10d::ProcessGroupNCCL>(fresh->store, rank, world, settings);
    group = fresh.release();
  });
  return group;
}

/// Each of `tensors` becomes the sum of the ranks'. The host does not wait for it.
CATSCAN_PLUGIN int catscan_nccl_sum(Group* group, at::Tensor* const* tensors, size_t count,
                                    char* message, size_t size) {
  return answer(message, size, [&] {
    for (size_t i = 0; i < count; ++i) {
      std::vector<at::Tensor> one = {*tensors[i]};
      group->nccl->allreduce(one)->wait();
    }
  });
}

/// Leaves the group; a rank that has gone is not waited for.
CATSCAN_PLUGIN void catscan_nccl_close(Group* group) {
  char message[2] = {0};
  answer(message, sizeof message, [&] { group->nccl->abort(); });
  answer(message, sizeof message, [&] { delete group; });
}
