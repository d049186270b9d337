// What noted.h promises: a note lies beside the memory's address and is let go with it. See
// ../pieces.rs.
#include "noted.h"

#include <memory>

namespace {

struct Note {
  at::DataPtr memory;
  float largest;
};

void let_go(void* note) { delete static_cast<Note*>(note); }

}  // namespace

void catscan::note_largest(const at::Tensor& tensor, float largest) {
  c10::StorageImpl* storage = tensor.storage().unsafeGetStorageImpl();
  auto note = std::make_unique<Note>();
  note->largest = largest;
  void* data = storage->mutable_data();
  note->memory = storage->set_data_ptr({data, note.get(), let_go, storage->device()});
  note.release();
}

std::optional<float> catscan::noted_largest(const at::Tensor& tensor) {
  if (!tensor.has_storage() || tensor.is_inference() || tensor._version() > 0) return std::nullopt;
  const c10::Storage& storage = tensor.storage();
  const at::DataPtr& memory = storage.data_ptr();
  if (memory.get_deleter() != let_go || tensor.nbytes() != storage.nbytes()) return std::nullopt;
  return static_cast<const Note*>(memory.get_context())->largest;
}

extern "C" bool catscan_noted_largest(const at::Tensor* tensor, float* largest) {
  const std::optional<float> noted = catscan::noted_largest(*tensor);
  if (noted) *largest = *noted;
  return noted.has_value();
}
