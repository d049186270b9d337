// A node of libtorch's autograd graph whose backward is a Rust closure. ../gradient.rs says what
// the closure may do.
// No exception leaves this file, and no panic enters it.

#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/variable.h>

#include <cstring>
#include <memory>

using at::Tensor;
using namespace torch::autograd;

namespace {

/// The closure: `run` fills `results` with new tensors that we own, or nulls, and answers true; or
/// false, and writes why. `drop` frees it.
struct Backward {
  void* closure;
  bool (*run)(void* closure, const Tensor* gradient, const bool* wanted, Tensor** results,
              size_t count, char* message, size_t size);
  void (*drop)(void* closure);
};

struct Closure : Node {
  Backward backward;
  const size_t count;

  Closure(Backward backward, size_t count) : backward(backward), count(count) {}
  ~Closure() override { free_closure(); }

  std::string name() const override { return "catscan::Closure"; }

  void release_variables() override {
    std::lock_guard<std::mutex> lock(mutex_);
    free_closure();
  }

  variable_list apply(variable_list&& gradients) override {
    std::lock_guard<std::mutex> lock(mutex_);
    TORCH_CHECK(!at::GradMode::is_enabled(), "this layer has no gradient of a gradient");
    TORCH_CHECK(backward.closure, "backward a second time: the graph was freed by the first");
    variable_list results(count);
    if (!gradients[0].defined()) return results;
    std::unique_ptr<bool[]> wanted(new bool[count]);
    for (size_t i = 0; i < count; ++i) wanted[i] = task_should_compute_output(i);
    std::vector<Tensor*> found(count);
    char message[512] = {0};
    const bool done = backward.run(backward.closure, &gradients[0], wanted.get(), found.data(),
                                   count, message, sizeof message);
    for (size_t i = 0; i < count; ++i) {
      std::unique_ptr<Tensor> result(found[i]);
      if (result) results[i] = *result;
    }
    TORCH_CHECK(done, "in backward: ", message);
    return results;
  }

 private:
  void free_closure() {
    if (backward.closure) backward.drop(backward.closure);
    backward.closure = nullptr;
  }
};

Tensor* fail(const std::exception& error, char* message, size_t size) {
  std::strncpy(message, error.what(), size - 1);
  return nullptr;
}

}  // namespace

/// Makes `output`, computed without a graph from `inputs`, a result in the graph: a handle of the
/// same values with the closure as its backward. Takes the closure over, even when it fails; then
/// it answers null and writes why.
extern "C" Tensor* catscan_with_gradient(const Tensor* output, Tensor* const* inputs, size_t count,
                                         Backward backward, char* message, size_t size) {
  std::shared_ptr<Closure> node(new Closure(backward, count), deleteNode);
  try {
    edge_list edges;
    bool wanted = false;
    for (size_t i = 0; i < count; ++i) {
      edges.push_back(impl::gradient_edge(*inputs[i]));
      wanted |= edges.back().is_valid();
    }
    if (!wanted || !at::GradMode::is_enabled()) return new Tensor(*output);
    node->set_next_edges(std::move(edges));
    auto result = std::make_unique<Tensor>(output->variable_data());
    impl::set_gradient_edge(*result, {node, node->add_input_metadata(*result)});
    return result.release();
  } catch (const std::exception& error) {
    return fail(error, message, size);
  }
}

extern "C" bool catscan_is_recorded() { return at::GradMode::is_enabled(); }
