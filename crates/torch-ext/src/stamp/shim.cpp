// How many tensors share a memory, and writes that libtorch did not see, which tch does not tell. See
// ../stamp.rs.
#include <ATen/core/Tensor.h>

/// Tensors that hold the memory of this one, itself included; handles of one tensor count once.
extern "C" size_t catscan_holders(const at::Tensor* tensor) {
  return tensor->has_storage() ? tensor->storage().use_count() : 0;
}

/// Counts a write to this tensor's memory.
extern "C" void catscan_wrote(const at::Tensor* tensor) {
  tensor->unsafeGetTensorImpl()->bump_version();
}
