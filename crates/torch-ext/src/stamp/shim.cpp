// How many tensors share a memory, which tch does not tell. See ../stamp.rs.
#include <ATen/core/Tensor.h>

/// Tensors that hold the memory of this one, itself included; handles of one tensor count once.
extern "C" size_t catscan_holders(const at::Tensor* tensor) {
  return tensor->has_storage() ? tensor->storage().use_count() : 0;
}
